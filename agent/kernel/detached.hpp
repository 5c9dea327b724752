// Starts a part of this program in a process of its own that outlives this one: a fork without
// exec, in a session of its own. A SIGKILL of the agent or of its process group does not reach it.
// It stays this process's child, which buries it: init does not everywhere (in containers, it is
// often a program that waits for nobody).
#pragma once

#include <array>
#include <span>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// A descriptor that closes itself.
class FileDescriptor {
 public:
  explicit FileDescriptor(int fd = -1) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// Descriptors of a detached process. Everything else is closed, 0 to 2 are /dev/null.
inline constexpr int kReport = 3;  ///< to write to who started it
inline constexpr int kLeash = 4;   ///< end of file when that one is dead or has let go
inline constexpr int kHanded = 5;  ///< the first of those handed over
inline constexpr int kMostHanded = 2;

/// Runs in the detached process, whose signals have their default effect, and must call only what
/// is safe in a signal handler: other threads of the parent may have held any lock.
using DetachedBody = void (*)(const void* job);

/// The parent's ends.
struct Detached {
  FileDescriptor report;
  FileDescriptor leash;
};

/// `job` must stay readable until fork returns; the child has its own copy.
[[nodiscard]] Result<Detached> start_detached(DetachedBody body, const void* job,
                                              std::span<const int> handed);

/// Buries the detached processes of ours that have ended. start_detached() does it, too, so that no
/// more than those since the last call are left as zombies.
void bury_ended();

/// True when whoever started this detached process is dead or has let go. For bodies.
[[nodiscard]] bool let_go();

/// Reads exactly `size` bytes of a report within `milliseconds`.
/// @errors timed_out;  unavailable  it ended without a report
[[nodiscard]] Result<void> read_report(const Detached& detached, void* report, std::size_t size,
                                       int milliseconds);

}  // namespace firedrill::agent::kernel
