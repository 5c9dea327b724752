// Which of Alertmanager's routes takes an alert, and how long it waits. Pure.
#pragma once

#include <string>

#include "firedrill/json.hpp"
#include "firedrill/units.hpp"

namespace firedrill::measuring {

/// Alertmanager's defaults (config.go, DefaultRoute): 30 s and 5 min.
struct RouteTimes {
  std::string receiver;
  Duration group_wait{30'000'000}, group_interval{300'000'000};
};

/// Walks the tree as Alertmanager does (dispatch/route.go): the first child that matches takes it,
/// with what it inherits. `route` as in detect/alertmanager_route.hpp; odd parts match nothing.
[[nodiscard]] RouteTimes route_times(const Json& route, const Json& labels);

}  // namespace firedrill::measuring
