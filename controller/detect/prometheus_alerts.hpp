// Reads the answers of Prometheus' GET /api/v1/alerts and /api/v1/rules. Pure; safe on any bytes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/detect/detection.hpp"

namespace firedrill {

/// An alert that is on, whichever source reported it. Times are on the monitoring server's clock.
struct ActiveAlert {
  enum class State : std::uint8_t { pending, firing } state = State::firing;
  std::string alertname{};
  Labels labels{}, annotations{};
  std::string fingerprint{};
  std::string value{};                 ///< as the source wrote it, e.g. "1e+00"
  std::optional<UtcTime> active_at{};  ///< Prometheus: the evaluation that first found it true
  std::optional<UtcTime>
      fired_at{};  ///< Alertmanager: startsAt, which is Prometheus' firing instant
  std::vector<std::string> muted_by{};  ///< silences and inhibiting alerts, when the source tells
};

struct AlertRule {
  std::string group{}, file{}, name{};
  Labels labels{};      ///< the rule's own, which every alert of it carries (unless templated)
  Duration hold{};      ///< `for`
  Duration interval{};  ///< of the group's evaluation
  std::optional<UtcTime> last_evaluation{};  ///< absent: not evaluated since Prometheus started
  std::string query{};                       ///< the expression, as Prometheus prints it
  std::string trouble{};                     ///< why its last evaluation failed, or empty
};

/// One thing that Prometheus scrapes.
struct ScrapeTarget {
  std::string job{}, instance{};
  Duration interval{};
  std::optional<UtcTime> last_scrape{};  ///< absent: never yet
};

/// An answer's `data`, after looking at Prometheus' own status.
[[nodiscard]] Result<Json> prometheus_data(std::string_view body, std::string_view name);

/// @errors invalid_input with a JSON pointer, or Prometheus' own error text
[[nodiscard]] Result<std::vector<ActiveAlert>> parse_prometheus_alerts(std::string_view body);
/// Alerting rules only; recording rules are skipped.
[[nodiscard]] Result<std::vector<AlertRule>> parse_prometheus_rules(std::string_view body);
/// GET /api/v1/targets?state=active.
[[nodiscard]] Result<std::vector<ScrapeTarget>> parse_prometheus_targets(std::string_view body);

/// GET /api/v1/query: a vector's series that an alert rule would fire for, or a scalar.
struct QueryAnswer {
  std::vector<Labels> series;       ///< of a vector; one without labels for a scalar that is not 0
  std::vector<double> values;       ///< of a vector's series, in their order
  std::optional<double> first;      ///< the first value
  std::optional<UtcTime> asked_at;  ///< the server's own instant of evaluation, in milliseconds
};
[[nodiscard]] Result<QueryAnswer> parse_prometheus_query(std::string_view body);

/// The rule an alert comes from: same name, and all of the rule's untemplated labels. Null when
/// there is none, or when several with different `for` or interval could be it.
[[nodiscard]] const AlertRule* rule_of(std::span<const AlertRule> rules, const ActiveAlert& alert);

/// When an alert that became active at `active_at` fires: evaluations stand at active_at + n ×
/// interval, and the first one at or after active_at + hold fires (Prometheus, rules/alerting.go).
/// A later instant is possible only when Prometheus missed an evaluation.
[[nodiscard]] UtcTime first_firing_evaluation(UtcTime active_at, const AlertRule& rule);

}  // namespace firedrill
