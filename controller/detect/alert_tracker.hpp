// Turns successive lists of active alerts into transitions with honest bounds. Pure: no clock.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/detect/prometheus_alerts.hpp"

namespace firedrill {

/// One answered poll. Both instants are on the controller's clock; the list was made between them.
struct AlertPoll {
  UtcTime started{}, answered{};
  std::vector<ActiveAlert> alerts;
  /// The rules as they stand now. Absent: unknown, or a source that has none.
  std::optional<std::vector<AlertRule>> rules{};
  std::optional<MonitorClock> clock{};  ///< of the monitoring server
};

/// detector.restarted, with the names of the alerts that are known to have been forgotten.
/// @param last_seen  the last answer from before, on the controller's clock
[[nodiscard]] Detection tell_restart(const AlertPoll& poll, UtcTime last_seen,
                                     const Json& forgotten);

/// Alerts are told apart by fingerprint. What is on at the first poll is reported with
/// `already: true` and no last_quiet_us: nobody knows since when. An alert that goes straight to
/// firing between two polls is reported once, as firing.
///
/// An alert that vanishes is resolved, except while its rule has not been evaluated since
/// Prometheus started: a restart forgets alerts and finds them again, which is no resolution. It is
/// told once, as detector.restarted with the names that were forgotten. An alert whose own start
/// moved forward between two polls was resolved and came back.
class AlertTracker {
 public:
  /// alert.pending, alert.firing, alert.resolved and detector.restarted that `poll` shows. A poll
  /// that started before the last one did is out of order and gives nothing.
  ///
  /// Bounds of a transition: it came after the start of the last poll that did not show it and
  /// before this answer. A firing instant known from the source itself (fired_us) is used when it
  /// agrees with these bounds, and then its uncertainty is that of the clock estimate.
  [[nodiscard]] std::vector<Detection> observe(const AlertPoll& poll);

  /// Does the list hold other alerts than are known? Then the rules matter for what follows.
  [[nodiscard]] bool differs(std::span<const ActiveAlert> alerts) const;

 private:
  struct Known {
    ActiveAlert alert;
    bool held = false;  ///< forgotten by a restarted Prometheus; ends when it fires again
  };
  void drop_vanished(const AlertPoll& poll, const std::map<std::string, ActiveAlert>& now,
                     std::vector<Detection>& out);
  void take(const AlertPoll& poll, const ActiveAlert& alert, std::vector<Detection>& out);

  std::map<std::string, Known> known_;
  std::optional<UtcTime> last_started_;
};

}  // namespace firedrill
