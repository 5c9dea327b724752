#include "controller/runner/run_lock.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace firedrill {

RunLock::~RunLock() {
  if (fd_ >= 0) ::close(fd_);
}

void RunLock::open(const std::filesystem::path& folder) {
  if (fd_ < 0) fd_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void RunLock::hold(const std::filesystem::path& folder) {
  open(folder);
  if (fd_ < 0) return;
  while (::flock(fd_, LOCK_SH) != 0 && errno == EINTR) continue;
}

bool RunLock::nobody(const std::filesystem::path& folder) {
  open(folder);
  if (fd_ < 0) return true;
  return ::flock(fd_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

}  // namespace firedrill
