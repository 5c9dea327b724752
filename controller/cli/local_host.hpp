// This machine's own agent for one run: `firedrill run --local`. Nothing else is needed, and
// nothing stays but the run in its store and the host's own journal.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "controller/experiment/experiment.hpp"
#include "controller/process/process.hpp"
#include "controller/runner/runner.hpp"

namespace firedrill::cli {

struct LocalOptions {
  bool on = false;
  std::string name;                    ///< empty: as agent.json says, or the host's name
  std::vector<std::string> tags;       ///< key=value; none: as agent.json says, or the targets' own
  std::filesystem::path agent_config;  ///< of the host's owner: policy and state directory
};

/// A folder with an authority for this one run, and the agent that it is made for. The agent's
/// standard input is a pipe that we hold: however we end, it ends too, undoes what is on and
/// removes the folder. Only when both are killed does the folder stay, for the next one to remove.
class LocalHost {
 public:
  using Tell = std::function<void(std::string_view)>;

  /// @errors permission_denied  not root; invalid_input  names, tags, hosts that are not this one
  [[nodiscard]] static Result<std::unique_ptr<LocalHost>> prepare(const LocalOptions& options,
                                                                  const Experiment& experiment);
  LocalHost(const LocalHost&) = delete;
  LocalHost& operator=(const LocalHost&) = delete;
  ~LocalHost();  ///< end(), then removes the folder

  /// The controller's home for this run: it has an authority of its own.
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// Starts the agent, which connects to the runner's port. When it ends before end(), the run is
  /// halted and why() says why. @errors as Process::start
  [[nodiscard]] Result<void> start(const std::filesystem::path& own_program, Runner& runner,
                                   Tell tell);
  /// Has the agent undo everything and end, and waits for that. The runner lives still.
  void end();
  /// Its last words when it ended by itself, or empty.
  [[nodiscard]] std::string why() const;

 private:
  LocalHost() = default;

  std::filesystem::path folder_;
  int lock_ = -1;
  std::string name_;
  LocalOptions options_;
  std::vector<std::string> tags_;  ///< key=value
  std::atomic<bool> ending_ = false;
  mutable std::mutex mutex_;
  std::string last_words_;
  bool ended_early_ = false;
  std::unique_ptr<Process> agent_;  ///< last: its callbacks use the rest
};

}  // namespace firedrill::cli
