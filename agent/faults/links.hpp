// Finding interfaces. Reads only.
#pragma once

#include <optional>
#include <string>

#include "agent/host.hpp"

namespace firedrill::agent {

/// The interface of that index; none when it is gone.
[[nodiscard]] Result<std::optional<kernel::Link>> find_link(Network& network,
                                                            kernel::IfIndex index);
/// @errors not_found
[[nodiscard]] Result<kernel::Link> find_link(Network& network, const std::string& name);

}  // namespace firedrill::agent
