// Where this host's SSH server can be reached. Reads /proc; changes nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace firedrill::agent::kernel {

/// Port 22, and the local TCP ports of every SSH server that runs (sshd, dropbear): those it
/// listens on and, where it was started by a socket unit, that of the session it serves. Ports that
/// a session forwards are not among them. What cannot be read is left out. Sorted.
/// @param proc  "/proc"; a test gives a tree of its own
[[nodiscard]] std::vector<std::uint16_t> ssh_server_ports(const std::filesystem::path& proc);

}  // namespace firedrill::agent::kernel
