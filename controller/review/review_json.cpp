// The review for programs: times in UTC and microseconds, outcomes as words.
#include <array>

#include "controller/review/review.hpp"

namespace firedrill {
namespace {

Json time_json(const std::optional<UtcTime>& at) { return at ? Json(to_rfc3339(*at)) : Json(); }
Json number_json(const std::optional<double>& value) { return value ? Json(*value) : Json(); }
Json range_json(const Range& range) {
  return {{"low_us", range.low.count()}, {"high_us", range.high.count()}};
}
Json range_json(const std::optional<Range>& range) { return range ? range_json(*range) : Json(); }

std::string_view evidence_word(StepEvidence evidence) {
  constexpr std::array<std::string_view, 3> kWords{"none", "attested", "machine"};
  return kWords.at(static_cast<std::size_t>(evidence));
}

Json heard_json(const Review& review) {
  Json out = Json::array();
  for (const HeardRow& row : review.heard)
    out.push_back({{"name", row.name},
                   {"outcome", to_string(row.outcome)},
                   {"at", time_json(row.at)},
                   {"why", row.why},
                   {"wakes", row.wakes},
                   {"event", row.seq}});
  return out;
}

Json taken_json(const Review& review) {
  Json out = Json::array();
  for (const TakenRow& row : review.taken)
    out.push_back({{"step", row.title},
                   {"role", row.role},
                   {"outcome", to_string(row.outcome)},
                   {"evidence", evidence_word(row.evidence)},
                   {"at", time_json(row.at)},
                   {"due", time_json(row.due)},
                   {"detail", row.detail},
                   {"event", row.seq}});
  return out;
}

Json course_json(const Review& review, std::string_view part) {
  Json out = Json::array();
  if (part == "truth")
    for (const TruthRow& row : review.truth)
      out.push_back({{"action", row.action},
                     {"fault", row.fault},
                     {"host", row.host},
                     {"values", row.values},
                     {"from", time_json(row.from)},
                     {"to", time_json(row.to)},
                     {"cause", row.cause}});
  if (part == "beliefs")
    for (const BeliefRow& row : review.beliefs)
      out.push_back({{"at", to_rfc3339(row.at)},
                     {"who", row.who},
                     {"said", row.said},
                     {"truth", row.truth},
                     {"event", row.seq}});
  if (part == "timeline")
    for (const TimelineRow& row : review.timeline)
      out.push_back({{"at", to_rfc3339(row.at)},
                     {"what", row.what},
                     {"source", row.source},
                     {"event", row.seq == 0 ? Json() : Json(row.seq)}});
  return out;
}

Json impact_json(const Review& review) {
  Json probes = Json::array();
  for (const ImpactRow& row : review.impact)
    probes.push_back({{"probe", row.probe},
                      {"host", row.host},
                      {"unit", row.unit},
                      {"usual", number_json(row.usual)},
                      {"during", number_json(row.during)},
                      {"worst", number_json(row.worst)},
                      {"breached_us", row.breached.count()},
                      {"breaches", row.breaches}});
  return {{"breached_us", review.breached.count()}, {"probes", std::move(probes)}};
}

Json cost_json(const Review& review) {
  if (!review.cost) return {{"why_none", review.why_no_cost}};
  const GapCost& cost = *review.cost;
  return {{"faults_per_year", number_json(review.rates.faults_per_year)},
          {"user_share", number_json(review.rates.user_share)},
          {"one_fault",
           {{"detect", range_json(cost.detect)},
            {"repair", range_json(cost.repair)},
            {"whole", range_json(cost.whole)}}},
          {"at_least", cost.at_least},
          {"why_at_least", cost.why_at_least},
          {"bad_a_year", range_json(cost.minutes_a_year)},
          {"owed_to_detection", range_json(cost.owed_to_detection)}};
}

}  // namespace

std::string_view to_string(Goal outcome) {
  constexpr std::array<std::string_view, 3> kWords{"met", "missed", "open"};
  return kWords.at(static_cast<std::size_t>(outcome));
}

std::string_view to_string(Heard outcome) {
  constexpr std::array<std::string_view, 7> kWords{"in time", "late",        "missed", "already on",
                                                   "unknown", "false alert", "noise"};
  return kWords.at(static_cast<std::size_t>(outcome));
}

std::string_view to_string(Taken outcome) {
  constexpr std::array<std::string_view, 5> kWords{"on time", "late", "skipped", "out of order",
                                                   "improvised"};
  return kWords.at(static_cast<std::size_t>(outcome));
}

Json to_json(const Review& review) {
  Json goals = Json::array(), findings = Json::array();
  for (const GoalRow& row : review.goals)
    goals.push_back(
        {{"what", row.what}, {"measured", row.measured}, {"outcome", to_string(row.outcome)}});
  for (const Finding& finding : review.findings)
    findings.push_back({{"fact", finding.fact},
                        {"question", finding.question},
                        {"aim", finding.aim},
                        {"owner", nullptr},
                        {"date", nullptr}});
  Json out{{"review", 1},  // version of this shape
           {"stopped_by", review.stopped_by},
           {"goals", std::move(goals)},
           {"truth", course_json(review, "truth")},
           {"beliefs", course_json(review, "beliefs")},
           {"timeline", course_json(review, "timeline")},
           {"detections", heard_json(review)},
           {"steps", taken_json(review)},
           {"impact", impact_json(review)},
           {"cost", cost_json(review)},
           {"held", review.held},
           {"findings", std::move(findings)}};
  if (review.budget_spent) out["budget_spent"] = *review.budget_spent;
  return out;
}

}  // namespace firedrill
