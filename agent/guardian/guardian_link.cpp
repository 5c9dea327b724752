#include "agent/guardian/guardian_link.hpp"

#include <cerrno>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
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
    wake();
    if (beater_.joinable()) beater_.join();
    if (pulse_ != nullptr) ::munmap(pulse_, sizeof(Pulse));
    for (const int fd : {pulse_fd_, self_fd_, guardian_fd_, wake_fd_})
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
    wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd_ < 0) return fail_errno(errno, "eventfd");
    return {};
  }

  Result<void> ensure_alive() {
    const std::scoped_lock lock(mutex_);
    beat_until_ = std::chrono::steady_clock::now() + kBeatAhead;
    pulse_->beat.fetch_add(1);
    if (!beater_.joinable()) beater_ = std::thread([this] { beat(); });
    wake();
    return guardian_lives() ? Result<void>{} : start_guardian();
  }

  void set_hooks(GuardianHooks hooks) {
    const std::scoped_lock lock(hooks_mutex_);
    hooks_ = std::move(hooks);
  }

  Pulse& pulse() { return *pulse_; }

 private:
  [[nodiscard]] bool guardian_lives() {
    if (guardian_fd_ < 0) return false;
    pollfd fd{guardian_fd_, POLLIN, 0};
    if (::poll(&fd, 1, 0) == 0) return true;
    reap();
    return false;
  }

  /// It is dead, or about to be.
  void reap() {
    ::waitid(P_PIDFD, static_cast<id_t>(guardian_fd_), nullptr, WEXITED);
    ::close(std::exchange(guardian_fd_, -1));
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
    // One that does not watch guards nothing, and must not pass for one that does.
    ::pidfd_send_signal(guardian_fd_, SIGKILL, nullptr, 0);
    reap();
    return fail(ErrorCode::unavailable, answered ? "the guardian ended as soon as it was started"
                                                 : "the guardian does not report that it watches");
  }

  void wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
  }

  void beat() {
    for (;;) {
      bool wanted = false;
      int guardian = -1;
      std::optional<Result<void>> restarted;
      {
        const std::scoped_lock lock(mutex_);
        if (ending_) return;
        const bool open = pulse_->open.load() > 0;
        wanted = open || std::chrono::steady_clock::now() < beat_until_;
        if (wanted) pulse_->beat.fetch_add(1);
        if (!guardian_lives() && open) restarted = start_guardian();
        guardian = guardian_fd_;
      }
      if (restarted) tell(*restarted);
      // Should the number be another descriptor by now, we look once too often.
      pollfd fds[2] = {{wake_fd_, POLLIN, 0}, {guardian, POLLIN, 0}};
      ::poll(fds, 2, wanted ? static_cast<int>(std::chrono::milliseconds(kBeat).count()) : -1);
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = ::read(wake_fd_, &count, sizeof count);
    }
  }

  /// What is open meanwhile keeps its deadline and lease; should the agent die too, the next one
  /// undoes it.
  void tell(const Result<void>& restarted) {
    const std::scoped_lock lock(hooks_mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (restarted) {
      unguarded_since_.reset();
      if (hooks_.on_note) hooks_.on_note("the guardian had died; another one watches now");
      return;
    }
    if (!unguarded_since_) {
      unguarded_since_ = now;
      gave_up_ = false;
      if (hooks_.on_note)
        hooks_.on_note("the guardian died and cannot be started again: " +
                       describe(restarted.error()));
    }
    if (gave_up_ || now - *unguarded_since_ < hooks_.patience) return;
    gave_up_ = true;
    if (hooks_.on_unguarded) hooks_.on_unguarded(restarted.error());
  }

  GuardianCommand command_;
  Pulse* pulse_ = nullptr;
  int pulse_fd_ = -1;
  int self_fd_ = -1;

  int wake_fd_ = -1;

  std::mutex hooks_mutex_;
  GuardianHooks hooks_;
  std::optional<std::chrono::steady_clock::time_point> unguarded_since_;
  bool gave_up_ = false;

  std::mutex mutex_;
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

void GuardianLink::set_hooks(GuardianHooks hooks) { impl_->set_hooks(std::move(hooks)); }

Pulse& GuardianLink::pulse() { return impl_->pulse(); }

}  // namespace firedrill::agent
