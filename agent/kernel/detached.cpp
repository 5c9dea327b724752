#include "agent/kernel/detached.hpp"

#include <cerrno>
#include <csignal>
#include <mutex>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace firedrill::agent::kernel {
namespace {

constexpr int kFirstSafe = 16;  // above the numbers that are given out
constexpr int kLastSignal = 64;

struct Plan {
  DetachedBody body;
  const void* job;
  std::array<int, 2 + kMostHanded> descriptors;  ///< for kReport, kLeash, kHanded …
  int count;
};

/// Gives the descriptors their numbers and closes all others.
bool settle_descriptors(const Plan& plan) {
  std::array<int, 2 + kMostHanded> safe{};
  for (int i = 0; i < plan.count; ++i)
    if ((safe[i] = ::fcntl(plan.descriptors[i], F_DUPFD, kFirstSafe)) < 0) return false;
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0) return false;
  for (int fd = 0; fd < kReport; ++fd)
    if (::dup2(null, fd) < 0) return false;
  for (int i = 0; i < plan.count; ++i)
    if (::dup2(safe[i], kReport + i) < 0) return false;
  return ::close_range(static_cast<unsigned>(kReport + plan.count), ~0U, 0) == 0;
}

void settle_signals() {
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  for (int number = 1; number <= kLastSignal; ++number) ::sigaction(number, &plain, nullptr);
  // Whoever reads the report may be gone.
  plain.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &plain, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void detach(const Plan& plan) {
  settle_signals();
  if (::setsid() >= 0 && ::chdir("/") == 0 && settle_descriptors(plan)) plan.body(plan.job);
  ::_exit(0);
}

std::mutex unburied_mutex;
std::vector<pid_t> unburied;

struct Pipe {
  FileDescriptor read_end;
  FileDescriptor write_end;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) < 0) return fail_errno(errno, "pipe");
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Detached> start_detached(DetachedBody body, const void* job, std::span<const int> handed) {
  if (handed.size() > kMostHanded) return fail(ErrorCode::internal, "too many descriptors");
  auto report = make_pipe();
  if (!report) return std::unexpected(report.error());
  auto leash = make_pipe();
  if (!leash) return std::unexpected(leash.error());
  Plan plan{body, job, {report->write_end.get(), leash->read_end.get()}, 2};
  for (const int fd : handed) plan.descriptors[plan.count++] = fd;

  bury_ended();
  const pid_t child = ::_Fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) detach(plan);
  const std::scoped_lock lock(unburied_mutex);
  unburied.push_back(child);
  return Detached{std::move(report->read_end), std::move(leash->write_end)};
}

void bury_ended() {
  const std::scoped_lock lock(unburied_mutex);
  std::erase_if(unburied, [](pid_t child) { return ::waitpid(child, nullptr, WNOHANG) != 0; });
}

bool let_go() {
  pollfd leash{kLeash, POLLIN, 0};
  return ::poll(&leash, 1, 0) != 0;
}

Result<void> read_report(const Detached& detached, void* report, std::size_t size,
                         int milliseconds) {
  auto* into = static_cast<char*>(report);
  for (std::size_t have = 0; have < size;) {
    pollfd waiting{detached.report.get(), POLLIN, 0};
    const int ready = ::poll(&waiting, 1, milliseconds);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno(errno, "poll");
    if (ready == 0) return fail(ErrorCode::timed_out, "the helper process does not answer");
    const ssize_t got = ::read(waiting.fd, into + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return fail(ErrorCode::unavailable, "the helper process ended unheard");
    have += static_cast<std::size_t>(got);
  }
  return {};
}

}  // namespace firedrill::agent::kernel
