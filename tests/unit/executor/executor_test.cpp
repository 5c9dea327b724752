// The executor's thread: calls from others, alarms by the real clock, and the way out.
#include "agent/executor/executor.hpp"

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/executor/lifecycle.hpp"
#include "tests/unit/executor/fakes.hpp"

namespace firedrill::agent::testing {
namespace {

using namespace std::chrono_literals;

class ExecutorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "executor-" + std::string(6, 'X');
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Result<std::unique_ptr<Executor>> start() {
    return Executor::start({directory_, "db-1", Policy{}}, host_, pulse_,
                           {.find_fault = [this](std::string_view) { return &fault_; },
                            .on_event =
                                [this](std::string kind, std::string, UtcTime, Json data) {
                                  const std::scoped_lock lock(mutex_);
                                  seen_.push_back(kind);
                                  causes_.push_back(data.value("cause", ""));
                                  changed_.notify_all();
                                },
                            .sample = [this](std::string_view, const Json&) -> Result<rpc::Sample> {
                              rpc::Sample out;
                              out.from_us = out.to_us = to_micros(SystemClock{}.utc());
                              out.values["broken"] = ++samples_ < 4 ? 1 : 0;
                              return out;
                            },
                            .ensure_guardian = [] { return Result<void>{}; }});
  }

  void wait_for(const std::string& kind) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return std::ranges::find(seen_, kind) != seen_.end(); });
  }

  static FaultRequest request(Duration duration) {
    FaultRequest out;
    out.id = "i1";
    out.run = "run-1";
    out.fault = "fake";
    out.params = {{"key", "a"}};
    out.duration = duration;
    return out;
  }

  std::filesystem::path directory_;
  NoHost host_;
  Pulse pulse_;
  World world_;
  FakeFault fault_{world_};
  std::atomic<int> samples_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> seen_, causes_;
};

TEST_F(ExecutorTest, AppliesAndUndoesByItself) {
  auto executor = start();
  ASSERT_TRUE(executor) << executor.error().what;
  ASSERT_TRUE((*executor)->prepare(request(20ms)));
  ASSERT_TRUE((*executor)->commit({"i1"}, SystemClock{}.utc() + 20ms));
  wait_for("injection.active");
  wait_for("injection.undone");
  const auto list = (*executor)->list();
  ASSERT_TRUE(list);
  EXPECT_EQ(list->at(0).state, InjectionState::undone);
  EXPECT_EQ(world_.values["a"], "good");
}

TEST_F(ExecutorTest, StoppingUndoesEverything) {
  auto executor = start();
  ASSERT_TRUE(executor);
  ASSERT_TRUE((*executor)->prepare(request(1h)));
  ASSERT_TRUE((*executor)->commit({"i1"}, SystemClock{}.utc()));
  wait_for("injection.active");
  world_.fail_undo["a"] = 2;
  (*executor)->stop();
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_EQ(causes_.back(), "agent-stopped");
  const auto late = (*executor)->prepare(request(1h));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::unavailable);
}

TEST_F(ExecutorTest, ACureIsPolledBesideTheThread) {
  auto executor = start();
  ASSERT_TRUE(executor);
  FaultRequest curable = request(1h);
  CureCondition cure;
  cure.probe = "p";
  cure.value = "broken";
  cure.max = 0.5;
  cure.interval = 100ms;
  curable.cured_by = cure;
  ASSERT_TRUE((*executor)->prepare(curable));
  ASSERT_TRUE((*executor)->commit({"i1"}, SystemClock{}.utc()));
  wait_for("injection.cured");
  wait_for("injection.undone");
  EXPECT_EQ(causes_.back(), "cured");
}

TEST_F(ExecutorTest, AStartAfterADeathUndoesFirst) {
  {
    const auto lock = StateLock::acquire(directory_);
    ASSERT_TRUE(lock);
    auto journal = Journal::open(directory_, *read_boot_id(), *lock);
    ASSERT_TRUE(journal);
    JournalEntry entry;
    entry.request = request(1h);
    entry.record = {{"key", "a"}, {"old", "good"}};
    entry.boot_id = *read_boot_id();
    entry.state = InjectionState::active;
    entry.apply_order = 1;
    ASSERT_TRUE(journal->prepare(entry));
  }
  world_.values["a"] = "broken";
  const auto executor = start();
  ASSERT_TRUE(executor);
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_EQ(causes_.back(), "agent-died");
}

TEST(Lifecycle, RetryPausesDoubleFromATenthOfASecondToTen) {
  EXPECT_EQ(retry_pause(1), 100ms);
  EXPECT_EQ(retry_pause(2), 200ms);
  EXPECT_EQ(retry_pause(7), 6400ms);
  EXPECT_EQ(retry_pause(8), 10s);
  EXPECT_EQ(retry_pause(1'000'000), 10s);
}

TEST(Lifecycle, TheFirstOfDeadlineLeaseAndPollIsDue) {
  Schedule schedule;
  schedule.state = InjectionState::active;
  schedule.deadline = 100s;
  schedule.lease_until = 50s;
  schedule.next_poll = 20s;
  EXPECT_EQ(decide(schedule, {{}, 10s}).due, Duration{20s});
  EXPECT_EQ(decide(schedule, {{}, 20s}).act, Act::poll_cure);
  EXPECT_EQ(decide(schedule, {{}, 50s}).act, Act::begin_undo);
  EXPECT_EQ(decide(schedule, {{}, 50s}).cause, UndoCause::lease_lost);
  EXPECT_EQ(decide(schedule, {{}, 100s}).cause, UndoCause::time_up);
}

}  // namespace
}  // namespace firedrill::agent::testing
