// The agent's side of its guardian: starts it, sees that it lives, and beats while injections are
// open. One per agent. Thread-safe.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "agent/executor/pulse.hpp"
#include "firedrill/result.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent {

/// What the started guardian is told on its command line.
struct GuardianCommand {
  std::filesystem::path program = "/proc/self/exe";
  std::filesystem::path state_directory;
  std::string host_name;
};

/// How an agent hears of its guardian. Called on the link's own thread; must not block, and must
/// not call the link.
struct GuardianHooks {
  /// It died while injections were open, was started again, or could not be; in words.
  std::function<void(std::string)> on_note;
  /// None could be started for `patience` while injections are open. Once, until one lives again.
  std::function<void(const Error&)> on_unguarded;
  Duration patience = std::chrono::seconds{5};
};

/// The cgroup, and under systemd the first part of the scope, that a guardian makes for itself.
inline constexpr const char* kGuardianCgroup = "firedrill-guardian";

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

  /// Starts a guardian unless one is alive (one that dies while injections are open is replaced at
  /// once, without being asked), and waits (10 s at most) until it watches.
  /// @errors unavailable  it ended at once or did not report;  io_failed  no process to be had
  [[nodiscard]] Result<void> ensure_alive();
  /// From now on; empty hooks end all calls: none is running when this returns.
  void set_hooks(GuardianHooks hooks);

  [[nodiscard]] Pulse& pulse();

 private:
  class Impl;
  explicit GuardianLink(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firedrill::agent
