// Which interfaces carry the connection to the controller. Reads only.
#pragma once

#include <vector>

#include "agent/host.hpp"

namespace firedrill::agent {

/// The peer whose packets leave through `device`, directly or through a VLAN, bond or the like on
/// top of it; none when no protected peer's do.
[[nodiscard]] Result<std::optional<kernel::Endpoint>> peer_behind(Host& host,
                                                                  kernel::IfIndex device);

}  // namespace firedrill::agent
