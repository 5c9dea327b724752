// The data of a monitoring.rules event: what the monitoring system was told to do, so that what it
// should have done can be computed from the log alone. Pure.
//
// Of Prometheus:   {"rules": [{"name", "group", "query", "for": "10s", "interval": "1s", "labels",
//                   "trouble"?, "last_evaluation_us"?, "range": "10s"?, "empty": [selector …]?}],
//                   "targets": [{"job", "instance"?, "interval": "2s", "last_scrape_us"?}]}
// Of Alertmanager: {"route": as in alertmanager_route.hpp}
// Instants are on the controller's clock, known to "monitor_error_us".
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "controller/detect/prometheus_alerts.hpp"

namespace firedrill {

/// Selectors of a rule that no series matched when last asked, by the rule's query.
using EmptySelectors = std::map<std::string, std::vector<std::string>>;

/// Rules named in `wanted` only, unless it is empty; at most 200 of them.
[[nodiscard]] Json rules_data(std::span<const AlertRule> rules,
                              std::span<const ScrapeTarget> targets, const EmptySelectors& empty,
                              const std::set<std::string>& wanted,
                              const std::optional<MonitorClock>& clock);

/// Do the two say the same, but for the instants of the last evaluation and scrape?
[[nodiscard]] bool same_rules(const Json& one, const Json& other);

}  // namespace firedrill
