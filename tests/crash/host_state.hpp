// Everything that a fault may leave behind on a host, as text that can be compared: links with
// rings, qdiscs and filters, addresses, routes, rules, nftables, device-mapper, cgroups, mounts,
// processes and what they map, BIRD's protocols. Reads only.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/host.hpp"

namespace firedrill::crash {

/// One line a fact, without what changes by itself (counters, ages, states that others work on).
/// @param agent  the agent's program: its processes are not part of the host, see left_running()
[[nodiscard]] Result<std::string> host_state(agent::Host& host, const std::filesystem::path& agent);

/// Lines that only one of them has, with "-" and "+" before them.
[[nodiscard]] std::vector<std::string> differences(std::string_view before, std::string_view now);

/// A process that runs a program.
struct Running {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string name;
};
/// Those that run the file `program`, by number; one that is in its last moments is left out.
[[nodiscard]] std::vector<Running> running(const std::filesystem::path& program);

}  // namespace firedrill::crash
