// One look at a monitoring system: what is on, by its own words. Private to the detectors.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "controller/detect/alert_tracker.hpp"
#include "controller/detect/clock_bounds.hpp"
#include "controller/detect/http_client.hpp"
#include "controller/detect/poller.hpp"

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
  void cancel() noexcept { client_->cancel(); }
  [[nodiscard]] std::optional<MonitorClock> clock() const { return clock_.estimate(); }

 private:
  AlertSource(PollerConfig config, std::unique_ptr<HttpClient> client)
      : config_(std::move(config)), client_(std::move(client)) {}
  [[nodiscard]] Result<HttpAnswer> fetch(std::string_view path);
  [[nodiscard]] Result<void> refresh_rules();

  PollerConfig config_;
  std::unique_ptr<HttpClient> client_;
  ClockBounds clock_;
  std::optional<std::vector<AlertRule>> rules_;
  UtcTime rules_at_{};
};

}  // namespace firedrill
