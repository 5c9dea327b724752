// Who may write the journal: one process at a time, by flock on `lock` in the state directory.
#pragma once

#include <filesystem>
#include <utility>

#include <sys/types.h>

#include "firedrill/result.hpp"

namespace firedrill::agent {

/// Held for as long as this object lives; gone with the process, however that ends.
class StateLock {
 public:
  /// Takes the lock without waiting and writes our pid into the file.
  /// @errors conflict  another process holds it; `what` names its pid
  ///         io_failed, permission_denied, not_found  the directory cannot be used
  [[nodiscard]] static Result<StateLock> acquire(const std::filesystem::path& directory);

  /// As acquire(), but a guardian that is just ending, or just undoing, gives the lock back by
  /// itself: tries for 5 s before it is a conflict.
  [[nodiscard]] static Result<StateLock> wait(const std::filesystem::path& directory);

  /// For the guardian only, whose agent `dead` is known to be dead: a child that the agent forked
  /// may still hold the lock by inheritance, and it will never write the journal.
  /// @errors conflict  the file names another process than `dead`: that one is responsible now
  [[nodiscard]] static Result<StateLock> inherit(const std::filesystem::path& directory,
                                                 pid_t dead);

  StateLock(StateLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

/// The pid written in the lock file; 0 when there is none. Whether it is alive is not asked.
[[nodiscard]] pid_t last_lock_holder(const std::filesystem::path& directory);

}  // namespace firedrill::agent
