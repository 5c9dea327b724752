// Starts a child process with pipes on its standard streams. Does not wait for it, reads nothing.
//
// Boost.Process v2 (1.81) forks and executes. Two of its habits are kept out: its launcher would
// call exit() in a child whose exec failed, which runs our own exit handlers there, and it would
// leave that child unreaped.
#pragma once

#include <utility>

#include <sys/types.h>
#include <unistd.h>

#include "controller/process/process.hpp"

namespace firedrill {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { reset(); }
  void reset() noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Our ends: all close-on-exec and non-blocking.
struct Child {
  pid_t pid = -1;  ///< not reaped: waitpid() is the caller's
  Fd pidfd, in, out, err;
};

/// @errors as Process::start
[[nodiscard]] Result<Child> spawn(const ProcessSpec& spec);

}  // namespace firedrill
