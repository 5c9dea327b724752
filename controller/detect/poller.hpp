// Polls one Prometheus (its alerts, or an expression) or Alertmanager over HTTP and reports what
// changed. One thread of its own. Never writes to the monitoring system; keeps nothing but what is
// on now.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/detect/detection.hpp"

namespace firedrill {

enum class DetectorKind : std::uint8_t { prometheus, alertmanager, promql };

struct PollerConfig {
  std::string name;  ///< of the detector, for detector.up and detector.lost
  DetectorKind kind = DetectorKind::prometheus;
  std::string url;                ///< base URL, e.g. "http://mon-1:9090"; a path prefix is kept
  Duration interval{500'000};     ///< 50 ms .. 1 min between starts of polls
  Duration timeout{2'000'000};    ///< 10 ms .. 1 min for each request
  std::string authorization;      ///< the whole header value, e.g. "Bearer …", or empty
  std::string ca_file;            ///< PEM that certifies the server, or empty for the system's
  std::string query{};            ///< promql: on while it gives a series, or a scalar that is not 0
  std::string alert{};            ///< promql: the alertname of what it gives
  std::string severity{};         ///< promql: its label, or empty
  std::set<std::string> rules{};  ///< alertnames whose rules are reported; empty: all
};

/// An alert that is on, for preflight.
struct AlertNow {
  std::string alertname, state, fingerprint;  ///< state: "pending", "firing"
  Labels labels;
};

struct DetectorCheck {
  std::vector<AlertNow> alerts;
  std::vector<std::string> alert_names;  ///< names of the rules Prometheus knows; empty otherwise
  std::optional<MonitorClock> clock;
};

/// Asks once and blocks for at most two time-outs.
/// @errors invalid_input the configuration is wrong; unavailable or timed_out nobody answers;
///         permission_denied 401 or 403; otherwise the answer is not what that kind of server gives
[[nodiscard]] Result<DetectorCheck> probe_once(const PollerConfig& config);

class Poller {
 public:
  /// Called from the poller's own thread; must not destroy the poller.
  using OnDetection = std::function<void(const Detection&)>;

  /// Starts polling. Reports alert.pending, alert.firing, alert.resolved (each with detector,
  /// monitor_offset_us and monitor_error_us when known), detector.up at the first answer and after
  /// a loss, detector.lost after three failed polls in a row, with the reason, and
  /// detector.restarted: by what it forgot, or by its start, which is asked after a failed poll.
  /// monitoring.rules comes with the first answer and when they change;
  /// clock.estimate when the server's clock becomes known twice as well as was told, or moves.
  ///
  /// The instants of polls are spread by up to a tenth of the interval, which is what lets the
  /// clock estimate become finer than the Date header's second.
  /// @errors invalid_input a value out of range, or an URL that is not http or https
  [[nodiscard]] static Result<std::unique_ptr<Poller>> start(PollerConfig config,
                                                             OnDetection on_detection);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;
  ~Poller();  ///< stops; afterwards nothing is reported

  /// The server's clock against ours, for webhooks of the same server.
  [[nodiscard]] std::optional<MonitorClock> clock() const;

 private:
  struct State;
  explicit Poller(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace firedrill
