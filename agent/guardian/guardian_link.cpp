#include "agent/guardian/guardian_link.hpp"

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/guardian/pidfd.hpp"
#include "agent/guardian/spawn.hpp"

namespace firedrill::agent {
namespace {

using namespace std::chrono_literals;

constexpr auto kBeat = 250ms;
/// Beats go on for this long after the last ensure_alive(), so that they have begun by the time
/// the injection that is being prepared is in the journal.
constexpr auto kBeatAhead = 60s;
constexpr int kReadyPatienceMs = 10'000;

}  // namespace

class GuardianLink::Impl {
 public:
  explicit Impl(GuardianCommand command) : command_(std::move(command)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  ~Impl() {
    {
      const std::scoped_lock lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    if (beater_.joinable()) beater_.join();
    if (pulse_ != nullptr) ::munmap(pulse_, sizeof(Pulse));
    for (const int fd : {pulse_fd_, self_fd_, guardian_fd_})
      if (fd >= 0) ::close(fd);
  }

  Result<void> open() {
    pulse_fd_ = ::memfd_create("firedrill-pulse", MFD_CLOEXEC);
    if (pulse_fd_ < 0 || ::ftruncate(pulse_fd_, sizeof(Pulse)) != 0)
      return fail_errno(errno, "memory for the guardian's pulse");
    void* page = ::mmap(nullptr, sizeof(Pulse), PROT_READ | PROT_WRITE, MAP_SHARED, pulse_fd_, 0);
    if (page == MAP_FAILED) return fail_errno(errno, "map the guardian's pulse");
    pulse_ = new (page) Pulse;
    self_fd_ = ::pidfd_open(::getpid(), 0);
    if (self_fd_ < 0) return fail_errno(errno, "pidfd_open");
    return {};
  }

  Result<void> ensure_alive() {
    const std::scoped_lock lock(mutex_);
    beat_until_ = std::chrono::steady_clock::now() + kBeatAhead;
    pulse_->beat.fetch_add(1);
    if (!beater_.joinable()) beater_ = std::thread([this] { beat(); });
    changed_.notify_all();
    return guardian_lives() ? Result<void>{} : start_guardian();
  }

  Pulse& pulse() { return *pulse_; }

 private:
  [[nodiscard]] bool guardian_lives() {
    if (guardian_fd_ < 0) return false;
    pollfd fd{guardian_fd_, POLLIN, 0};
    if (::poll(&fd, 1, 0) == 0) return true;
    ::waitid(P_PIDFD, static_cast<id_t>(guardian_fd_), nullptr, WEXITED | WNOHANG);
    ::close(std::exchange(guardian_fd_, -1));
    return false;
  }

  Result<void> start_guardian() {
    int ready[2];
    if (::pipe2(ready, O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
    const std::vector<std::string> arguments = {"firedrill-agent",
                                                "guardian",
                                                "--state-directory",
                                                command_.state_directory.string(),
                                                "--agent-pid",
                                                std::to_string(::getpid()),
                                                "--name",
                                                command_.host_name};
    const auto child = spawn(command_.program, arguments,
                             {{ready[1], kGuardianReadyFd},
                              {pulse_fd_, kGuardianPulseFd},
                              {self_fd_, kGuardianAgentFd}});
    ::close(ready[1]);
    if (!child) {
      ::close(ready[0]);
      return std::unexpected(child.error());
    }
    guardian_fd_ = *child;
    pollfd fd{ready[0], POLLIN, 0};
    char byte = 0;
    const bool answered = ::poll(&fd, 1, kReadyPatienceMs) > 0;
    const bool watching = answered && ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    if (watching) return {};
    return fail(ErrorCode::unavailable, answered ? "the guardian ended as soon as it was started"
                                                 : "the guardian does not report that it watches");
  }

  void beat() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      const bool wanted = pulse_->open.load() > 0 || std::chrono::steady_clock::now() < beat_until_;
      if (!wanted) {
        changed_.wait(lock);
        continue;
      }
      pulse_->beat.fetch_add(1);
      if (pulse_->open.load() > 0 && !guardian_lives()) {
        // Preparing reports it when this fails; what is open keeps its deadline and lease.
        [[maybe_unused]] const Result<void> restarted = start_guardian();
      }
      changed_.wait_for(lock, kBeat);
    }
  }

  GuardianCommand command_;
  Pulse* pulse_ = nullptr;
  int pulse_fd_ = -1;
  int self_fd_ = -1;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::chrono::steady_clock::time_point beat_until_{};
  int guardian_fd_ = -1;
  std::thread beater_;
};

GuardianLink::GuardianLink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

GuardianLink::~GuardianLink() = default;

Result<std::unique_ptr<GuardianLink>> GuardianLink::create(GuardianCommand command) {
  auto impl = std::make_unique<Impl>(std::move(command));
  if (auto opened = impl->open(); !opened) return std::unexpected(opened.error());
  return std::unique_ptr<GuardianLink>(new GuardianLink(std::move(impl)));
}

Result<void> GuardianLink::ensure_alive() { return impl_->ensure_alive(); }

Pulse& GuardianLink::pulse() { return impl_->pulse(); }

}  // namespace firedrill::agent
