// Runs a program under ptrace, all its threads and none of its children, and stops at each of its
// operations. One at a time in a process; the thread that starts it must run it.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

#include "firedrill/result.hpp"
#include "tests/crash/operation.hpp"

namespace firedrill::crash {

struct Program {
  std::filesystem::path file;
  std::vector<std::string> arguments;  ///< without its name
  std::filesystem::path output;        ///< both its outputs are appended here
};

/// Starts it untraced. @errors io_failed
[[nodiscard]] Result<pid_t> start_program(const Program& program);

class Traced {
 public:
  enum class Verdict : std::uint8_t { go_on, kill };
  /// Called when an operation is about to happen, with the process standing still at it (its other
  /// threads run). `kill`: the whole process gets SIGKILL and the operation does not happen.
  using AtOperation = std::function<Verdict(const Call& call, const std::string& operation)>;

  struct End {
    bool killed = false;  ///< by us
    int exit_code = 0;    ///< else: of the program, or 128 + the signal that ended it
  };

  /// @errors io_failed  not started, or it cannot be traced
  [[nodiscard]] static Result<Traced> start(const Program& program);
  ~Traced();
  Traced(Traced&& other) noexcept;
  Traced& operator=(Traced&&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Until it has ended.
  [[nodiscard]] Result<End> run(const AtOperation& at_operation);

 private:
  explicit Traced(pid_t pid) : pid_(pid) { threads_[pid] = {}; }
  struct Thread {
    bool seen = false;  ///< its first stop, which every new thread has, is over
  };
  [[nodiscard]] Result<bool> on_stop(pid_t thread, int status, const AtOperation& at_operation);
  [[nodiscard]] bool at_entry(pid_t thread, const AtOperation& at_operation);
  [[nodiscard]] Call read_call(pid_t thread, long number, const std::uint64_t* args);
  [[nodiscard]] std::optional<int> netlink_of(pid_t thread, const std::string& target);

  pid_t pid_;
  std::map<pid_t, Thread> threads_;
  std::map<std::string, std::optional<int>> sockets_;  ///< "socket:[…]" → netlink protocol
};

}  // namespace firedrill::crash
