// `firedrill-agent run`: the agent with its link to the controller.
#pragma once

#include "agent/config.hpp"

namespace firedrill::agent {

/// Runs until SIGTERM or SIGINT, then undoes everything. Logs to standard error. Returns the exit
/// code: 0, or 1 when something stayed dirty (the guardian goes on with it).
/// @errors invalid_input  the configuration names no controller; conflict  an agent runs already;
///         else as LocalAgent and Uplink
/// Must be called before the process has other threads: it blocks signals for all of them.
[[nodiscard]] Result<int> run_daemon(const AgentConfig& config);

}  // namespace firedrill::agent
