// One look at a monitoring system: what is on, by its own words. Private to the detectors.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "controller/detect/alert_tracker.hpp"
#include "controller/detect/clock_bounds.hpp"
#include "controller/detect/http_client.hpp"
#include "controller/detect/poller.hpp"
#include "controller/detect/rules_event.hpp"

namespace firedrill {

/// Refuses intervals and time-outs out of range and URLs that are not http or https.
[[nodiscard]] Result<void> check_config(const PollerConfig& config);

/// Fetches and parses; keeps the newest rules and the clock's bounds. One thread at a time, except
/// cancel().
class AlertSource {
 public:
  [[nodiscard]] static Result<std::unique_ptr<AlertSource>> create(PollerConfig config);

  /// What is on now. Prometheus' rules are fetched again when `tracker` knows other alerts than
  /// these, and every 30 s; if that fails the whole look fails, so that no transition is judged by
  /// old rules.
  [[nodiscard]] Result<AlertPoll> look(const AlertTracker& tracker);
  /// The data of monitoring.rules, when it changed since it was last given. Call it after each
  /// look(): it asks the server at most one question a call (targets, routes, whether a rule has
  /// series), so that looks stay as far apart as they should, and a round of them every 30 s. A
  /// server that does not tell costs the prediction, never the detection.
  [[nodiscard]] std::optional<Json> changed_rules(UtcTime now);
  /// Asks when the server was started, on its clock; nothing where it does not say.
  [[nodiscard]] std::optional<UtcTime> started();
  void cancel() noexcept { client_->cancel(); }
  [[nodiscard]] std::optional<MonitorClock> clock() const { return clock_.estimate(); }

 private:
  AlertSource(PollerConfig config, std::unique_ptr<HttpClient> client)
      : config_(std::move(config)), client_(std::move(client)) {}
  [[nodiscard]] Result<HttpAnswer> fetch(std::string_view path);
  [[nodiscard]] Result<QueryAnswer> query(std::string_view expression);
  [[nodiscard]] Result<void> refresh_rules();
  [[nodiscard]] Result<void> look_at_prometheus(const AlertTracker& tracker, AlertPoll& poll);
  [[nodiscard]] Result<void> look_at_alertmanager(AlertPoll& poll);
  [[nodiscard]] Result<void> look_by_query(AlertPoll& poll);
  void compare_clocks(UtcTime now);
  void begin_round();
  [[nodiscard]] bool ask_next();

  /// What was learned of the rules' surroundings so far, and what is still to be asked.
  struct Round {
    std::optional<std::vector<ScrapeTarget>> targets;
    std::vector<std::pair<std::string, std::string>> questions;  ///< rule's query, selector
    EmptySelectors empty;
    Json route;
  };

  PollerConfig config_;
  std::unique_ptr<HttpClient> client_;
  ClockBounds clock_;
  std::optional<Round> round_;
  std::optional<std::vector<AlertRule>> rules_;
  UtcTime rules_at_{}, clock_at_{}, told_at_{};
  int clock_refusals_ = 0;
  bool api_clock_ = false;  ///< the server says its own time, not only the seconds of a header
  Json told_;               ///< the last monitoring.rules
};

}  // namespace firedrill
