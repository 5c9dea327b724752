#include "agent/journal/state_lock.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <string>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

namespace firedrill::agent {
namespace {

Result<int> open_lock_file(const std::filesystem::path& directory) {
  const std::string path = directory / "lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(errno, fmt::format("open '{}'", path));
  return fd;
}

pid_t pid_in(int fd) {
  char text[32];
  const ssize_t size = ::pread(fd, text, sizeof text, 0);
  pid_t pid = 0;
  if (size <= 0 || std::from_chars(text, text + size, pid).ec != std::errc{}) return 0;
  return pid;
}

/// The pid is for people and for inherit(); the lock holds without it, even on a full disk.
void write_pid(int fd) {
  const std::string text = fmt::format("{:<31}\n", ::getpid());
  [[maybe_unused]] const ssize_t written = ::pwrite(fd, text.data(), text.size(), 0);
}

}  // namespace

Result<StateLock> StateLock::acquire(const std::filesystem::path& directory) {
  const auto fd = open_lock_file(directory);
  if (!fd) return std::unexpected(fd.error());
  StateLock lock(*fd);
  if (::flock(*fd, LOCK_EX | LOCK_NB) != 0) {
    const int err = errno;
    if (err != EWOULDBLOCK) return fail_errno(err, fmt::format("lock '{}'", directory.string()));
    return fail(ErrorCode::conflict,
                fmt::format("process {} is using '{}' already", pid_in(*fd), directory.string()));
  }
  write_pid(*fd);
  return lock;
}

Result<StateLock> StateLock::wait(const std::filesystem::path& directory) {
  constexpr auto kPause = std::chrono::milliseconds{20};
  constexpr int kTries = 250;
  for (int attempt = 1;; ++attempt) {
    auto lock = acquire(directory);
    if (lock || lock.error().code != ErrorCode::conflict || attempt == kTries) return lock;
    std::this_thread::sleep_for(kPause);
  }
}

Result<StateLock> StateLock::inherit(const std::filesystem::path& directory, pid_t dead) {
  auto lock = acquire(directory);
  if (lock || lock.error().code != ErrorCode::conflict) return lock;
  const auto fd = open_lock_file(directory);
  if (!fd) return std::unexpected(fd.error());
  StateLock ours(*fd);
  if (pid_in(*fd) != dead) return lock;
  return ours;
}

StateLock::~StateLock() {
  if (fd_ >= 0) ::close(fd_);
}

pid_t last_lock_holder(const std::filesystem::path& directory) {
  const std::string path = directory / "lock";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  const pid_t pid = pid_in(fd);
  ::close(fd);
  return pid;
}

}  // namespace firedrill::agent
