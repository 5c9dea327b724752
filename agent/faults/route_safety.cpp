#include "agent/faults/route_safety.hpp"

#include <algorithm>

namespace firedrill::agent {

Result<std::optional<kernel::Endpoint>> peer_served_by(Host& host,
                                                       const std::vector<kernel::Route>& routes) {
  for (const kernel::Endpoint& peer : host.protected_peers()) {
    const auto serving = host.routes().serving(kernel::unmapped(peer.address));
    if (!serving) return std::unexpected(serving.error());
    if (*serving && std::ranges::any_of(routes, [&serving](const kernel::Route& route) {
          return same_place(route, **serving);
        }))
      return peer;
  }
  return std::nullopt;
}

std::optional<kernel::Endpoint> peer_within(Host& host, const kernel::IpPrefix& prefix) {
  for (const kernel::Endpoint& peer : host.protected_peers())
    if (contains(prefix, kernel::unmapped(peer.address))) return peer;
  return std::nullopt;
}

}  // namespace firedrill::agent
