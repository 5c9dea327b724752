#include "agent/faults/links.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace firedrill::agent {

using kernel::Link;

Result<std::optional<Link>> find_link(Network& network, kernel::IfIndex index) {
  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  const auto found = std::ranges::find(*links, index, &Link::index);
  if (found == links->end()) return std::nullopt;
  return *found;
}

Result<Link> find_link(Network& network, const std::string& name) {
  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  const auto found = std::ranges::find(*links, name, &Link::name);
  if (found != links->end()) return *found;
  return fail(ErrorCode::not_found, fmt::format("there is no interface '{}'", name));
}

}  // namespace firedrill::agent
