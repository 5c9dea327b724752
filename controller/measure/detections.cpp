// Expected detections: came in time, came late, did not come, or cannot be told.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

using Outcome = DetectionOutcome;

/// The injection that `within` counts from: the named action's first, or the run's first.
const InjectionSpan* reference_of(const ExpectedDetection& expected, const Measures& measures) {
  const InjectionSpan* first = nullptr;
  for (const InjectionSpan& span : measures.injections) {
    if (!span.active || (!expected.for_action.empty() && span.action != expected.for_action))
      continue;
    if (first == nullptr || span.active->at < first->active->at) first = &span;
  }
  return first;
}

bool was_noisy(const ExpectedDetection& expected, const AlertSpan& span, UtcTime reference) {
  const UtcTime from =
      expected.quiet_before > Duration{0} ? reference - expected.quiet_before : UtcTime{};
  const std::optional<Instant>& on = span.pending ? span.pending : span.fired;
  if (!on || on->latest() >= reference) return false;
  return !span.resolved || span.resolved->at >= from;
}

void judge_absent(const ExpectedDetection& expected, const InjectionSpan& reference, const Log& log,
                  const Measures& measures, DetectionResult& result) {
  const UtcTime start = reference.active->at;
  const UtcTime deadline = start + expected.within;
  const Duration watched = measures.ended - start;
  if (was_blind(log, expected.source, start, std::min(deadline, measures.ended))) {
    result.why = "the detector was not reachable for part of the time";
    return;
  }
  if (watched >= expected.within) {
    result.outcome = Outcome::missed;
    result.why = fmt::format("did not fire in {} of watching (allowed {})", in_words(watched),
                             in_words(expected.within));
  } else if (reference.cause == to_string(UndoCause::time_up)) {
    result.outcome = Outcome::missed;
    result.why = fmt::format(
        "did not fire while the fault ran its full time, nor in {} of watching", in_words(watched));
  } else {
    result.why = fmt::format("watched only {} of the {} allowed", in_words(watched),
                             in_words(expected.within));
  }
}

void judge_fired(const ExpectedDetection& expected, UtcTime start, const AlertSpan& alert,
                 DetectionResult& result) {
  result.fired = alert.fired;
  result.seq = alert.seq;
  result.after_injection = alert.fired->at - start;
  result.outcome = *result.after_injection <= expected.within ? Outcome::in_time : Outcome::late;
  result.why = fmt::format("fired {} after the injection (allowed {})",
                           in_words(*result.after_injection), in_words(expected.within));
}

DetectionResult judge(const ExpectedDetection& expected, const Log& log, const Measures& measures) {
  DetectionResult result;
  result.name = expected.name;
  result.source = expected.source;
  result.within = expected.within;
  const InjectionSpan* reference = reference_of(expected, measures);
  if (reference == nullptr) {
    result.why = measures.sham ? "sham run: nothing to detect" : "its fault was never confirmed";
    return result;
  }
  result.from = reference->active->at;
  const UtcTime start = reference->active->earliest();
  const AlertSpan* first = nullptr;
  bool on_before = false, unclear = false;
  for (const AlertSpan& span : measures.alerts) {
    if (!answers(expected, span)) continue;
    if (was_noisy(expected, span, start)) on_before = true;
    if (span.already && span.fired && span.fired->earliest() < start) unclear = true;
    if (!span.fired || span.fired->latest() < start || span.already) continue;
    if (first == nullptr || span.fired->at < first->fired->at) first = &span;
  }
  if (on_before) {
    result.outcome = Outcome::already_firing;
    result.why = "was on before the injection: says nothing about it";
  } else if (first != nullptr) {
    judge_fired(expected, *result.from, *first, result);
  } else if (unclear) {
    result.why = "was on when the detector first looked: nobody knows since when";
  } else {
    judge_absent(expected, *reference, log, measures, result);
  }
  return result;
}

}  // namespace

bool was_blind(const Log& log, const std::string& detector, UtcTime from, UtcTime to) {
  std::map<std::string, UtcTime> lost;
  for (const Event* event : log) {
    const std::string name = text_of(event->data, "detector");
    if (!detector.empty() && name != detector) continue;
    if (event->kind == event_kind::detector_lost) lost.emplace(name, event->at);
    if (event->kind != event_kind::detector_up || !lost.contains(name)) continue;
    if (lost[name] < to && event->at > from) return true;
    lost.erase(name);
  }
  return std::ranges::any_of(lost, [&](const auto& entry) { return entry.second < to; });
}

void detections(const Log& log, const Experiment& experiment, Measures& measures) {
  for (const ExpectedDetection& expected : experiment.expected)
    measures.detections.push_back(judge(expected, log, measures));
  const auto noisy = [](const DetectionResult& d) { return d.outcome == Outcome::already_firing; };
  measures.baseline_quiet = std::ranges::none_of(measures.detections, noisy);
}

}  // namespace firedrill::measuring
