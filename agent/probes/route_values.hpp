// From routes and from what BIRD tells to a sample's values. Pure.
#pragma once

#include <vector>

#include "agent/kernel/bird_reply.hpp"
#include "agent/kernel/route_message.hpp"
#include "agent/probes/paced_session.hpp"

namespace firedrill::agent {

/// present (0 or 1), nexthops of the route with the least metric, and that metric when there is
/// one. A route through a nexthop group counts the group's members, as the kernel shows them.
[[nodiscard]] Values route_values(const std::vector<kernel::Route>& routes);

/// up (0 or 1), and imported, exported and preferred routes when the protocol has channels.
[[nodiscard]] Values bird_values(const kernel::BirdProtocol& protocol);

/// Did the protocol change state between two readings? Even when it is back: then it is up since
/// another time.
[[nodiscard]] bool changed_state(const kernel::BirdProtocol& before,
                                 const kernel::BirdProtocol& now);

}  // namespace firedrill::agent
