// memory-leak on a real kernel: what the target notices, what is charged, and who may die when.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/host_memory.hpp"
#include "tests/kernel/test_process.hpp"

namespace firedrill::agent::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr timespec kShort{0, 20'000'000};

/// Waits again and again by `wait`, which says whether it was interrupted.
std::function<void(Told&)> waiter(bool (*wait)()) {
  return [wait](Told& told) {
    while (true) {
      if (wait()) ++told.interrupted;
      ++told.rounds;
    }
  };
}

bool sleeps() { return ::nanosleep(&kShort, nullptr) < 0; }
bool polls() { return ::poll(nullptr, 0, 20) < 0; }
bool selects() {
  timeval time{0, 20'000};
  return ::select(0, nullptr, nullptr, nullptr, &time) < 0;
}
bool waits_for_a_futex() {
  int word = 0;
  return ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &kShort, nullptr, 0) < 0 &&
         errno == EINTR;
}
bool epolls() {
  static const int epoll = ::epoll_create1(0);
  epoll_event event{};
  return ::epoll_wait(epoll, &event, 1, 20) < 0;
}

/// Sums the same numbers over and over, in integers and in floating point.
void computes(Told& told) {
  while (true) {
    std::uint64_t sum = 0;
    double real = 0;
    for (std::uint64_t i = 0; i < 10'000; ++i) {
      sum += i * i;
      real += static_cast<double>(i) / 2;
    }
    if (sum != 333'283'335'000 || real != 24'997'500.0) ++told.wrong;
    ++told.rounds;
  }
}

void computes_in_six_threads(Told& told) {
  for (int i = 0; i < 5; ++i) std::thread([&told] { computes(told); }).detach();
  computes(told);
}

class MemoryLeakKernel : public MemoryLab {
 protected:
  Json of(const TestProcess& target) { return Json{{"pid", target.pid()}}; }
  Error refusal(const Params& asked) {
    const auto captured = leak().capture(*open_host(), asked);
    EXPECT_FALSE(captured);
    return captured ? Error{} : captured.error();
  }
  /// A whole leak of 64 MiB and its end; maps and memory as before.
  void leak_and_return(const TestProcess& target);
};

void MemoryLeakKernel::leak_and_return(const TestProcess& target) {
  const Params asked = params(of(target));
  undo(inject(asked));  // by then it has all pages of its own that it will have
  ASSERT_TRUE(target.goes_round(3));
  const std::string maps = target.maps();
  const std::uint64_t before = target.memory("Rss");
  const Json record = inject(asked);
  EXPECT_EQ(target.memory("Rss"), before) << "a mapping alone takes no memory";
  EXPECT_EQ(grow(asked, record, 500ms), 32 * kMiB);
  EXPECT_EQ(grow(asked, record, 2s), 64 * kMiB);
  EXPECT_NEAR(static_cast<double>(target.memory("Rss") - before), 64.0 * kMiB, 4096.0);
  EXPECT_FALSE(leak().verify(*open_host(), record)->clean());
  undo(record);
  EXPECT_EQ(target.maps(), maps);
  EXPECT_EQ(target.memory("Rss"), before);
  EXPECT_TRUE(target.goes_round());
}

TEST_F(MemoryLeakKernel, WaitsThatTheKernelRestartsNoticeNothing) {
  for (bool (*wait)() : {sleeps, polls, selects, waits_for_a_futex}) {
    const TestProcess target("fd-waiter", waiter(wait));
    leak_and_return(target);
    for (int i = 0; i < 20; ++i) undo(inject(params(of(target))));
    EXPECT_EQ(target.told().interrupted, 0U);
    EXPECT_TRUE(target.goes_round(3));
  }
}

// The kernel does not restart epoll_wait after any stop, ptrace or SIGSTOP alike: a program that
// cannot bear EINTR there could not bear a debugger either. With a second thread it is that one
// that is stopped.
TEST_F(MemoryLeakKernel, EpollIsInterruptedAtMostOnceForEachStop) {
  const TestProcess target("fd-epoll", waiter(epolls));
  leak_and_return(target);
  EXPECT_LE(target.told().interrupted, 4U);
}

TEST_F(MemoryLeakKernel, AThreadThatWaitsUnseenIsStoppedBeforeOneThatServes) {
  const TestProcess target("fd-server", [](Told& told) {
    std::thread([] {
      while (true) ::nanosleep(&kShort, nullptr);
    }).detach();
    waiter(epolls)(told);
  });
  for (int i = 0; i < 20; ++i) undo(inject(params(of(target))));
  EXPECT_EQ(target.told().interrupted, 0U);
}

TEST_F(MemoryLeakKernel, BusyThreadsComputeOn) {
  const TestProcess target("fd-busy", computes_in_six_threads);
  leak_and_return(target);
  for (int i = 0; i < 50; ++i) undo(inject(params(of(target))));
  EXPECT_TRUE(target.goes_round(10));
  EXPECT_EQ(target.told().wrong, 0U);
}

/// Ended children of this process that nobody has waited for.
int unburied_children() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    std::istringstream rest(line.substr(line.rfind(')') + 2));
    char state = 0;
    pid_t parent = 0;
    if (rest >> state >> parent && state == 'Z' && parent == ::getpid()) ++count;
  }
  return count;
}

// In a container init is often a program that waits for nobody: orphans would stay as zombies.
TEST_F(MemoryLeakKernel, HelpersThatEndedAreBuried) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0) << "orphans come to us, who do not wait either";
  const TestProcess target("fd-buried", waiter(sleeps));
  for (int i = 0; i < 10; ++i) undo(inject(params(of(target))));
  EXPECT_LE(unburied_children(), 1) << "but for the last, which may not have ended yet";
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

TEST_F(MemoryLeakKernel, SignalsArriveAfterwardsAndAllOfThem) {
  static Told* mine = nullptr;
  const TestProcess target("fd-signals", [](Told& told) {
    mine = &told;
    ::signal(SIGUSR1, [](int) { ++mine->rounds; });
    ++told.rounds;
    while (true) ::pause();
  });
  for (int i = 0; i < 30; ++i) {
    const Json record = inject(params(of(target)));
    const std::uint64_t before = target.told().rounds;
    ::kill(target.pid(), SIGUSR1);
    ASSERT_TRUE(target.comes_past(before)) << i;
    std::thread storm([&] {
      for (int k = 0; k < 50; ++k) ::kill(target.pid(), SIGUSR1);
    });
    undo(record);
    storm.join();
  }
  EXPECT_TRUE(target.alive());
}

TEST_F(MemoryLeakKernel, AStoppedTargetStaysStopped) {
  const TestProcess target("fd-stopped", waiter(sleeps));
  ::kill(target.pid(), SIGSTOP);
  ASSERT_TRUE(target.comes_to('T'));
  const Json record = inject(params(of(target)));
  EXPECT_TRUE(target.comes_to('T'));
  undo(record);
  EXPECT_TRUE(target.comes_to('T'));
  ::kill(target.pid(), SIGCONT);
  EXPECT_TRUE(target.goes_round(2));
}

TEST_F(MemoryLeakKernel, ChildrenOfTheTargetKeepNothing) {
  const TestProcess target("fd-forks", [](Told& told) {
    for (++told.rounds; told.go == 0;) ::nanosleep(&kShort, nullptr);
    const pid_t child = ::fork();
    if (child == 0) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    else told.child = child;
    while (true) ::pause();
  });
  const Params asked = params(of(target));
  const Json record = inject(asked);
  EXPECT_EQ(grow(asked, record, 1s), 64 * kMiB);
  target.told().go = 1;
  while (target.told().child == 0) std::this_thread::sleep_for(1ms);
  const auto host = open_host();
  const auto child = host->processes().facts(target.told().child);
  ASSERT_TRUE(child) << describe(child.error());
  const auto mappings = host->processes().mappings(child->id);
  ASSERT_TRUE(mappings);
  for (const kernel::Mapping& one : *mappings) EXPECT_NE(one.begin, record.at("address"));
  undo(record);
}

TEST_F(MemoryLeakKernel, ATargetThatDiesTakesAllAlong) {
  for (const int when : {0, 1, 2}) {
    const TestProcess target("fd-dies", waiter(sleeps));
    const auto host = open_host();
    const Params asked = params(of(target));
    const auto record = leak().capture(*host, asked);
    ASSERT_TRUE(record);
    if (when == 0) target.kill();
    EXPECT_EQ(leak().apply(*host, asked, *record).has_value(), when != 0);
    if (when == 1) target.kill();
    const auto values = leak().advance(*host, asked, *record, 100ms);
    ASSERT_TRUE(values) << describe(values.error());
    EXPECT_EQ(values->at("alive"), when == 2);
    if (when == 2) target.kill();
    EXPECT_EQ(leak().undo(*host, *record), UndoOutcome::already_gone);
    EXPECT_TRUE(leak().verify(*host, *record)->clean());
  }
}

TEST_F(MemoryLeakKernel, ATargetThatBecomesAnotherProgramHasNothingOfOurs) {
  const TestProcess target("fd-execs", [](Told& told) {
    while (told.go == 0) {
      ++told.rounds;
      ::nanosleep(&kShort, nullptr);
    }
    ::execl("/bin/sleep", "sleep", "60", nullptr);
  });
  const Params asked = params(of(target));
  const Json record = inject(asked);
  grow(asked, record, 100ms);
  target.told().go = 1;
  for (int i = 0; i < 500 && target.maps().find("/sleep") == std::string::npos; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(leak().advance(*open_host(), asked, record, 1s)->at("alive"), false);
  EXPECT_EQ(leak().undo(*open_host(), record), UndoOutcome::already_gone);
  EXPECT_TRUE(target.alive());
}

TEST_F(MemoryLeakKernel, TargetsThatMustNotBeTouchedAreRefused) {
  EXPECT_THAT(refusal(params({{"pid", 1}})).what, HasSubstr("init process"));
  EXPECT_THAT(refusal(params({{"process", "kthreadd"}})).what, HasSubstr("thread of the kernel"));
  EXPECT_THAT(refusal(params({{"pid", ::getpid()}})).what, HasSubstr("Firedrill itself"));
  EXPECT_EQ(refusal(params({{"process", "no-such-process"}})).code, ErrorCode::not_found);

  const TestProcess one("fd-twin", waiter(sleeps));
  const TestProcess two("fd-twin", waiter(sleeps));
  const Error twins = refusal(params({{"process", "fd-twin"}}));
  EXPECT_THAT(twins.what, HasSubstr(fmt::format("'fd-twin' ({})", one.pid())));
  EXPECT_THAT(twins.what, HasSubstr(fmt::format("'fd-twin' ({})", two.pid())));
}

TEST_F(MemoryLeakKernel, FilteredTracedAndUnstoppableTargetsAreRefused) {
  const TestProcess filtered("fd-filtered", [](Told& told) {
    sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const sock_fprog program{1, &allow};
    std::thread([&] {
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
      waiter(sleeps)(told);
    }).join();
  });
  EXPECT_THAT(refusal(params(of(filtered))).what, HasSubstr("seccomp"));

  const TestProcess traced("fd-traced", waiter(sleeps));
  ASSERT_EQ(::ptrace(PTRACE_SEIZE, traced.pid(), 0, 0), 0);
  EXPECT_THAT(refusal(params(of(traced))).what, HasSubstr(fmt::format("({})", ::getpid())));
  // Between capture and apply, or against an agent that does not look.
  EXPECT_EQ(open_host()
                ->processes()
                .map(open_host()->processes().facts(traced.pid())->id, {0x10000000, 4096})
                .error()
                .code,
            ErrorCode::permission_denied);

  // The parent of a vfork waits uninterruptibly until its child is done.
  const TestProcess parent("fd-vforks", [](Told& told) {
    ++told.rounds;
    if (::syscall(SYS_vfork) != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) ::pause();
  });
  ASSERT_TRUE(parent.comes_to('D'));
  EXPECT_THAT(refusal(params(of(parent))).what, HasSubstr("state D"));
}

}  // namespace
}  // namespace firedrill::agent::test
