// Detections with false alerts and noise; steps with what was improvised; the cost of the gap.
#include <algorithm>

#include <fmt/format.h>

#include "controller/review/parts.hpp"

namespace firedrill::reviewing {
namespace {

using namespace std::chrono_literals;

/// A machine sees a step by samples, so it may see it this much after (or before) what it caused.
constexpr Duration kSeenWithin = 10s;
/// A person tells of a step when there is time to.
constexpr Duration kToldWithin = 60s;

Heard to_heard(DetectionOutcome outcome) {
  switch (outcome) {
    case DetectionOutcome::in_time:
      return Heard::in_time;
    case DetectionOutcome::late:
      return Heard::late;
    case DetectionOutcome::missed:
      return Heard::missed;
    case DetectionOutcome::already_firing:
      return Heard::already_on;
    case DetectionOutcome::unknown:
      break;
  }
  return Heard::unknown;
}

Taken to_taken(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::on_time:
      return Taken::on_time;
    case StepOutcome::late:
      return Taken::late;
    case StepOutcome::out_of_order:
      return Taken::out_of_order;
    case StepOutcome::skipped:
      break;
  }
  return Taken::skipped;
}

/// Is there a step that this change can have been?
bool was_a_step(const Instant& change, const Given& given) {
  for (std::size_t i = 0; i < given.measures.steps.size(); ++i) {
    const StepResult& step = given.measures.steps[i];
    const bool ack = i < given.experiment.steps.size() &&
                     given.experiment.steps[i].verify.kind == StepVerification::Kind::ack;
    if (!step.done || ack) continue;
    const Duration apart =
        step.done->at > change.at ? step.done->at - change.at : change.at - step.done->at;
    if (apart <= (step.evidence == StepEvidence::machine ? kSeenWithin : kToldWithin)) return true;
  }
  return false;
}

Range between(const Instant& from, const Instant& to) {
  return {std::max(to.earliest() - from.latest(), Duration{0}),
          std::max(to.latest() - from.earliest(), Duration{0})};
}

Range scaled(const Range& range, double by) {
  const auto times = [by](Duration one) {
    return Duration{static_cast<std::int64_t>(static_cast<double>(one.count()) * by)};
  };
  return {times(range.low), times(range.high)};
}

GapCost cost_of(const Measures& measures) {
  const ClockPoints& points = measures.points;
  const Instant from = *points.impacted;
  const Instant watched{.at = measures.ended, .early = {}, .late = {}};
  GapCost out;
  // Whoever mends it ends it; without them the fault would have gone on beyond our undo.
  const Instant until = points.mitigated   ? *points.mitigated
                        : points.recovered ? *points.recovered
                                           : watched;
  if (!points.mitigated) {
    out.at_least = true;
    out.why_at_least = points.recovered ? "nobody mended it: our own undo ended it"
                                        : "users were not whole again while we watched";
  }
  out.whole = between(from, until);
  if (!points.fired || points.fired->at >= until.at) {
    out.detect = out.whole;  // all of it passed before anybody could know
    return out;
  }
  const Instant alert = points.fired->at > from.at ? *points.fired : from;
  if (points.fired->at > from.at) out.detect = between(from, alert);
  out.repair = between(alert, until);
  return out;
}

}  // namespace

std::vector<HeardRow> heard(const Given& given) {
  const Measures& measures = given.measures;
  std::vector<HeardRow> out;
  for (const DetectionResult& result : measures.detections)
    out.push_back({.name = result.name,
                   .outcome = to_heard(result.outcome),
                   .at = result.fired ? std::optional(result.fired->at) : std::nullopt,
                   .why = result.unheard.empty() ? result.why : result.why + "; " + result.unheard,
                   .wakes = result.wakes,
                   .seq = result.seq});
  for (const AlertSpan& alert : measures.alerts) {
    if (!alert.fired || alert.before_injection || alert.already) continue;
    const bool wrong = alert.forbidden || (measures.sham && alert.expected);
    // The same alert by another detector than the one it was expected of is no noise.
    const bool asked = std::ranges::any_of(
        given.experiment.expected,
        [&](const ExpectedDetection& expected) { return expected.match.matches(alert.labels); });
    const bool noise = !alert.expected && !asked && !alert.acknowledged && !alert.forbidden;
    if (!wrong && !noise) continue;
    out.push_back({.name = alert.alertname,
                   .outcome = wrong ? Heard::false_alert : Heard::noise,
                   .at = alert.fired->at,
                   .why = alert.forbidden ? "forbidden, and it fired"
                          : wrong         ? "it fired though nothing was injected"
                                          : "nobody had asked for it, and nobody acknowledged it",
                   .wakes = alert.wakes,
                   .seq = alert.seq});
  }
  return out;
}

std::vector<TakenRow> taken(const Given& given) {
  std::vector<TakenRow> out;
  if (!given.measures.points.injected) return out;  // nothing was there to respond to
  for (const StepResult& step : given.measures.steps)
    out.push_back({.title = step.title.empty() ? step.id : step.title,
                   .role = step.who,
                   .detail = given.cast.nameless(step.detail),
                   .outcome = to_taken(step.outcome),
                   .evidence = step.evidence,
                   .at = step.done ? std::optional(step.done->at) : std::nullopt,
                   .due = step.due,
                   .seq = step.seq});
  for (const InjectionSpan& span : given.measures.injections) {
    const bool theirs = span.cured || !span.superseded.empty();
    if (!theirs || !span.ended || was_a_step(*span.ended, given)) continue;
    out.push_back({.title = fmt::format("what {} held on {} was changed", span.fault, span.host),
                   .role = {},
                   .detail = span.cured ? "it cured the fault" : "it took the fault's place",
                   .outcome = Taken::improvised,
                   .evidence = StepEvidence::machine,
                   .at = span.ended->at,
                   .due = {},
                   .seq = span.ended_seq});
  }
  return out;
}

void cost(const Given& given, Review& review) {
  const Measures& measures = given.measures;
  const bool judged = given.card.verdict == Verdict::pass || given.card.verdict == Verdict::fail;
  if (!judged) {
    review.why_no_cost =
        fmt::format("the run's verdict is '{}', so its times are no measure of the next fault",
                    to_string(given.card.verdict));
    return;
  }
  if (!measures.points.impacted) {
    review.why_no_cost = "users were never hurt";
    return;
  }
  GapCost out = cost_of(measures);
  const GapRates& rates = review.rates;
  if (rates.faults_per_year && rates.user_share) {
    const double by = *rates.faults_per_year * *rates.user_share;
    out.minutes_a_year = scaled(out.whole, by);
    out.owed_to_detection = scaled(out.detect, by);
  }
  review.cost = std::move(out);
}

}  // namespace firedrill::reviewing
