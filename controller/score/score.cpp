// The verdict with its reasons, the rung reached, and the gate that decides what may be scored.
#include "controller/score/score.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "controller/score/lines.hpp"

namespace firedrill {
namespace {

using scoring::Objective;

struct VerdictWord {
  Verdict verdict;
  std::string_view word;
  int exit_code;
};

constexpr std::array<VerdictWord, 5> kVerdicts{{{Verdict::pass, "pass", 0},
                                                {Verdict::fail, "fail", 1},
                                                {Verdict::inconclusive, "inconclusive", 2},
                                                {Verdict::aborted, "aborted", 3},
                                                {Verdict::error, "error", 255}}};

/// A sham run asks whether monitoring is quiet when nothing happens. It can never pass: nothing was
/// there to be detected.
std::vector<std::string> sham_reasons(const Measures& measures) {
  std::vector<std::string> reasons = measures.doubts;
  for (const AlertSpan& alert : measures.alerts)
    if ((alert.expected || alert.forbidden) && alert.fired && !alert.before_injection)
      reasons.push_back(fmt::format("sham run: false alarm: '{}' fired though nothing was injected",
                                    alert.alertname));
  if (reasons.empty())
    reasons.emplace_back("sham run: nothing was injected; no detection, as it should be");
  return reasons;
}

void fail_detections(const Measures& measures, std::vector<std::string>& reasons) {
  for (const DetectionResult& result : measures.detections) {
    if (result.outcome == DetectionOutcome::missed)
      reasons.push_back(fmt::format("expected detection '{}' {}", result.name, result.why));
    if (result.outcome == DetectionOutcome::late)
      reasons.push_back(
          fmt::format("expected detection '{}' was late: {}", result.name, result.why));
    if (result.outcome == DetectionOutcome::in_time && !result.unheard.empty())
      reasons.push_back(
          fmt::format("expected detection '{}' came in time, but {}", result.name, result.unheard));
  }
  for (const AlertSpan& alert : measures.alerts)
    if (alert.forbidden && alert.fired && !alert.before_injection)
      reasons.push_back(fmt::format("forbidden alert '{}' fired", alert.alertname));
}

std::vector<std::string> fail_reasons(const Measures& measures) {
  std::vector<std::string> reasons;
  if (measures.points.impacted && !measures.points.recovered)
    reasons.emplace_back("users were not whole again by the end of watching");
  if (measures.steady_after == false && reasons.empty())
    reasons.emplace_back("the steady state did not hold after the fault");
  fail_detections(measures, reasons);
  for (const StepResult& step : measures.steps)
    if (step.critical && step.outcome == StepOutcome::skipped)
      reasons.push_back(fmt::format("critical step '{}' was skipped", step.id));
  for (const Interval& interval : measures.intervals)
    if (scoring::judge(interval) == Objective::missed)
      reasons.push_back(scoring::objective_words(interval));
  return reasons;
}

/// An objective whose watching was cut short is neither met nor missed.
std::vector<std::string> open_objectives(const Measures& measures) {
  std::vector<std::string> reasons;
  for (const Interval& interval : measures.intervals)
    if (scoring::judge(interval) == Objective::open)
      reasons.push_back(scoring::objective_words(interval));
  return reasons;
}

void decide(const Measures& measures, Scorecard& card) {
  const auto conclude = [&](Verdict verdict, std::vector<std::string> reasons) {
    card.verdict = verdict;
    card.reasons = std::move(reasons);
  };
  if (!measures.errors.empty()) return conclude(Verdict::error, measures.errors);
  if (!measures.halted_by.empty())
    return conclude(Verdict::aborted, {"stopped by " + measures.halted_by});
  if (measures.sham) return conclude(Verdict::inconclusive, sham_reasons(measures));
  if (!measures.doubts.empty()) return conclude(Verdict::inconclusive, measures.doubts);
  if (auto reasons = fail_reasons(measures); !reasons.empty())
    return conclude(Verdict::fail, std::move(reasons));
  if (auto reasons = open_objectives(measures); !reasons.empty())
    return conclude(Verdict::inconclusive, std::move(reasons));
  conclude(Verdict::pass, {"every expectation and objective was met"});
}

/// Rungs that nobody watched are passed over; the first watched one that was not reached ends it.
void climb(const Measures& measures, Scorecard& card) {
  card.rung = "none";
  if (measures.sham) return;  // nothing to climb
  for (const Rung& rung : measures.ladder) {
    if (rung.reached) {
      card.rung = rung.name;
    } else if (rung.watched) {
      card.next_rung = rung.name;
      return;
    }
  }
}

Score gated(std::string name, std::string why) {
  Score score;
  score.name = std::move(name);
  score.why_none = std::move(why);
  return score;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  for (const VerdictWord& entry : kVerdicts)
    if (entry.verdict == verdict) return entry.word;
  return "error";
}

Result<Verdict> parse_verdict(std::string_view text) {
  for (const VerdictWord& entry : kVerdicts)
    if (entry.word == text) return entry.verdict;
  return fail(ErrorCode::invalid_input, fmt::format("unknown verdict '{}'", text));
}

int exit_code(Verdict verdict) {
  for (const VerdictWord& entry : kVerdicts)
    if (entry.verdict == verdict) return entry.exit_code;
  return 255;
}

Scorecard score(const Measures& measures) {
  Scorecard card;
  decide(measures, card);
  climb(measures, card);
  const bool judged = card.verdict == Verdict::pass || card.verdict == Verdict::fail;
  const std::string why =
      fmt::format("not scored: the run {}", card.verdict == Verdict::error     ? "ended in error"
                                            : card.verdict == Verdict::aborted ? "was stopped"
                                                                               : "is inconclusive");
  card.scores.push_back(judged ? scoring::detection(measures) : gated("detection", why));
  card.scores.push_back(judged ? scoring::response(measures) : gated("response", why));
  card.scores.push_back(judged ? scoring::recovery(measures) : gated("recovery", why));
  // How cleanly we stopped and tidied up is known also of a run that was stopped or went wrong.
  const bool cleaned = card.verdict != Verdict::inconclusive;
  card.scores.push_back(cleaned ? scoring::safety(measures) : gated("safety", why));
  return card;
}

Json to_json(const Scorecard& card) {
  Json scores = Json::array();
  for (const Score& score : card.scores) {
    Json lines = Json::array();
    for (const ScoreLine& line : score.lines)
      lines.push_back({{"what", line.what},
                       {"why", line.why},
                       {"earned", line.earned},
                       {"possible", line.possible},
                       {"evidence", line.evidence}});
    scores.push_back({{"name", score.name},
                      {"value", score.value ? Json(*score.value) : Json(nullptr)},
                      {"formula", score.formula},
                      {"why_none", score.why_none},
                      {"lines", std::move(lines)}});
  }
  return {{"verdict", to_string(card.verdict)},
          {"exit_code", exit_code(card.verdict)},
          {"reasons", card.reasons},
          {"rung", card.rung},
          {"next_rung", card.next_rung},
          {"scores", std::move(scores)}};
}

}  // namespace firedrill
