// Alerts as spans with bounds: pending, firing, notified, resolved, one for each time it was on.
#include <algorithm>
#include <cctype>
#include <map>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

constexpr std::string_view kDetectorPrefix = "detector:";

/// A clock that nobody compared is taken to be within this of the truth.
constexpr Duration kUncomparedClock{60'000'000};

std::string detector_of(const Event& event) {
  const std::string_view source = event.source;
  return std::string(source.starts_with(kDetectorPrefix) ? source.substr(kDetectorPrefix.size())
                                                         : source);
}

/// Between the last look that did not show it and the first that did: both are our own instants,
/// so no clock error comes on top. On at the first look: since the run began, for all we know.
Instant seen_between(const Event& event, UtcTime run_started) {
  const UtcTime seen = time_of(event.data, "first_seen_us").value_or(event.at);
  for (const char* key : {"last_quiet_us", "listed_after_us"})
    if (const auto quiet = time_of(event.data, key))
      return between(std::min(*quiet, seen), seen, Duration{0});
  if (flag_of(event.data, "already").value_or(false))
    return {.at = seen, .early = std::max(seen - run_started, Duration{0}), .late = Duration{0}};
  return between(seen, seen, event.uncertainty);
}

Duration source_error(const Event& event) {
  const auto known = number_of(event.data, "monitor_error_us");
  return known ? Duration{static_cast<std::int64_t>(*known)} : event.uncertainty;
}

/// The source's own instant, cut by what our looks leave open. Nothing when the two contradict
/// each other: the source then missed what it should have done at that instant.
std::optional<Instant> by_source(const Event& event, std::string_view key) {
  const auto said = time_of(event.data, key);
  if (!said) return std::nullopt;
  const Duration error = source_error(event);
  UtcTime low = *said - error, high = *said + error;
  if (const auto quiet = time_of(event.data, "last_quiet_us")) low = std::max(low, *quiet);
  if (const auto seen = time_of(event.data, "first_seen_us")) high = std::min(high, *seen);
  if (low > high) return std::nullopt;
  const UtcTime at = std::clamp(*said, low, high);
  return Instant{.at = at, .early = at - low, .late = high - at};
}

class Spans {
 public:
  Spans(std::vector<AlertSpan>& spans, UtcTime run_started)
      : spans_(spans), run_started_(run_started) {}

  void read(const Event& event) {
    if (event.kind == event_kind::alert_pending) pending(event);
    if (event.kind == event_kind::alert_firing) firing(event);
    if (event.kind == event_kind::alert_resolved) resolved(event);
    if (event.kind == event_kind::alert_notified) notified(event);
  }

 private:
  static std::string key_of(const Event& event) {
    std::string print = text_of(event.data, "fingerprint");
    if (print.empty()) print = text_of(event.data, "labels");
    return detector_of(event) + '\n' + print;
  }

  AlertSpan* find(const std::map<std::string, std::size_t>& among, const Event& event) {
    const auto found = among.find(key_of(event));
    return found == among.end() ? nullptr : &spans_[found->second];
  }

  AlertSpan& opened(const Event& event) {
    if (AlertSpan* span = find(open_, event)) return *span;
    AlertSpan span;
    span.detector = detector_of(event);
    span.fingerprint = text_of(event.data, "fingerprint");
    span.alertname = text_of(event.data, "alertname");
    if (const Json* labels = object_of(event.data, "labels")) span.labels = *labels;
    span.already = flag_of(event.data, "already").value_or(false);
    span.muted_by = texts_of(event.data, "muted_by");
    span.seq = event.seq;
    open_[key_of(event)] = spans_.size();
    return spans_.emplace_back(std::move(span));
  }

  void close(AlertSpan& span, const Event& event, UtcTime at, Duration uncertainty) {
    span.resolved = between(at, at, uncertainty);
    closed_[key_of(event)] = open_[key_of(event)];
    open_.erase(key_of(event));
  }

  void pending(const Event& event) {
    AlertSpan& span = opened(event);
    if (span.pending || span.fired) return;
    const auto active = by_source(event, "active_us");
    span.pending = active ? *active : seen_between(event, run_started_);
  }

  void firing(const Event& event) {
    AlertSpan& span = opened(event);
    if (span.fired) return;
    const auto fired = by_source(event, "fired_us");
    span.fired = fired ? *fired : seen_between(event, run_started_);
    span.basis = fired ? Basis::source : Basis::looks;
    span.seq = event.seq;
    // After a restart it became active anew: the pending that led to this firing is the last one.
    const auto active = time_of(event.data, "active_us");
    const bool newer = active && (!span.pending || *active > span.pending->latest());
    if (newer && *active < span.fired->at)
      span.pending = between(*active, *active, source_error(event));
  }

  void resolved(const Event& event) {
    AlertSpan* span = find(open_, event);
    if (span != nullptr)
      close(*span, event, time_of(event.data, "ends_us").value_or(event.at), event.uncertainty);
  }

  /// A notification proves that it fired no later than this, also where no poller watches.
  void notified(const Event& event) {
    const auto starts = time_of(event.data, "starts_us");
    const bool over = text_of(event.data, "status") == "resolved";
    // Notifications come twice, and in any order: one of an episode that is over opens no other.
    AlertSpan* closed = find(closed_, event);
    const bool of_closed = find(open_, event) == nullptr && closed != nullptr && starts &&
                           closed->starts_us == to_micros(*starts);
    if (over && (of_closed || (find(open_, event) == nullptr && !starts))) return;
    AlertSpan& span = of_closed ? *closed : opened(event);
    const UtcTime received = time_of(event.data, "received_us").value_or(event.at);
    if (starts && !span.starts_us) span.starts_us = to_micros(*starts);
    if (span.group_key.empty()) span.group_key = text_of(event.data, "group_key");
    if (!over && !span.notified) {
      span.notified = between(received, received, event.uncertainty);
      if (!span.fired) span.seq = event.seq;
    }
    if (!span.fired) fired_by_notice(event, starts, received, span);
    if (!over) return;
    const bool known = text_of(event.data, "starts_clock").empty();
    const auto ends = known ? time_of(event.data, "ends_us") : std::nullopt;
    close(span, event, ends.value_or(received), known ? source_error(event) : Duration{0});
  }

  /// The start that a notification names counts when its clock was compared with ours; of another
  /// clock it only tells an alert that began long ago from one that began now.
  void fired_by_notice(const Event& event, std::optional<UtcTime> starts, UtcTime received,
                       AlertSpan& span) const {
    const bool compared = starts && text_of(event.data, "starts_clock").empty();
    const Duration error = compared ? source_error(event) : kUncomparedClock;
    UtcTime low = run_started_, high = received;
    if (starts) {
      low = *starts - error;
      high = std::min(high, *starts + error);
    }
    if (!compared) low = std::max(low, std::min(run_started_, high));
    if (low > high) low = high = received;
    span.basis = compared ? Basis::source : Basis::notice;
    const UtcTime at = compared ? std::clamp(*starts, low, high) : high;
    span.fired = Instant{.at = at, .early = at - low, .late = high - at};
    if (!compared && high < run_started_) span.already = true;
  }

  std::vector<AlertSpan>& spans_;
  UtcTime run_started_;
  std::map<std::string, std::size_t> open_, closed_;
};

void keep_earliest(const std::optional<Instant>& candidate, std::optional<Instant>& point) {
  if (candidate && (!point || candidate->at < point->at)) point = candidate;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

/// Would somebody have been woken? By its label, or because a pager that was told so does it.
void judge_severity(const Experiment& experiment, AlertSpan& span) {
  span.severity = text_of(span.labels, experiment.paging.label);
  const auto detector = std::ranges::find(experiment.detectors, span.detector, &Detector::name);
  const bool pages = detector != experiment.detectors.end() &&
                     detector->kind == Detector::Kind::pager &&
                     same_word(text_of(span.labels, "urgency"), "high");
  const bool severe = std::ranges::any_of(experiment.paging.wakes, [&](const std::string& word) {
    return same_word(word, span.severity);
  });
  span.wakes = span.muted_by.empty() && (pages || severe);
}

/// An acknowledgement names its alert by fingerprint or by name, or means whatever is on.
void acknowledge(const Event& event, std::vector<AlertSpan>& spans) {
  const std::string print = text_of(event.data, "fingerprint");
  const std::string name = text_of(event.data, "alertname");
  const Instant at{event.at, event.uncertainty, event.uncertainty};
  for (AlertSpan& span : spans) {
    // A pager's title holds the alert's name somewhere.
    const bool meant = !print.empty() && event.source.starts_with(kDetectorPrefix)
                           ? (print == span.fingerprint && detector_of(event) == span.detector) ||
                                 (!span.alertname.empty() && name.contains(span.alertname))
                           : name.empty() || name == span.alertname;
    const bool on = span.fired && span.fired->earliest() <= at.latest() &&
                    (!span.resolved || span.resolved->latest() >= at.earliest());
    if (meant && on && !span.acknowledged) span.acknowledged = at;
  }
}

}  // namespace

bool answers(const ExpectedDetection& expected, const AlertSpan& alert) {
  return (expected.source.empty() || expected.source == alert.detector) &&
         expected.match.matches(alert.labels);
}

void alerts(const Log& log, const Experiment& experiment, Measures& measures) {
  Spans spans(measures.alerts, measures.started);
  for (const Event* event : log) spans.read(*event);
  for (const Event* event : log)
    if (event->kind == event_kind::acknowledged) acknowledge(*event, measures.alerts);
  const auto& injected = measures.points.injected;
  measures.forbidden_asked = !experiment.forbidden.empty();
  for (AlertSpan& span : measures.alerts) {
    judge_severity(experiment, span);
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
