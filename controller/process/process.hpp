// Runs one program on the controller's own machine: a responder's script or a process action.
// Never through a shell. The child leads a process group of its own, which is what gets stopped;
// what it leaves behind in the background after its own end is left alone.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "firedrill/result.hpp"
#include "firedrill/units.hpp"

namespace firedrill {

struct ProcessSpec {
  /// With a '/': the file, a relative one from `working_directory`. Without: looked up in PATH.
  std::string path;
  std::vector<std::string> arguments{};
  std::map<std::string, std::string> environment{};  ///< added to ours, or replacing it
  std::string working_directory{};                   ///< empty: ours
  std::string stdin_text{};                          ///< written, then stdin is closed
  bool hold_stdin = false;  ///< stdin stays open as long as we live: its end tells the child
  Duration timeout{};       ///< 0: none; otherwise the group is stopped
};

struct ProcessExit {
  int code = 0;            ///< the exit code; 128 + signal when a signal ended it
  int signal = 0;          ///< 0 when it exited by itself
  bool timed_out = false;  ///< our time-out stopped it
  bool stopped = false;    ///< stop() did
};

/// All are called from the process's own thread, and must not destroy the Process. Lines come
/// without their newline; one longer than 64 KiB comes in pieces. on_exit is the last call.
struct ProcessCallbacks {
  std::function<void(std::string_view line)> on_stdout{}, on_stderr{};
  std::function<void(const ProcessExit& exit)> on_exit{};
};

class Process {
 public:
  /// Starts the program and returns once it runs.
  /// @errors not_found no such program or directory; permission_denied not executable (the text
  ///         says how to mend it); io_failed fork, pipe or exec failed
  [[nodiscard]] static Result<std::unique_ptr<Process>> start(const ProcessSpec& spec,
                                                              ProcessCallbacks callbacks);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();  ///< stop(), then waits for the exit: at most about 2 s

  /// SIGTERM to the whole group now, SIGKILL to what is left after 2 s. Returns at once; on_exit
  /// tells the end. Safe from any thread and after the end.
  void stop() noexcept;
  /// SIGTERM to the program alone, and nothing after it: for one that takes its time to end well.
  /// Safe from any thread and after the end.
  void terminate() noexcept;
  /// Blocks until on_exit has returned.
  ProcessExit wait();
  [[nodiscard]] pid_t pid() const;

 private:
  struct State;
  explicit Process(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct ProcessResult {
  int exit_code = 0;  ///< as ProcessExit::code
  int signal = 0;
  bool timed_out = false;
  std::string output;  ///< stdout and stderr as they came, the last 64 KiB
};

/// Runs it to its end and blocks. A program that fails or is stopped by the time-out is a result,
/// not an error. @errors as Process::start
[[nodiscard]] Result<ProcessResult> run_to_end(const ProcessSpec& spec);

}  // namespace firedrill
