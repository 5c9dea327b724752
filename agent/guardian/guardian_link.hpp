// The agent's side of its guardian: starts it, sees that it lives, and beats while injections are
// open. One per agent. Thread-safe.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "agent/executor/pulse.hpp"
#include "firedrill/result.hpp"

namespace firedrill::agent {

/// What the started guardian is told on its command line.
struct GuardianCommand {
  std::filesystem::path program = "/proc/self/exe";
  std::filesystem::path state_directory;
  std::string host_name;
};

/// File descriptors at which a guardian finds what its agent handed it.
inline constexpr int kGuardianReadyFd = 3;  ///< a pipe: it writes one byte once it watches
inline constexpr int kGuardianPulseFd = 4;  ///< the memfd that holds the Pulse
inline constexpr int kGuardianAgentFd = 5;  ///< a pidfd of the agent: immune to pid reuse

class GuardianLink {
 public:
  /// Makes the pulse; starts no process yet.
  [[nodiscard]] static Result<std::unique_ptr<GuardianLink>> create(GuardianCommand command);
  ~GuardianLink();  ///< leaves the guardian to itself: it ends when nothing is open
  GuardianLink(const GuardianLink&) = delete;
  GuardianLink& operator=(const GuardianLink&) = delete;

  /// Starts a guardian unless one is alive, and waits (10 s at most) until it watches.
  /// @errors unavailable  it ended at once or did not report;  io_failed  no process to be had
  [[nodiscard]] Result<void> ensure_alive();

  [[nodiscard]] Pulse& pulse();

 private:
  class Impl;
  explicit GuardianLink(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firedrill::agent
