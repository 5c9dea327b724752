// Alerts as spans with bounds: pending, firing, notified, resolved, one for each time it was on.
#include <algorithm>
#include <map>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

constexpr std::string_view kDetectorPrefix = "detector:";

std::string detector_of(const Event& event) {
  const std::string_view source = event.source;
  return std::string(source.starts_with(kDetectorPrefix) ? source.substr(kDetectorPrefix.size())
                                                         : source);
}

/// Between the last look that did not show it and the first that did: both are our own instants,
/// so no clock error comes on top. On at the first look: since the run began, for all we know.
Instant seen_between(const Event& event, UtcTime run_started) {
  const UtcTime seen = time_of(event.data, "first_seen_us").value_or(event.at);
  if (const auto quiet = time_of(event.data, "last_quiet_us"))
    return between(std::min(*quiet, seen), seen, Duration{0});
  if (flag_of(event.data, "already").value_or(false))
    return {.at = seen, .early = std::max(seen - run_started, Duration{0}), .late = Duration{0}};
  return between(seen, seen, event.uncertainty);
}

class Spans {
 public:
  Spans(std::vector<AlertSpan>& spans, UtcTime run_started)
      : spans_(spans), run_started_(run_started) {}

  void read(const Event& event) {
    if (event.kind == event_kind::alert_pending) pending(event);
    if (event.kind == event_kind::alert_firing) firing(event);
    if (event.kind == event_kind::alert_resolved) resolved(event, "ends_us");
    if (event.kind == event_kind::alert_notified) notified(event);
  }

 private:
  static std::string key_of(const Event& event) {
    std::string print = text_of(event.data, "fingerprint");
    if (print.empty()) print = text_of(event.data, "labels");
    return detector_of(event) + '\n' + print;
  }

  AlertSpan* open(const Event& event) {
    const auto found = open_.find(key_of(event));
    return found == open_.end() ? nullptr : &spans_[found->second];
  }

  AlertSpan& opened(const Event& event) {
    if (AlertSpan* span = open(event)) return *span;
    AlertSpan span;
    span.detector = detector_of(event);
    span.fingerprint = text_of(event.data, "fingerprint");
    span.alertname = text_of(event.data, "alertname");
    if (const Json* labels = object_of(event.data, "labels")) span.labels = *labels;
    span.already = flag_of(event.data, "already").value_or(false);
    span.seq = event.seq;
    open_[key_of(event)] = spans_.size();
    return spans_.emplace_back(std::move(span));
  }

  void pending(const Event& event) {
    AlertSpan& span = opened(event);
    if (span.pending || span.fired) return;
    const auto active = time_of(event.data, "active_us");
    span.pending =
        active ? between(*active, *active, event.uncertainty) : seen_between(event, run_started_);
  }

  void firing(const Event& event) {
    AlertSpan& span = opened(event);
    if (span.fired) return;
    const auto fired = time_of(event.data, "fired_us");
    span.fired =
        fired ? between(*fired, *fired, event.uncertainty) : seen_between(event, run_started_);
    span.seq = event.seq;
    const auto active = time_of(event.data, "active_us");
    if (!span.pending && active && *active < span.fired->at)
      span.pending = between(*active, *active, event.uncertainty);
  }

  void resolved(const Event& event, std::string_view key) {
    AlertSpan* span = open(event);
    if (span == nullptr) return;
    const UtcTime ends = time_of(event.data, key).value_or(event.at);
    span->resolved = between(ends, ends, event.uncertainty);
    open_.erase(key_of(event));
  }

  /// A notification proves that it fired no later than this, also where no poller watches. The
  /// start that it names counts only when it is on our clock.
  void notified(const Event& event) {
    if (text_of(event.data, "status") == "resolved") return resolved(event, "ends_us");
    AlertSpan& span = opened(event);
    const UtcTime received = time_of(event.data, "received_us").value_or(event.at);
    if (!span.notified) span.notified = between(received, received, event.uncertainty);
    if (span.fired) return;
    span.seq = event.seq;
    const auto starts = time_of(event.data, "starts_us");
    if (starts && text_of(event.data, "starts_clock").empty())
      span.fired = between(*starts, *starts, event.uncertainty);
    else
      span.fired = {.at = received,
                    .early = std::max(received - run_started_, Duration{0}),
                    .late = event.uncertainty};
  }

  std::vector<AlertSpan>& spans_;
  UtcTime run_started_;
  std::map<std::string, std::size_t> open_;
};

void keep_earliest(const std::optional<Instant>& candidate, std::optional<Instant>& point) {
  if (candidate && (!point || candidate->at < point->at)) point = candidate;
}

}  // namespace

bool answers(const ExpectedDetection& expected, const AlertSpan& alert) {
  return (expected.source.empty() || expected.source == alert.detector) &&
         expected.match.matches(alert.labels);
}

void alerts(const Log& log, const Experiment& experiment, Measures& measures) {
  Spans spans(measures.alerts, measures.started);
  for (const Event* event : log) spans.read(*event);
  const auto& injected = measures.points.injected;
  measures.forbidden_asked = !experiment.forbidden.empty();
  for (AlertSpan& span : measures.alerts) {
    // What was expected is the alert; which detector's word counts for the time is asked below.
    span.expected = std::ranges::any_of(experiment.expected, [&](const ExpectedDetection& e) {
      return e.match.matches(span.labels);
    });
    span.forbidden = std::ranges::any_of(
        experiment.forbidden, [&](const AlertMatch& match) { return match.matches(span.labels); });
    // A sham run injects nothing: what was quiet when watching began is a false alarm, not
    // "before".
    const UtcTime reference = injected ? injected->earliest() : measures.started;
    const std::optional<Instant>& on = span.fired ? span.fired : span.pending;
    span.before_injection = on && on->latest() < reference;
    if (!injected || !span.expected || span.before_injection || span.already) continue;
    const bool asked = std::ranges::any_of(
        experiment.expected, [&](const ExpectedDetection& e) { return answers(e, span); });
    if (asked) keep_earliest(span.fired, measures.points.fired);
    keep_earliest(span.notified, measures.points.notified);
  }
}

}  // namespace firedrill::measuring
