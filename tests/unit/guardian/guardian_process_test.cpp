// The whole promise with real processes: an agent with executor and guardian is killed, and what
// it did to the host is gone.
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/executor/executor.hpp"
#include "agent/guardian/guardian_link.hpp"
#include "agent/kernel/own_cgroup.hpp"
#include "tests/unit/guardian/file_fault.hpp"

namespace firedrill::agent {
namespace {

using namespace std::chrono_literals;
using testing::FileFault;
using testing::NoHost;
using testing::read_file;
using testing::write_file;

class GuardianProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "promise-" + std::string(6, 'X');
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    target_ = directory_ / "target";
    write_file(target_, "original");
    // Orphaned guardians become ours, so that their end can be waited for.
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  }
  void TearDown() override {
    ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    kernel::remove_sibling_cgroup(kGuardianCgroup);  // of a guardian that a test killed
    std::filesystem::remove_all(directory_);
  }

  GuardianCommand command() const {
    GuardianCommand out;
    out.state_directory = directory_;
    out.host_name = "db-1";
    return out;
  }

  /// In a child: an agent that injects, says so, and goes on as told. Never returns.
  [[noreturn]] void be_agent(int ready_fd, bool stop_in_good_order) {
    NoHost host;
    const FileFault fault;
    auto link = GuardianLink::create(command());
    if (!link) ::_exit(2);
    ExecutorHooks hooks;
    hooks.find_fault = [&](std::string_view) -> const Fault* { return &fault; };
    hooks.on_event = [](const std::string&, const std::string&, UtcTime, const Json&) {};
    hooks.sample = [](std::string_view, const Json&) -> Result<rpc::Sample> {
      return rpc::Sample{};
    };
    hooks.ensure_guardian = [&] { return (*link)->ensure_alive(); };
    auto executor =
        Executor::start({directory_, "db-1", Policy{}}, host, (*link)->pulse(), std::move(hooks));
    if (!executor) ::_exit(3);
    FaultRequest request;
    request.id = "i1";
    request.run = "run-1";
    request.fault = "file";
    request.params = {{"path", target_.string()}};
    request.duration = 1h;
    if (!(*executor)->prepare(request)) ::_exit(4);
    if (!(*executor)->commit({"i1"}, SystemClock{}.utc())) ::_exit(5);
    while ((*executor)->list()->at(0).state != InjectionState::active) std::this_thread::yield();
    if (stop_in_good_order) (*executor)->stop();
    [[maybe_unused]] const ssize_t told = ::write(ready_fd, "R", 1);
    if (stop_in_good_order) ::_exit(0);
    for (;;) ::pause();
  }

  pid_t start_agent(bool stop_in_good_order) {
    int ready[2];
    EXPECT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) be_agent(ready[1], stop_in_good_order);
    ::close(ready[1]);
    char byte = 0;
    EXPECT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    return child;
  }

  std::filesystem::path directory_, target_;
};

TEST_F(GuardianProcessTest, KillNineOfTheAgentLeavesNothingBehind) {
  const pid_t agent = start_agent(false);
  ASSERT_EQ(read_file(target_), "broken");
  ::kill(agent, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(agent, &status, 0), agent);
  ASSERT_GT(::waitpid(-1, &status, 0), 0) << "the guardian";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(read_file(target_), "original");
  const auto view = read_journal(directory_);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->open.empty());
  ASSERT_EQ(view->unreported.size(), 1U);
  EXPECT_EQ(view->unreported[0].event, "injection.undone");
}

TEST_F(GuardianProcessTest, AStoppedAgentIsKilledAndUndone) {
  const pid_t agent = start_agent(false);
  ::kill(agent, SIGSTOP);  // hung, as far as anyone can see
  int status = 0;
  ASSERT_EQ(::waitpid(agent, &status, 0), agent);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  ASSERT_GT(::waitpid(-1, &status, 0), 0);
  EXPECT_EQ(read_file(target_), "original");
}

TEST_F(GuardianProcessTest, AnAgentThatUndidEverythingTakesItsGuardianAlong) {
  const pid_t agent = start_agent(true);
  int status = 0;
  ASSERT_EQ(::waitpid(agent, &status, 0), agent);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ASSERT_GT(::waitpid(-1, &status, 0), 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(read_file(target_), "original");
  EXPECT_TRUE(read_journal(directory_)->unreported.empty()) << "the agent did it itself";
}

/// Waits for what a hook says, on the link's own thread.
class Heard {
 public:
  void say(std::string words) {
    const std::scoped_lock lock(mutex_);
    words_.push_back(std::move(words));
    changed_.notify_all();
  }
  std::string wait() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, 20s, [&] { return !words_.empty(); })) return "nothing";
    std::string first = std::move(words_.front());
    words_.erase(words_.begin());
    return first;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> words_;
};

/// Whichever of our threads started it.
pid_t only_child() {
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "children");
    if (pid_t child = 0; file >> child) return child;
  }
  return 0;
}

TEST_F(GuardianProcessTest, ADeadGuardianIsReplaced) {
  auto link = GuardianLink::create(command());
  ASSERT_TRUE(link);
  ASSERT_TRUE((*link)->ensure_alive());
  const pid_t first = only_child();
  ASSERT_GT(first, 0);
  ASSERT_TRUE((*link)->ensure_alive());
  EXPECT_EQ(only_child(), first) << "one is enough";
  ::kill(first, SIGTERM);  // it does not listen to that
  ASSERT_TRUE((*link)->ensure_alive());
  EXPECT_EQ(only_child(), first);
  ::kill(first, SIGKILL);
  siginfo_t info{};
  // The link may have seen it first, and then there is nobody left to wait for.
  const int seen = ::waitid(P_PID, static_cast<id_t>(first), &info, WEXITED | WNOWAIT);
  ASSERT_TRUE(seen == 0 || errno == ECHILD);
  ASSERT_TRUE((*link)->ensure_alive());
  const pid_t second = only_child();
  EXPECT_NE(second, first);
  ASSERT_GT(second, 0);
  ::kill(second, SIGKILL);
  ::waitpid(second, nullptr, 0);
}

TEST_F(GuardianProcessTest, AGuardianThatDiesWhileSomethingIsOpenIsReplacedUnasked) {
  Heard heard;
  auto link = GuardianLink::create(command());
  ASSERT_TRUE(link);
  (*link)->set_hooks({[&](std::string note) { heard.say(std::move(note)); }, {}, 5s});
  ASSERT_TRUE((*link)->ensure_alive());
  (*link)->pulse().open = 1;
  const pid_t first = only_child();
  ::kill(first, SIGKILL);
  EXPECT_THAT(heard.wait(), ::testing::HasSubstr("another one watches"));
  const pid_t second = only_child();
  EXPECT_NE(second, first);
  (*link)->pulse().open = 0;
  ::kill(second, SIGKILL);
  ::waitpid(second, nullptr, 0);
}

TEST_F(GuardianProcessTest, WhereNoGuardianCanBeHadAnyMoreTheAgentIsTold) {
  Heard heard;
  const std::filesystem::path program = directory_ / "guardian";
  std::filesystem::create_symlink("/proc/self/exe", program);
  GuardianCommand there = command();
  there.program = program;
  auto link = GuardianLink::create(there);
  ASSERT_TRUE(link);
  (*link)->set_hooks({{}, [&](const Error& error) { heard.say(error.what); }, 0s});
  ASSERT_TRUE((*link)->ensure_alive());
  (*link)->pulse().open = 1;
  std::filesystem::remove(program);
  ::kill(only_child(), SIGKILL);
  EXPECT_THAT(heard.wait(), ::testing::HasSubstr("guardian"));
  (*link)->set_hooks({});
}

}  // namespace
}  // namespace firedrill::agent
