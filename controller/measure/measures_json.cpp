// Measures as JSON: microseconds for machines, RFC 3339 beside each instant for people.
#include <cmath>
#include <string_view>

#include "controller/measure/measures.hpp"

namespace firedrill {
namespace {

template <class T>
Json maybe(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json instant(const std::optional<Instant>& point) {
  if (!point) return nullptr;
  return {{"at", to_rfc3339(point->at)},
          {"at_us", to_micros(point->at)},
          {"early_us", point->early.count()},
          {"late_us", point->late.count()}};
}

Json micros(const std::optional<Duration>& duration) {
  return duration ? Json(duration->count()) : Json(nullptr);
}

std::string_view word(DetectionOutcome outcome) {
  switch (outcome) {
    case DetectionOutcome::in_time:
      return "in-time";
    case DetectionOutcome::late:
      return "late";
    case DetectionOutcome::missed:
      return "missed";
    case DetectionOutcome::already_firing:
      return "already-firing";
    case DetectionOutcome::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view word(Basis basis) {
  if (basis == Basis::notice) return "notice";
  return basis == Basis::source ? "source" : "looks";
}

std::string_view word(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::on_time:
      return "on-time";
    case StepOutcome::late:
      return "late";
    case StepOutcome::skipped:
      return "skipped";
    case StepOutcome::out_of_order:
      return "out-of-order";
  }
  return "skipped";
}

std::string_view word(StepEvidence evidence) {
  switch (evidence) {
    case StepEvidence::none:
      return "none";
    case StepEvidence::attested:
      return "attested";
    case StepEvidence::machine:
      return "machine";
  }
  return "none";
}

Json to_json(const Interval& interval) {
  return {{"name", interval.name},
          {"from", interval.from},
          {"to", interval.to},
          {"value_us", micros(interval.value)},
          {"low_us", interval.value ? Json(interval.low.count()) : Json(nullptr)},
          {"high_us", interval.value ? Json(interval.high.count()) : Json(nullptr)},
          {"censored_at_us", micros(interval.censored_at)},
          {"objective_us", micros(interval.objective)},
          {"why_none", interval.why_none}};
}

Json to_json(const Spread& spread) {
  return {{"samples", spread.count},
          {"bimodal", spread.bimodal},
          {"sarle_coefficient", spread.coefficient},
          {"ashman_d", std::isfinite(spread.separation) ? Json(spread.separation) : Json(nullptr)},
          {"lower", spread.lower},
          {"upper", spread.upper},
          {"upper_share", spread.upper_share},
          {"scale", spread.logarithmic ? "log" : "linear"},
          {"low", spread.low},
          {"high", spread.high},
          {"bins", spread.bins}};
}

/// The points themselves stay in the log: a summary is what programs compare.
Json to_json(const SliSeries& series) {
  Json breaches = Json::array();
  for (const auto& [from, to] : series.breaches)
    breaches.push_back({{"from_us", to_micros(from)}, {"to_us", to_micros(to)}});
  return {{"probe", series.probe},
          {"host", series.host},
          {"measure", series.measure},
          {"unit", series.unit},
          {"samples", series.points.size()},
          {"low", series.bounded ? Json(series.low) : Json(nullptr)},
          {"high", series.bounded ? Json(series.high) : Json(nullptr)},
          {"breaches", std::move(breaches)},
          {"baseline_median", maybe(series.baseline_median)},
          {"baseline_p99", maybe(series.baseline_p99)},
          {"fault_median", maybe(series.fault_median)},
          {"fault_p99", maybe(series.fault_p99)},
          {"spread", series.spread ? to_json(*series.spread) : Json(nullptr)},
          {"on_median", maybe(series.on_median)},
          {"on_samples", series.on_count},
          {"off_median", maybe(series.off_median)},
          {"off_samples", series.off_count}};
}

Json to_json(const InjectionSpan& span) {
  Json on = Json::array();
  for (const auto& [from, to] : span.on)
    on.push_back({{"from_us", to_micros(from)}, {"to_us", to_micros(to)}});
  if (span.on_since) on.push_back({{"from_us", to_micros(*span.on_since)}, {"to_us", nullptr}});
  return {{"injection", span.injection},
          {"action", span.action},
          {"host", span.host},
          {"fault", span.fault},
          {"active", instant(span.active)},
          {"ended", instant(span.ended)},
          {"cause", span.cause},
          {"cured", span.cured},
          {"dirty", span.dirty},
          {"verified", span.verified},
          {"failed", span.failed},
          {"failure", span.failure},
          {"superseded", span.superseded},
          {"differences", span.differences},
          {"values", span.values},
          {"pattern", span.pattern ? to_json(*span.pattern) : Json(nullptr)},
          {"ramp", span.ramp ? to_json(*span.ramp) : Json(nullptr)},
          {"ramped_to", maybe(span.ramped_to)},
          {"on", std::move(on)},
          {"evidence", {span.active_seq, span.ended_seq}}};
}

Json to_json(const AlertSpan& span) {
  return {{"alertname", span.alertname},
          {"fingerprint", span.fingerprint},
          {"detector", span.detector},
          {"labels", span.labels},
          {"pending", instant(span.pending)},
          {"fired", instant(span.fired)},
          {"notified", instant(span.notified)},
          {"acknowledged", instant(span.acknowledged)},
          {"resolved", instant(span.resolved)},
          {"basis", word(span.basis)},
          {"severity", span.severity},
          {"wakes", span.wakes},
          {"muted_by", span.muted_by},
          {"before_injection", span.before_injection},
          {"already", span.already},
          {"expected", span.expected},
          {"forbidden", span.forbidden},
          {"evidence", span.seq}};
}

Json to_json(const DetectionResult& result) {
  return {{"name", result.name},
          {"source", result.source},
          {"outcome", word(result.outcome)},
          {"fired", instant(result.fired)},
          {"after_injection_us", micros(result.after_injection)},
          {"within_us", result.within.count()},
          {"why", result.why},
          {"severity", result.severity},
          {"wakes", result.wakes},
          {"unheard", result.unheard},
          {"evidence", result.seq}};
}

Json range(const std::optional<Range>& span) {
  if (!span) return nullptr;
  return {{"low_us", span->low.count()}, {"high_us", span->high.count()}};
}

Json to_json(const Prediction& prediction) {
  Json segments = Json::array();
  for (const Segment& segment : prediction.segments)
    segments.push_back({{"name", segment.name},
                        {"predicted", range(segment.predicted)},
                        {"measured", range(segment.measured)},
                        {"excess_us", segment.excess().count()},
                        {"why", segment.why}});
  return {{"detection", prediction.detection}, {"alertname", prediction.alertname},
          {"fire", range(prediction.fire)},    {"fire_measured", range(prediction.fire_measured)},
          {"gap_us", micros(prediction.gap)},  {"cause", prediction.cause},
          {"why_none", prediction.why_none},   {"segments", std::move(segments)}};
}

Json to_json(const ClockSpan& clock) {
  return {{"name", clock.name},
          {"monitor", clock.monitor},
          {"offset_us", clock.offset.count()},
          {"error_us", clock.error.count()}};
}

Json to_json(const StepResult& step) {
  return {{"id", step.id},
          {"title", step.title},
          {"who", step.who},
          {"outcome", word(step.outcome)},
          {"evidence", word(step.evidence)},
          {"done", instant(step.done)},
          {"due_us", step.due ? Json(to_micros(*step.due)) : Json(nullptr)},
          {"weight", step.weight},
          {"critical", step.critical},
          {"detail", step.detail},
          {"seq", step.seq}};
}

Json to_json(const PhaseSpan& phase) {
  return {
      {"phase", phase.phase}, {"from_us", to_micros(phase.from)}, {"to_us", to_micros(phase.to)}};
}

Json to_json(const Rung& rung) {
  return {{"name", rung.name},
          {"watched", rung.watched},
          {"reached", rung.reached},
          {"at", instant(rung.at)}};
}

Json to_json(const Mark& mark) {
  return {{"at_us", to_micros(mark.at)},
          {"kind", mark.kind},
          {"who", mark.who},
          {"text", mark.text},
          {"seq", mark.seq}};
}

template <class T>
Json list(const std::vector<T>& items) {
  Json out = Json::array();
  for (const T& item : items) out.push_back(to_json(item));
  return out;
}

}  // namespace

Json to_json(const Measures& measures) {
  const ClockPoints& points = measures.points;
  return {{"run", measures.run},
          {"started", to_rfc3339(measures.started)},
          {"ended", to_rfc3339(measures.ended)},
          {"sham", measures.sham},
          {"finished", measures.finished},
          {"points",
           {{"t_inj", instant(points.injected)},
            {"t_imp", instant(points.impacted)},
            {"t_fire", instant(points.fired)},
            {"t_ntf", instant(points.notified)},
            {"t_ack", instant(points.acknowledged)},
            {"t_mit", instant(points.mitigated)},
            {"t_rev", instant(points.reverted)},
            {"t_rec", instant(points.recovered)}}},
          {"intervals", list(measures.intervals)},
          {"phases", list(measures.phases)},
          {"series", list(measures.series)},
          {"injections", list(measures.injections)},
          {"alerts", list(measures.alerts)},
          {"detections", list(measures.detections)},
          {"predictions", list(measures.predictions)},
          {"clocks", list(measures.clocks)},
          {"steps", list(measures.steps)},
          {"ladder", list(measures.ladder)},
          {"marks", list(measures.marks)},
          {"steady_before", maybe(measures.steady_before)},
          {"steady_after", maybe(measures.steady_after)},
          {"baseline_quiet", measures.baseline_quiet},
          {"mitigated_by", measures.mitigated_by},
          {"halted_by", measures.halted_by},
          {"radius_held", maybe(measures.radius_held)},
          {"breached_us", measures.breached.count()},
          {"budget_spent", maybe(measures.budget_spent)},
          {"slos", slos_json(measures.slos)},
          {"operating_modes", modes_json(measures.operating_modes)},
          {"doubts", measures.doubts},
          {"errors", measures.errors}};
}

}  // namespace firedrill
