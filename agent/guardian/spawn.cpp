#include "agent/guardian/spawn.hpp"

#include <cerrno>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/guardian/pidfd.hpp"

namespace firedrill::agent {
namespace {

constexpr int kFirstHanded = 3;
constexpr int kMostHanded = 8;

struct Plan {
  const char* program;
  char* const* arguments;
  const std::pair<int, int>* handed;
  int count;
};

/// In the child of a process with threads: only what is safe in a signal handler.
[[noreturn]] void become(const Plan& plan) {
  constexpr int kFailed = 127;
  int safe[kMostHanded];
  for (int i = 0; i < plan.count; ++i) {
    // Out of the way of the numbers that are about to be given out.
    safe[i] = ::fcntl(plan.handed[i].first, F_DUPFD_CLOEXEC, kFirstHanded + kMostHanded);
    if (safe[i] < 0) ::_exit(kFailed);
  }
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || ::setsid() < 0 || ::dup2(null, 0) < 0 || ::dup2(null, 1) < 0) ::_exit(kFailed);
  for (int i = 0; i < plan.count; ++i)
    if (::dup2(safe[i], plan.handed[i].second) < 0) ::_exit(kFailed);
  ::close_range(static_cast<unsigned>(kFirstHanded + plan.count), ~0U, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(plan.program, plan.arguments);
  ::_exit(kFailed);
}

}  // namespace

Result<int> spawn(const std::filesystem::path& program, const std::vector<std::string>& arguments,
                  const std::vector<std::pair<int, int>>& handed) {
  if (handed.size() > kMostHanded) return fail(ErrorCode::invalid_input, "too many descriptors");
  std::vector<std::string> texts = arguments;
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  const std::string path = program;
  const Plan plan{path.c_str(), pointers.data(), handed.data(), static_cast<int>(handed.size())};
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) become(plan);
  const int fd = ::pidfd_open(child, 0);  // it is ours to reap, so the pid cannot be reused yet
  if (fd < 0) {
    const int err = errno;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return fail_errno(err, "pidfd_open");
  }
  return fd;
}

}  // namespace firedrill::agent
