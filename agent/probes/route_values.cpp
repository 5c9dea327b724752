#include "agent/probes/route_values.hpp"

#include <algorithm>

namespace firedrill::agent {

Values route_values(const std::vector<kernel::Route>& routes) {
  Values values{{"present", routes.empty() ? 0.0 : 1.0}, {"nexthops", 0.0}};
  if (routes.empty()) return values;
  const auto best = std::ranges::min_element(routes, {}, &kernel::Route::metric);
  values["nexthops"] = static_cast<double>(best->hops.size());
  values["metric"] = best->metric;
  return values;
}

Values bird_values(const kernel::BirdProtocol& protocol) {
  Values values{{"up", protocol.state == "up" ? 1.0 : 0.0}};
  if (!protocol.has_routes && protocol.state == "up") return values;
  // A protocol that is down shows no channels: it has no routes.
  values["imported"] = static_cast<double>(protocol.imported);
  values["exported"] = static_cast<double>(protocol.exported);
  values["preferred"] = static_cast<double>(protocol.preferred);
  return values;
}

bool changed_state(const kernel::BirdProtocol& before, const kernel::BirdProtocol& now) {
  return before.state != now.state || before.since != now.since;
}

}  // namespace firedrill::agent
