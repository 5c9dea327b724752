#include "controller/detect/alert_tracker.hpp"

#include <algorithm>

namespace firedrill {
namespace {

using State = ActiveAlert::State;

/// Where the true instant of a transition lies. `low` is absent when nobody watched before.
struct Bounds {
  std::optional<UtcTime> low;
  UtcTime high;
};

void place(Detection& detection, UtcTime low, UtcTime high) {
  detection.at = low + (high - low) / 2;
  // Rounded up, so that both ends stay inside at ± uncertainty.
  detection.uncertainty = (high - low + Duration{1}) / 2;
}

/// Narrows the polls' bounds by the source's own instant, if the two agree. They disagree when an
/// evaluation was missed or late; then only what was observed counts.
void place(Detection& detection, const Bounds& bounds, std::optional<UtcTime> source,
           std::optional<MonitorClock> clock) {
  if (source && clock) {
    const UtcTime low = std::max(bounds.low.value_or(UtcTime::min()), *source - clock->error);
    const UtcTime high = std::min(bounds.high, *source + clock->error);
    if (low <= high) return place(detection, low, high);
  }
  place(detection, bounds.low.value_or(bounds.high), bounds.high);
}

Detection begin(std::string_view kind, const AlertPoll& poll, const ActiveAlert& alert,
                const Bounds& bounds) {
  Detection detection;
  detection.kind = kind;
  detection.data = {{"alertname", alert.alertname},
                    {"labels", alert.labels},
                    {"annotations", alert.annotations},
                    {"fingerprint", alert.fingerprint},
                    {"first_seen_us", to_micros(bounds.high)}};
  Json& data = detection.data;
  if (bounds.low) data["last_quiet_us"] = to_micros(*bounds.low);
  else data["already"] = true;
  if (!alert.value.empty()) data["value"] = alert.value;
  if (!alert.muted_by.empty()) data["muted_by"] = alert.muted_by;
  if (poll.clock) {
    data["monitor_offset_us"] = poll.clock->offset.count();
    data["monitor_error_us"] = poll.clock->error.count();
    if (alert.active_at) data["active_us"] = to_micros(*alert.active_at - poll.clock->offset);
  }
  return detection;
}

/// The instant the source itself gives for firing, on the source's clock.
std::optional<UtcTime> source_firing(const AlertPoll& poll, const ActiveAlert& alert) {
  if (alert.fired_at) return alert.fired_at;
  if (!alert.active_at || !poll.rules) return std::nullopt;
  const AlertRule* rule = rule_of(*poll.rules, alert);
  if (rule == nullptr) return std::nullopt;
  return first_firing_evaluation(*alert.active_at, *rule);
}

std::optional<UtcTime> on_our_clock(const AlertPoll& poll, std::optional<UtcTime> source) {
  if (!source || !poll.clock) return std::nullopt;
  return *source - poll.clock->offset;
}

Detection pending(const AlertPoll& poll, const ActiveAlert& alert, const Bounds& bounds) {
  Detection detection = begin(event_kind::alert_pending, poll, alert, bounds);
  place(detection, bounds, on_our_clock(poll, alert.active_at), poll.clock);
  return detection;
}

Detection firing(const AlertPoll& poll, const ActiveAlert& alert, Bounds bounds) {
  Detection detection = begin(event_kind::alert_firing, poll, alert, bounds);
  const auto fired = on_our_clock(poll, source_firing(poll, alert));
  // Alertmanager lists what Prometheus fired some time before: that it was not listed yet says
  // nothing about the instant that it gives.
  if (fired && alert.fired_at && bounds.low) {
    detection.data["listed_after_us"] = to_micros(*bounds.low);
    detection.data.erase("last_quiet_us");
    bounds.low = std::min(*bounds.low, *fired - poll.clock->error);
  }
  if (fired) detection.data["fired_us"] = to_micros(*fired);
  place(detection, bounds, fired, poll.clock);
  return detection;
}

Detection resolved(const AlertPoll& poll, const ActiveAlert& alert, UtcTime last_seen) {
  Detection detection{.kind = std::string(event_kind::alert_resolved)};
  detection.data = {{"alertname", alert.alertname},
                    {"labels", alert.labels},
                    {"fingerprint", alert.fingerprint},
                    {"was", alert.state == State::firing ? "firing" : "pending"},
                    {"last_seen_us", to_micros(last_seen)},
                    {"first_gone_us", to_micros(poll.answered)}};
  place(detection, last_seen, poll.answered);
  return detection;
}

/// A restarted Prometheus lists no alerts until it has evaluated their rules once.
bool forgotten(const AlertPoll& poll, const ActiveAlert& alert) {
  if (!poll.rules) return false;
  if (poll.rules->empty()) return true;
  const AlertRule* rule = rule_of(*poll.rules, alert);
  return rule != nullptr && !rule->last_evaluation;
}

/// Was it off and on again between the polls? Its start only moves forward when it begins anew;
/// Alertmanager moves it back when a second Prometheus saw the same thing earlier.
bool began_anew(const ActiveAlert& before, const ActiveAlert& now) {
  const auto moved = [](std::optional<UtcTime> old, std::optional<UtcTime> young) {
    return old && young && *young > *old;
  };
  return moved(before.active_at, now.active_at) || moved(before.fired_at, now.fired_at) ||
         (before.state == State::firing && now.state == State::pending);
}

/// Each fingerprint once; of two entries the firing one counts.
std::map<std::string, ActiveAlert> by_fingerprint(std::span<const ActiveAlert> alerts) {
  std::map<std::string, ActiveAlert> unique;
  for (const ActiveAlert& alert : alerts) {
    const auto [entry, inserted] = unique.try_emplace(alert.fingerprint, alert);
    if (!inserted && alert.state == State::firing) entry->second = alert;
  }
  return unique;
}

}  // namespace

Detection tell_restart(const AlertPoll& poll, UtcTime last_seen, const Json& forgotten) {
  Detection detection{.kind = std::string(event_kind::detector_restarted)};
  detection.data = {{"forgotten", forgotten}};
  place(detection, last_seen, poll.answered);
  return detection;
}

bool AlertTracker::differs(std::span<const ActiveAlert> alerts) const {
  const auto now = by_fingerprint(alerts);
  return !std::ranges::equal(now, known_, [](const auto& one, const auto& other) {
    return one.first == other.first && one.second.state == other.second.alert.state &&
           one.second.active_at == other.second.alert.active_at && !other.second.held;
  });
}

void AlertTracker::drop_vanished(const AlertPoll& poll,
                                 const std::map<std::string, ActiveAlert>& now,
                                 std::vector<Detection>& out) {
  Json newly_forgotten = Json::array();
  for (auto entry = known_.begin(); entry != known_.end();) {
    Known& known = entry->second;
    if (now.contains(entry->first)) {
      ++entry;
    } else if (forgotten(poll, known.alert)) {
      if (!known.held) newly_forgotten.push_back(known.alert.alertname);
      known.held = true;
      ++entry;
    } else {
      out.push_back(resolved(poll, known.alert, *last_started_));
      entry = known_.erase(entry);
    }
  }
  if (!newly_forgotten.empty()) out.push_back(tell_restart(poll, *last_started_, newly_forgotten));
}

void AlertTracker::take(const AlertPoll& poll, const ActiveAlert& alert,
                        std::vector<Detection>& out) {
  const Bounds bounds{last_started_, poll.answered};
  const auto entry = known_.find(alert.fingerprint);
  const bool known = entry != known_.end();
  if (known && entry->second.held) {
    // It comes back from the restart; while it is merely pending again, it counts as it was.
    if (alert.state == State::pending) return;
    const bool fired_before = entry->second.alert.state == State::firing;
    entry->second = {alert, false};
    if (!fired_before) out.push_back(firing(poll, alert, bounds));
    return;
  }
  const bool anew = known && began_anew(entry->second.alert, alert);
  if (anew) out.push_back(resolved(poll, entry->second.alert, *last_started_));
  const bool was_firing = known && !anew && entry->second.alert.state == State::firing;
  if (alert.state == State::pending && (!known || anew))
    out.push_back(pending(poll, alert, bounds));
  if (alert.state == State::firing && !was_firing) out.push_back(firing(poll, alert, bounds));
  known_.insert_or_assign(alert.fingerprint, Known{alert, false});
}

std::vector<Detection> AlertTracker::observe(const AlertPoll& poll) {
  std::vector<Detection> out;
  if (last_started_ && poll.started < *last_started_) return out;
  const auto now = by_fingerprint(poll.alerts);
  drop_vanished(poll, now, out);
  for (const auto& [fingerprint, alert] : now) take(poll, alert, out);
  last_started_ = poll.started;
  return out;
}

}  // namespace firedrill
