// Stand-ins for Prometheus and Alertmanager that hold two hundred alerts each. What they answer is
// computed from the true instants when they are asked, so their truth has no delay of its own.
#pragma once

#include <memory>
#include <vector>

#include "firedrill/json.hpp"
#include "tests/calibration/ledger.hpp"
#include "tests/unit/probes/http_server.hpp"

namespace firedrill::calibration {

/// Answers /api/v1/alerts, rules, query, targets as Prometheus does, /api/v2/alerts and status as
/// Alertmanager does, and /probe/N, which fails while the trial's truth says so.
class Monitors {
 public:
  Monitors(Ledger& ledger, Skewed clock);

  [[nodiscard]] std::string url() const { return server_.url(); }
  /// Lays out every trial, counted from the injection. Call it once, when that is known.
  void begin(UtcTime injected);

 private:
  struct PrometheusAlert {
    std::string name;
    UtcTime active{}, fires{};  ///< true instants, on the grid of evaluations
    Duration hold{};
  };
  struct Timed {
    std::string name;
    UtcTime from{}, until{}, listed{};
  };

  test::WebResponse answer(const test::WebRequest& request);
  [[nodiscard]] Json prometheus_alerts(UtcTime now) const;
  [[nodiscard]] Json prometheus_rules(UtcTime now) const;
  [[nodiscard]] Json query(const std::string& target, UtcTime now) const;
  [[nodiscard]] Json alertmanager_alerts(UtcTime now) const;
  [[nodiscard]] bool probe_fails(std::size_t probe, UtcTime now) const;
  [[nodiscard]] test::WebResponse text(const Json& json) const;

  Ledger& ledger_;
  const Skewed clock_;
  const UtcTime grid_;
  mutable std::mutex mutex_;
  std::vector<PrometheusAlert> prometheus_;
  std::vector<Timed> promql_, alertmanager_;
  std::vector<std::vector<Timed>> probes_;
  test::WebServer server_;  ///< last: it asks for all of the above
};

inline constexpr int kProbes = 10;  ///< that take turns in breaching, each in its own rhythm
inline constexpr Duration kEvaluation{500'000};

}  // namespace firedrill::calibration
