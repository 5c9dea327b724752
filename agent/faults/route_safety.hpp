// What the route faults must not take away: the connection to the controller. Reads only.
#pragma once

#include <optional>

#include "agent/host_routes.hpp"

namespace firedrill::agent {

/// The protected peer whose packets go by one of `routes`; none when none does.
[[nodiscard]] Result<std::optional<kernel::Endpoint>> peer_served_by(
    Host& host, const std::vector<kernel::Route>& routes);

/// The first protected peer that lies in `prefix`.
[[nodiscard]] std::optional<kernel::Endpoint> peer_within(Host& host,
                                                          const kernel::IpPrefix& prefix);

}  // namespace firedrill::agent
