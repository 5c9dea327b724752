// The network and the disks of a host as text, through the agent's own kernel room: what the
// end-to-end and the crash tests compare. Reads only.
#pragma once

#include <string>

#include "agent/host.hpp"

namespace firedrill::test {

/// Links with their rings, qdiscs and filters.
[[nodiscard]] Result<std::string> network_text(agent::Host& host);
/// Device-mapper devices: all that dm-delay touches.
[[nodiscard]] Result<std::string> disk_text(agent::Host& host);

}  // namespace firedrill::test
