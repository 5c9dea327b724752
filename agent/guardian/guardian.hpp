// The guardian's work: watch the agent, and when it is dead, hung or overdue, undo everything from
// the journal alone. Takes file descriptors and a directory; never talks to the controller.
#pragma once

#include <sys/types.h>

#include "agent/guardian/recovery.hpp"

namespace firedrill::agent {

struct GuardianOptions {
  pid_t agent = 0;
  int agent_pidfd = -1;  ///< the guardian closes neither of the two
  const Pulse* pulse = nullptr;
  Duration silence = std::chrono::seconds{3};  ///< no beat for this long: hung
  Duration overdue = std::chrono::seconds{2};  ///< past a deadline by this much: hung
  /// A lease that is over by this much, and not acted upon, is lost on a hung agent. With the pause
  /// between two looks it keeps the promise of lease + 1 s.
  Duration lease_over = std::chrono::milliseconds{600};
  /// A call into a fault may take this long before the agent counts as hung: a NIC that re-trains
  /// its link or a disk that drains under load takes seconds.
  Duration longest_operation = std::chrono::seconds{30};
};

/// Returns when the agent is gone and nothing is left open, or when another agent has taken over
/// the state directory (it undoes what is open before anything else).
/// Kills the agent (SIGKILL by pidfd) when it is hung. Retries for ever what cannot be undone.
void guard(const GuardianOptions& options, const RecoveryParts& parts);

}  // namespace firedrill::agent
