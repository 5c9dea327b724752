// The place where agents are started and killed: the agent's program, a state directory that is new
// each time, the host and its snapshot. Knows how to wait for a recovery and how to judge it.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agent/host.hpp"
#include "tests/crash/cases.hpp"
#include "tests/crash/host_state.hpp"
#include "tests/crash/traced.hpp"

namespace firedrill::crash {

using std::chrono::milliseconds;

/// Who is killed, and so who recovers.
enum class Pass : std::uint8_t {
  agent_killed = 1,  ///< the guardian undoes
  both_killed = 2,   ///< the next agent undoes
};

/// How a recovery went.
struct Recovery {
  std::vector<std::string> differences;  ///< empty: the host equals its snapshot
  milliseconds took{};                   ///< from the kill to the last process of ours gone
};

class Stage {
 public:
  /// @param agent  firedrill-agent, whole path;  `directory` is made, and emptied at each fresh()
  [[nodiscard]] static Result<std::unique_ptr<Stage>> set_up(std::filesystem::path agent,
                                                             std::filesystem::path directory);

  /// A state directory as after an agent that did nothing, so that all trials write alike.
  [[nodiscard]] Result<void> fresh();
  /// What the host looks like from now on when nothing is injected.
  [[nodiscard]] Result<void> take_snapshot();
  [[nodiscard]] Program inject(const Case& what) const;
  /// Undoes what the journal has open, as the next start of an agent does.
  [[nodiscard]] Program undo_all() const;

  /// Kills the children of `agent`: its guardian, or what is about to become it. The short-lived
  /// helpers that inject into a process are none: they are detached before they do anything, so
  /// that no crash of the agent's can take them along.
  void kill_guardians(pid_t agent) const;
  /// Waits for what recovers, or starts it, then compares.
  [[nodiscard]] Result<Recovery> recover(Pass pass, std::chrono::steady_clock::time_point killed);
  /// How the host differs from its snapshot at this moment.
  [[nodiscard]] std::vector<std::string> changes();
  /// Undoes by hand what a failed recovery left, so that the next trial has a chance.
  void clean_up();

  /// The end of what the last programs said.
  [[nodiscard]] std::string last_words() const;
  [[nodiscard]] const std::filesystem::path& state_directory() const { return state_; }
  [[nodiscard]] const std::filesystem::path& agent() const { return agent_; }

 private:
  Stage() = default;
  [[nodiscard]] Result<int> run_to_end(const Program& program) const;
  /// True when no process of ours is left.
  [[nodiscard]] bool wait_until_gone(milliseconds longest) const;
  void compare(Pass pass, Recovery& recovery);

  std::filesystem::path agent_;
  std::filesystem::path state_;
  std::filesystem::path pristine_;
  std::filesystem::path log_;
  std::unique_ptr<agent::Host> host_;
  std::string snapshot_;
};

}  // namespace firedrill::crash
