// Expected detections: came in time, came late, did not come, or cannot be told.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

using Outcome = DetectionOutcome;

bool was_noisy(const ExpectedDetection& expected, const AlertSpan& span, UtcTime reference) {
  const UtcTime from =
      expected.quiet_before > Duration{0} ? reference - expected.quiet_before : UtcTime{};
  const std::optional<Instant>& on = span.pending ? span.pending : span.fired;
  if (!on || on->latest() >= reference) return false;
  return !span.resolved || span.resolved->at >= from;
}

/// Was a monitoring server started anew between the two? It forgets what was pending then.
bool was_restarted(const Log& log, UtcTime from, UtcTime to) {
  return std::ranges::any_of(log, [&](const Event* event) {
    return event->kind == event_kind::detector_restarted &&
           event->at + event->uncertainty >= from && event->at - event->uncertainty <= to;
  });
}

constexpr std::string_view kRestarted =
    "its monitoring server was started anew during the fault and forgot what was pending: that "
    "says nothing about the rule";

/// What the rules, as they were last told before `until`, say of an alert that cannot come.
std::string trouble_of(const ExpectedDetection& expected, const Log& log, UtcTime until) {
  const auto wanted = expected.match.labels.find("alertname");
  if (wanted == expected.match.labels.end()) return {};
  std::string trouble;
  for (const Event* event : log) {
    if (event->kind != event_kind::monitoring_rules || event->at > until) continue;
    const auto rules = event->data.find("rules");
    if (rules == event->data.end() || !rules->is_array()) continue;
    for (const Json& rule : *rules) {
      if (text_of(rule, "name") != wanted->second) continue;
      trouble.clear();
      if (const std::string failed = text_of(rule, "trouble"); !failed.empty())
        trouble = "its rule could not be evaluated: " + failed;
      else if (const auto empty = texts_of(rule, "empty"); !empty.empty())
        trouble = fmt::format("its rule had no data: no series matched {}", empty.front());
    }
  }
  return trouble;
}

void judge_absent(const ExpectedDetection& expected, const InjectionSpan& reference, const Log& log,
                  const Measures& measures, DetectionResult& result) {
  const UtcTime start = reference.active->at;
  const UtcTime deadline = start + expected.within;
  const Duration watched = measures.ended - start;
  if (was_blind(log, expected.source, start, std::min(deadline, measures.ended))) {
    result.why =
        fmt::format("the detector '{}' was not reachable for part of the time", expected.source);
    return;
  }
  if (was_restarted(log, start, deadline)) {
    result.why = kRestarted;
    return;
  }
  const std::string trouble = trouble_of(expected, log, deadline);
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
  if (!trouble.empty()) result.why += "; " + trouble;
}

/// Heard as was expected? An alert that wakes nobody, or is silenced, detects for the archive.
void judge_hearing(const ExpectedDetection& expected, const AlertSpan& alert,
                   DetectionResult& result) {
  result.severity = alert.severity;
  result.wakes = alert.wakes;
  if (!alert.muted_by.empty())
    result.unheard = fmt::format("it is muted (by {}): nobody is told", alert.muted_by.front());
  else if (!expected.severity.empty() && expected.severity != alert.severity)
    result.unheard =
        alert.severity.empty()
            ? fmt::format("it has no severity, and '{}' was expected", expected.severity)
            : fmt::format("it came as '{}', and '{}' was expected", alert.severity,
                          expected.severity);
  if (!result.unheard.empty()) result.why += "; but " + result.unheard;
}

/// Where only a notification tells, the time until people were told is what is judged.
void judge_fired(const ExpectedDetection& expected, const Instant& start, const AlertSpan& alert,
                 const Log& log, DetectionResult& result) {
  result.fired = alert.fired;
  result.seq = alert.seq;
  result.after_injection = alert.fired->at - start.at;
  const bool told = alert.basis == Basis::notice;
  const Duration low = told ? *result.after_injection : alert.fired->earliest() - start.latest();
  const Duration high = told ? low : alert.fired->latest() - start.earliest();
  result.why = fmt::format("{} {} after the injection (allowed {})", told ? "was told" : "fired",
                           in_words(*result.after_injection), in_words(expected.within));
  const bool restarted = was_restarted(log, start.earliest(), alert.fired->latest());
  if (high <= expected.within) {
    result.outcome = Outcome::in_time;
    if (restarted) result.why += ", though its monitoring server was started anew meanwhile";
    else if (was_blind(log, expected.source, start.at, alert.fired->latest()))
      result.why += ", though its detector could not be read for part of that time";
  } else if (low <= expected.within) {
    result.why = fmt::format(
        "fired somewhere between {} and {} after the injection: whether within the {} allowed "
        "cannot be told",
        in_words(low), in_words(high), in_words(expected.within));
  } else if (restarted) {
    result.why += fmt::format(", but {}", kRestarted);
  } else {
    result.outcome = Outcome::late;
  }
  judge_hearing(expected, alert, result);
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
    judge_fired(expected, *reference->active, *first, log, result);
  } else if (unclear) {
    result.why = "was on when the detector first looked: nobody knows since when";
  } else {
    judge_absent(expected, *reference, log, measures, result);
  }
  return result;
}

}  // namespace

const InjectionSpan* reference_of(const ExpectedDetection& expected, const Measures& measures) {
  const InjectionSpan* first = nullptr;
  for (const InjectionSpan& span : measures.injections) {
    if (!span.active || (!expected.for_action.empty() && span.action != expected.for_action))
      continue;
    if (first == nullptr || span.active->at < first->active->at) first = &span;
  }
  return first;
}

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
