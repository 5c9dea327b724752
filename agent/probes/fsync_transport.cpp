#include "agent/probes/fsync_transport.hpp"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "agent/probes/small_thread.hpp"

namespace firedrill::agent {
namespace {

constexpr std::size_t kBlock = 4096;
/// The file stays this small: what is measured is the sync, not the growth.
constexpr std::uint64_t kBlocks = 64;

class FsyncTransport final : public Transport {
 public:
  explicit FsyncTransport(int fd) : fd_(fd) {}
  FsyncTransport(const FsyncTransport&) = delete;
  FsyncTransport& operator=(const FsyncTransport&) = delete;
  /// Waits for the operation under way: no one can take a write back from the disk.
  ~FsyncTransport() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      wanted_.clear();
      work_.notify_all();
    }
    thread_.reset();
    ::close(fd_);
  }

  Result<void> start() {
    auto thread = SmallThread::start([this] { run(); });
    if (!thread) return std::unexpected(thread.error());
    thread_.emplace(std::move(*thread));
    return {};
  }

  Result<void> begin(std::size_t slot) override {
    const std::lock_guard lock(mutex_);
    tickets_.at(slot) = ++last_ticket_;
    wanted_.push_back({slot, last_ticket_});
    work_.notify_all();
    return {};
  }

  void abandon(std::size_t slot) override {
    const std::lock_guard lock(mutex_);
    tickets_.at(slot) = 0;
    std::erase_if(wanted_, [slot](const Job& job) { return job.slot == slot; });
  }

  void work(Instant until) override {
    std::unique_lock lock(mutex_);
    done_.wait_until(lock, until, [this] { return woken_ || !ended_.empty(); });
    woken_ = false;
  }

  std::optional<Ended> next_ended() override {
    const std::lock_guard lock(mutex_);
    if (ended_.empty()) return std::nullopt;
    Ended ended = std::move(ended_.front());
    ended_.pop_front();
    return ended;
  }

  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    done_.notify_all();
  }

 private:
  struct Job {
    std::size_t slot = 0;
    std::uint64_t ticket = 0;  ///< tells it from a later one in the same slot
  };

  [[nodiscard]] std::string write_and_sync(std::uint64_t number) const {
    static constexpr std::array<char, kBlock> block{};
    const auto place = static_cast<off_t>(number % kBlocks * kBlock);
    if (::pwrite(fd_, block.data(), block.size(), place) != static_cast<ssize_t>(block.size()))
      return describe(fail_errno(errno, "write").error());
    if (::fsync(fd_) < 0) return describe(fail_errno(errno, "fsync").error());
    return {};
  }

  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      work_.wait(lock, [this] { return stop_ || !wanted_.empty(); });
      if (stop_) return;
      const Job job = wanted_.front();
      wanted_.pop_front();
      lock.unlock();
      std::string error = write_and_sync(job.ticket);
      lock.lock();
      if (tickets_.at(job.slot) != job.ticket) continue;  // nobody waits for it any more
      ended_.push_back({job.slot, std::move(error)});
      done_.notify_all();
    }
  }

  int fd_;
  std::mutex mutex_;
  std::condition_variable work_, done_;
  bool stop_ = false, woken_ = false;
  std::uint64_t last_ticket_ = 0;
  std::array<std::uint64_t, kMaxInFlight> tickets_{};
  std::deque<Job> wanted_;
  std::deque<Ended> ended_;
  std::optional<SmallThread> thread_;
};

/// A file that has no name, on file systems that can; else one that loses it at once.
Result<int> nameless_file(const std::string& directory) {
  int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  const int error = errno;
  if (error != EOPNOTSUPP && error != EISDIR) return fail_errno(error, directory);
  std::string path = directory + "/.firedrill-fsync-XXXXXX";
  fd = ::mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, directory);
  ::unlink(path.c_str());
  return fd;
}

}  // namespace

Result<std::unique_ptr<Transport>> make_fsync_transport(const std::string& directory) {
  const auto fd = nameless_file(directory);
  if (!fd) return std::unexpected(fd.error());
  auto transport = std::make_unique<FsyncTransport>(*fd);
  if (auto started = transport->start(); !started) return std::unexpected(started.error());
  return transport;
}

}  // namespace firedrill::agent
