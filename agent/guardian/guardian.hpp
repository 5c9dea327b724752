// The guardian's work: watch the agent, and when it is dead, hung or overdue, undo everything from
// the journal alone. Takes file descriptors and a directory; never talks to the controller.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <sys/types.h>

#include "agent/executor/engine.hpp"

namespace firedrill::agent {

struct GuardianOptions {
  std::filesystem::path state_directory;
  pid_t agent = 0;
  int agent_pidfd = -1;  ///< the guardian closes neither of the two
  const Pulse* pulse = nullptr;
  std::string host_name;                       ///< as events name this host
  Duration silence = std::chrono::seconds{3};  ///< no beat for this long: hung
  Duration overdue = std::chrono::seconds{2};  ///< past a deadline by this much: hung
  /// A call into a fault may take this long before the agent counts as hung: a NIC that re-trains
  /// its link or a disk that drains under load takes seconds.
  Duration longest_operation = std::chrono::seconds{30};
};

enum class GuardianNote : std::uint8_t { information, warning, failure };

/// What the guardian needs from outside; everything opened beforehand, because after the agent's
/// death each file that must first be opened costs time or may not open at all.
struct GuardianParts {
  Host& host;
  FindFault find_fault;
  const Clock& clock;
  std::string boot_id;
  std::function<void(GuardianNote, std::string)> on_note;
};

/// Returns when the agent is gone and nothing is left open, or when another agent has taken over
/// the state directory (it undoes what is open before anything else).
/// Kills the agent (SIGKILL by pidfd) when it is hung. Retries for ever what cannot be undone.
void guard(const GuardianOptions& options, const GuardianParts& parts);

}  // namespace firedrill::agent
