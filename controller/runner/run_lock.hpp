// Tells a run that goes on from one whose controller died. The port tells it of controllers that
// share one; a local run has a port of its own.
#pragma once

#include <filesystem>

namespace firedrill {

/// A lock of the kernel's on the folder of the store; it ends with the process that holds it.
class RunLock {
 public:
  RunLock() = default;
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

  /// A run goes on: shared with others. Waits for somebody who looks just now, for moments.
  void hold(const std::filesystem::path& folder);
  /// Looks whether no run goes on; until this lock ends, none begins. Where the kernel has no such
  /// locks (some network file systems), the port's word is all there is: true.
  [[nodiscard]] bool nobody(const std::filesystem::path& folder);

 private:
  void open(const std::filesystem::path& folder);
  int fd_ = -1;
};

}  // namespace firedrill
