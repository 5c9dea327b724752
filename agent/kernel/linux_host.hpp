// The real host: netlink sockets to the kernel this process runs on, in its network namespace.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "agent/host.hpp"

namespace firedrill::agent::kernel {

struct LinuxHostOptions {
  /// Asked anew each time, so that it can follow the agent's live socket. Null: nothing.
  std::function<std::vector<Endpoint>()> protected_peers;
  OperationObserver on_operation;  ///< null: nobody listens
  /// Directories that no fault may make slow: the agent's journal.
  std::vector<std::filesystem::path> own_paths{};
  /// What the host's owner protects beside that.
  OwnerProtected owner{};
};

/// Opens the sockets. Needs no privilege; what changes something does (CAP_NET_ADMIN).
[[nodiscard]] Result<std::unique_ptr<Host>> open_linux_host(const LinuxHostOptions& options);

/// Loads the libraries that faults load when they need them. For the guardian, which may have to
/// undo while the disk that holds them is suspended. What is not installed was never used by a
/// fault.
void load_libraries_of_faults();

}  // namespace firedrill::agent::kernel
