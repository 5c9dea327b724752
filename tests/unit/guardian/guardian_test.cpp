// A guardian undoes from the journal what a dead or hung agent left on the host. The agents here
// are real processes, killed with SIGKILL; the host is a file that the fault overwrites.
#include "agent/guardian/guardian.hpp"

#include <fstream>
#include <new>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/guardian/guardian_link.hpp"
#include "agent/guardian/pidfd.hpp"
#include "agent/guardian/spawn.hpp"
#include "tests/unit/guardian/file_fault.hpp"

namespace firedrill::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using testing::FileFault;
using testing::NoHost;
using testing::read_file;
using testing::write_file;

enum class AgentDoes : std::uint8_t { wait, apply_half_then_wait, undo_and_leave };

class GuardianTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "guardian-" + std::string(6, 'X');
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    target_ = directory_ / "target";
    write_file(target_, "original");
    void* page =
        ::mmap(nullptr, sizeof(Pulse), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    pulse_ = new (page) Pulse;
    options_.pulse = pulse_;
  }
  void TearDown() override {
    if (options_.agent_pidfd >= 0) ::close(options_.agent_pidfd);
    if (options_.agent > 0) ::waitpid(options_.agent, nullptr, 0);
    ::munmap(pulse_, sizeof(Pulse));
    std::filesystem::remove_all(directory_);
  }

  /// Forks an agent that injects and then does as told; returns once it is that far.
  void start_agent(AgentDoes what, Duration deadline_in = 1h) {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      if (!be_agent(what, deadline_in)) ::_exit(1);
      [[maybe_unused]] const ssize_t told = ::write(ready[1], "R", 1);
      if (what == AgentDoes::undo_and_leave) ::_exit(0);
      for (;;) ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);
    ::close(ready[0]);
    options_.agent = child;
    options_.agent_pidfd = ::pidfd_open(child, 0);
    ASSERT_GE(options_.agent_pidfd, 0);
  }

  bool be_agent(AgentDoes what, Duration deadline_in) {
    const auto boot_id = read_boot_id();
    auto lock = StateLock::acquire(directory_);
    if (!lock || !boot_id) return false;
    auto journal = Journal::open(directory_, *boot_id, *lock);
    if (!journal) return false;
    JournalEntry entry;
    entry.request.id = "i1";
    entry.request.run = "run-1";
    entry.request.fault = "file";
    entry.request.duration = 1h;
    entry.record = {{"path", target_.string()}, {"old", "original"}};
    entry.boot_id = *boot_id;
    if (!journal->prepare(entry)) return false;
    Transition next;
    next.id = "i1";
    next.run = "run-1";
    next.fault = "file";
    next.state = InjectionState::applying;
    next.deadline = SystemClock{}.boottime() + deadline_in;
    if (!journal->record(next, Durability::synced)) return false;
    if (what == AgentDoes::apply_half_then_wait) write_file(target_, "bro");
    else if (!fault_.apply(host_, Params{}, entry.record)) return false;
    if (what == AgentDoes::undo_and_leave) {
      if (!fault_.undo(host_, entry.record)) return false;
      next.state = InjectionState::undone;
      if (!journal->record(next, Durability::synced)) return false;
    }
    pulse_->journal_version.fetch_add(1);
    // The lock must outlive this function, as it does in an agent: only death gives it back.
    new StateLock(std::move(*lock));
    return true;
  }

  void guard_now() {
    const RecoveryParts parts = recovery_parts();
    guard(options_, parts);
  }
  RecoveryParts recovery_parts() {
    return {
        .state_directory = directory_,
        .host_name = "db-1",
        .host = host_,
        .find_fault = [this](std::string_view) { return &fault_; },
        .clock = clock_,
        .boot_id = *read_boot_id(),
        .on_note = [this](GuardianNote, std::string text) { notes_.push_back(std::move(text)); }};
  }

  [[nodiscard]] std::vector<Transition> outcomes() const {
    return read_journal(directory_)->unreported;
  }

  std::filesystem::path directory_, target_;
  NoHost host_;
  FileFault fault_;
  SystemClock clock_;
  Pulse* pulse_ = nullptr;
  GuardianOptions options_;
  std::vector<std::string> notes_;
};

TEST_F(GuardianTest, ARecoveryThatAPersonAskedForHasTheirNameInTheJournal) {
  start_agent(AgentDoes::wait);
  ::kill(options_.agent, SIGKILL);
  RecoveryParts parts = recovery_parts();
  parts.by = {{"user", "root"}, {"from", "local"}};
  ASSERT_TRUE(recover_now(parts));
  ASSERT_EQ(outcomes().size(), 1U);
  EXPECT_EQ(outcomes()[0].data["by"], parts.by);
}

TEST_F(GuardianTest, UndoesWhatAKilledAgentLeft) {
  start_agent(AgentDoes::wait);
  ASSERT_EQ(read_file(target_), "broken");
  ::kill(options_.agent, SIGKILL);
  guard_now();
  EXPECT_EQ(read_file(target_), "original");
  EXPECT_THAT(read_journal(directory_)->open, IsEmpty());
  ASSERT_EQ(outcomes().size(), 1U);
  const Transition outcome = outcomes()[0];
  EXPECT_EQ(outcome.event, "injection.undone");
  EXPECT_EQ(outcome.run, "run-1");
  EXPECT_EQ(outcome.data["cause"], "agent-died");
  EXPECT_EQ(outcome.data["host"], "db-1");
  EXPECT_EQ(outcome.data["verified"], true);
}

TEST_F(GuardianTest, UndoesWhatWasOnlyHalfApplied) {
  start_agent(AgentDoes::apply_half_then_wait);
  ::kill(options_.agent, SIGKILL);
  guard_now();
  EXPECT_EQ(read_file(target_), "original");
}

TEST_F(GuardianTest, KillsAnAgentWhoseHeartDoesNotBeat) {
  start_agent(AgentDoes::wait);
  options_.silence = 50ms;
  guard_now();
  int status = 0;
  ASSERT_EQ(::waitpid(options_.agent, &status, 0), options_.agent);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  EXPECT_EQ(read_file(target_), "original");
  EXPECT_THAT(notes_.at(0), HasSubstr("no sign of life"));
  options_.agent = 0;
}

TEST_F(GuardianTest, KillsAnAgentThatIsPastADeadline) {
  start_agent(AgentDoes::wait, 0s);
  options_.overdue = 1ms;
  std::atomic<bool> done = false;
  std::thread heart([&] {
    while (!done) {
      pulse_->beat.fetch_add(1);
      std::this_thread::sleep_for(5ms);
    }
  });
  guard_now();
  done = true;
  heart.join();
  EXPECT_EQ(read_file(target_), "original");
  EXPECT_THAT(notes_.at(0), HasSubstr("past its deadline"));
}

TEST_F(GuardianTest, KillsAnAgentThatDoesNotActOnALostLease) {
  start_agent(AgentDoes::wait);
  pulse_->lease_until_us = (clock_.boottime() - 1s).count();
  guard_now();
  EXPECT_EQ(read_file(target_), "original");
  EXPECT_THAT(notes_.at(0), HasSubstr("a lease ended"));
}

TEST_F(GuardianTest, ADueLeaseWaitsForTheFaultOperationBeforeIt) {
  start_agent(AgentDoes::wait);
  pulse_->lease_until_us = (clock_.boottime() - 1s).count();
  pulse_->operation_since_us = clock_.boottime().count();
  options_.silence = 700ms;
  guard_now();
  EXPECT_THAT(notes_.at(0), HasSubstr("no sign of life")) << "and not for its lease";
}

TEST_F(GuardianTest, WithoutAnyGuardianTheDeadAgentsWorkIsRecoveredByHand) {
  start_agent(AgentDoes::wait);
  EXPECT_EQ(StateLock::acquire(directory_).error().code, ErrorCode::conflict);
  ::kill(options_.agent, SIGKILL);
  fault_.refuse_undo = 2;
  const auto left = recover_now(recovery_parts());
  ASSERT_TRUE(left) << left.error().what;
  EXPECT_THAT(left->open, IsEmpty());
  EXPECT_EQ(read_file(target_), "original");
  ASSERT_EQ(outcomes().size(), 1U) << "for the next agent to report";
  EXPECT_EQ(outcomes()[0].event, "injection.undone");
}

TEST_F(GuardianTest, KillsAnAgentWhoseFaultOperationNeverEnds) {
  start_agent(AgentDoes::wait);
  options_.longest_operation = 1ms;
  pulse_->operation_since_us = clock_.boottime().count();
  guard_now();
  EXPECT_EQ(read_file(target_), "original");
  EXPECT_THAT(notes_.at(0), HasSubstr("one fault operation"));
}

TEST_F(GuardianTest, LeavesWithAnAgentThatLeftNothing) {
  start_agent(AgentDoes::undo_and_leave);
  guard_now();
  EXPECT_THAT(notes_, IsEmpty());
  EXPECT_THAT(outcomes(), IsEmpty());
}

TEST_F(GuardianTest, RetriesUntilItIsUndone) {
  fault_.refuse_undo = 2;
  start_agent(AgentDoes::wait);
  ::kill(options_.agent, SIGKILL);
  guard_now();
  EXPECT_EQ(read_file(target_), "original");
  EXPECT_THAT(read_journal(directory_)->open, IsEmpty());
}

TEST_F(GuardianTest, LeavesTheRestToANewAgent) {
  start_agent(AgentDoes::wait);
  ::kill(options_.agent, SIGKILL);
  ASSERT_EQ(::waitid(P_PIDFD, static_cast<id_t>(options_.agent_pidfd), nullptr, WEXITED | WNOWAIT),
            0);
  const auto new_agent = StateLock::acquire(directory_);
  ASSERT_TRUE(new_agent);
  guard_now();
  EXPECT_EQ(read_file(target_), "broken") << "two must not undo at once";
}

TEST_F(GuardianTest, IsNotStoppedByAChildThatInheritedTheAgentsLock) {
  // The agent's fork holds the lock after the agent's death, as a helper process would.
  int pids[2];
  ASSERT_EQ(::pipe(pids), 0);
  start_agent(AgentDoes::wait);
  ::kill(options_.agent, SIGKILL);
  ::waitid(P_PIDFD, static_cast<id_t>(options_.agent_pidfd), nullptr, WEXITED | WNOWAIT);
  const pid_t helper = ::fork();
  if (helper == 0) {
    const auto held = StateLock::acquire(directory_);
    // Say that the dead agent is the holder, as the file says when the lock was inherited.
    std::ofstream(directory_ / "lock") << options_.agent << '\n';
    [[maybe_unused]] const ssize_t told = ::write(pids[1], held ? "R" : "x", 1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(pids[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'R');
  guard_now();
  EXPECT_EQ(read_file(target_), "original");
  ::kill(helper, SIGKILL);
  ::waitpid(helper, nullptr, 0);
  ::close(pids[0]);
  ::close(pids[1]);
}

TEST(Spawn, HandsOverWhatItSaysAndNothingElse) {
  int out[2];
  ASSERT_EQ(::pipe(out), 0);
  const auto child = spawn("/bin/sh", {"sh", "-c", "echo $(ls /proc/self/fd) >&3"}, {{out[1], 3}});
  ASSERT_TRUE(child) << child.error().what;
  ::close(out[1]);
  std::string text;
  char buffer[256];
  for (ssize_t got; (got = ::read(out[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(got));
  ::close(out[0]);
  ::waitid(P_PIDFD, static_cast<id_t>(*child), nullptr, WEXITED);
  ::close(*child);
  // 4 is the directory that ls itself reads.
  EXPECT_EQ(text, "0 1 2 3 4\n");
}

TEST(GuardianLink, RefusesWhenTheGuardianDoesNotComeUp) {
  GuardianCommand command;
  command.program = "/bin/false";
  auto link = GuardianLink::create(command);
  ASSERT_TRUE(link);
  const auto alive = (*link)->ensure_alive();
  ASSERT_FALSE(alive);
  EXPECT_EQ(alive.error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace firedrill::agent
