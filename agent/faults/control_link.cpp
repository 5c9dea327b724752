#include "agent/faults/control_link.hpp"

#include <algorithm>

namespace firedrill::agent {
namespace {

using kernel::IfIndex;
using kernel::Link;

constexpr int kDeepestStack = 8;  // a VLAN on a bond on ports is three

/// Does `upper` stand on `device`, through lower interfaces and ports?
bool stands_on(const std::vector<Link>& links, IfIndex upper, IfIndex device, int depth) {
  if (upper == device) return true;
  if (depth == kDeepestStack) return false;
  const auto link = std::ranges::find(links, upper, &Link::index);
  if (link != links.end() && link->lower && stands_on(links, *link->lower, device, depth + 1))
    return true;
  return std::ranges::any_of(links, [&](const Link& port) {
    return port.master == upper && stands_on(links, port.index, device, depth + 1);
  });
}

}  // namespace

Result<std::optional<kernel::Endpoint>> peer_behind(Host& host, IfIndex device) {
  const std::vector<kernel::Endpoint> peers = host.protected_peers();
  if (peers.empty()) return std::nullopt;
  const auto links = host.network().links();
  if (!links) return std::unexpected(links.error());
  for (const kernel::Endpoint& peer : peers) {
    const auto towards = host.network().interface_towards(peer.address);
    if (!towards) return std::unexpected(towards.error());
    if (*towards && stands_on(*links, **towards, device, 0)) return peer;
  }
  return std::nullopt;
}

}  // namespace firedrill::agent
