// Carries out the fsync probe's operations: 4 KiB written and synced, one after the other on a
// thread of its own, because a slow disk blocks whoever waits for it.
#pragma once

#include <memory>
#include <string>

#include "agent/probes/open_loop.hpp"

namespace firedrill::agent {

/// Makes a file without a name in `directory`; nothing of it is left, whatever ends the agent.
/// @errors not_found  no such directory;  permission_denied, io_failed  it cannot be written to
[[nodiscard]] Result<std::unique_ptr<Transport>> make_fsync_transport(const std::string& directory);

}  // namespace firedrill::agent
