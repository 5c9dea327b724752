// memory-leak when whoever injects is killed at any point, and when memory runs out.
#include <csignal>
#include <thread>

#include <gmock/gmock.h>
#include <unistd.h>

#include "agent/kernel/process_facts.hpp"
#include "tests/kernel/test_process.hpp"

namespace firedrill::agent::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1 << 20;
constexpr int kMostOperations = 60;

void naps(Told& told) {
  constexpr timespec kShort{0, 5'000'000};
  while (true) {
    if (::nanosleep(&kShort, nullptr) < 0) ++told.interrupted;
    ++told.rounds;
  }
}

/// Dies, as by kill -9, just before operation `number`.
OperationObserver dies_at(int number) {
  return [number, count = 0](std::string_view) mutable {
    if (count++ == number) ::raise(SIGKILL);
  };
}

class MemoryLeakCrash : public MemoryLab {
 protected:
  /// Runs `act` with a host whose process dies at each of its operations in turn, and undoes after
  /// each from here. `prepare` makes what `act` needs.
  void explore(const Params& params, const TestProcess& target,
               const std::function<void(const Json& record)>& prepare,
               const std::function<void(Host&, const Json& record)>& act) {
    const std::string maps = target.maps();
    for (int number = 0; number < kMostOperations; ++number) {
      const auto record = leak().capture(*open_host(), params);
      ASSERT_TRUE(record) << describe(record.error());
      prepare(*record);
      const bool ended = in_a_process([&] { act(*open_host(dies_at(number)), *record); });
      undo(*record);
      ASSERT_EQ(target.maps(), maps) << "killed at operation " << number;
      ASSERT_TRUE(target.goes_round(2)) << "killed at operation " << number;
      EXPECT_EQ(target.told().interrupted, 0U);
      if (record->contains("holder"))
        ASSERT_TRUE(kernel::find_process_ids(record->at("holder"))->empty()) << number;
      if (ended) return;
    }
    FAIL() << "it never came to an end";
  }
};

TEST_F(MemoryLeakCrash, KilledAnywhereInApply) {
  const TestProcess target("fd-crash", naps);
  const Params asked = params({{"pid", target.pid()}});
  explore(
      asked, target, [](const Json&) {},
      [&](Host& host, const Json& record) { EXPECT_TRUE(leak().apply(host, asked, record)); });
}

TEST_F(MemoryLeakCrash, KilledAnywhereInGrowth) {
  const TestProcess target("fd-crash", naps);
  const Params asked = params({{"pid", target.pid()}});
  explore(
      asked, target,
      [&](const Json& record) { ASSERT_TRUE(leak().apply(*open_host(), asked, record)); },
      [&](Host& host, const Json& record) {
        EXPECT_TRUE(leak().advance(host, asked, record, 500ms));
      });
}

TEST_F(MemoryLeakCrash, KilledAnywhereInUndo) {
  const TestProcess target("fd-crash", naps);
  const Params asked = params({{"pid", target.pid()}});
  explore(
      asked, target,
      [&](const Json& record) {
        ASSERT_TRUE(leak().apply(*open_host(), asked, record));
        grow(asked, record, 250ms);
      },
      [&](Host& host, const Json& record) { EXPECT_TRUE(leak().undo(host, record)); });
}

/// Tests that need a cgroup of their own.
class MemoryLeakCgroup : public MemoryLeakCrash {
 protected:
  void SetUp() override {
    MemoryLeakCrash::SetUp();
    if (IsSkipped()) return;
    cgroup_ = std::make_unique<TestCgroup>();
    if (cgroup_->directory.empty()) GTEST_SKIP() << "no cgroup with a memory controller";
  }
  Params beside(Json more = Json::object()) {
    more.update({{"where", "cgroup"}, {"cgroup", cgroup_->directory}});
    return params(std::move(more));
  }
  std::unique_ptr<TestCgroup> cgroup_;
};

TEST_F(MemoryLeakCgroup, TheTargetsCgroupIsChargedAndGetsAllBack) {
  const TestProcess target("fd-charged", naps);
  cgroup_->add(target.pid());
  const std::uint64_t before = cgroup_->current();
  const Params asked = params({{"pid", target.pid()}});
  const Json record = inject(asked);
  EXPECT_EQ(grow(asked, record, 2s), 64 * kMiB);
  EXPECT_GE(cgroup_->current(), before + 64 * kMiB);
  EXPECT_LT(cgroup_->current(), before + 66 * kMiB) << "page tables, and what is charged ahead";
  undo(record);
  EXPECT_LT(cgroup_->current(), before + 2 * kMiB);
}

TEST_F(MemoryLeakCgroup, BeyondItsLimitIsRefusedWithTheNumbersOrKillsTheTarget) {
  const TestProcess target("fd-oom", naps);
  const TestProcess neighbour("fd-neighbour", naps);
  cgroup_->limit(48 * kMiB);
  cgroup_->add(target.pid());
  cgroup_->add(neighbour.pid());
  const auto refused = leak().capture(*open_host(), params({{"pid", target.pid()}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_THAT(refused.error().what, HasSubstr(cgroup_->directory));
  EXPECT_THAT(refused.error().what, HasSubstr("48.0 MiB"));
  EXPECT_THAT(refused.error().what, HasSubstr("allow-oom"));

  const Params asked = params({{"pid", target.pid()}, {"allow-oom", true}});
  const Json record = inject(asked);
  EXPECT_EQ(advance(asked, record, 2s).at("alive"), false);
  EXPECT_FALSE(target.alive());
  EXPECT_EQ(cgroup_->oom_kills(), 1U);
  EXPECT_TRUE(neighbour.goes_round(2)) << "only the one that leaks may die";
  EXPECT_EQ(leak().undo(*open_host(), record), UndoOutcome::already_gone);
}

TEST_F(MemoryLeakCgroup, HelperGrowsInTheCgroupAndIsUndone) {
  const std::uint64_t before = cgroup_->current();
  const Params asked = beside();
  const Json record = inject(asked);
  EXPECT_EQ(grow(asked, record, 500ms), 32 * kMiB);
  EXPECT_GE(cgroup_->current(), before + 32 * kMiB);
  undo(record);
  EXPECT_LT(cgroup_->current(), before + 2 * kMiB);
}

TEST_F(MemoryLeakCgroup, HelperDiesFirstWhenMemoryRunsOut) {
  const TestProcess target("fd-survivor", naps);
  cgroup_->add(target.pid());
  cgroup_->limit(48 * kMiB);
  const Params asked = beside({{"allow-oom", true}});
  const Json record = inject(asked);
  EXPECT_EQ(advance(asked, record, 2s).at("alive"), false);
  EXPECT_TRUE(target.goes_round(2));
  EXPECT_EQ(cgroup_->oom_kills(), 1U);
  EXPECT_EQ(leak().undo(*open_host(), record), UndoOutcome::already_gone);
}

TEST_F(MemoryLeakCgroup, HelperLeavesWhenItsCgroupIsStopped) {
  const Json record = inject(beside());
  const auto holder = kernel::find_process_ids(record.at("holder"));
  ASSERT_EQ(holder->size(), 1U);
  ::kill(holder->front().pid, SIGTERM);  // as systemd stops a unit
  for (int i = 0; i < 200 && !kernel::find_process_ids(record.at("holder"))->empty(); ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(leak().undo(*open_host(), record), UndoOutcome::already_gone);
}

TEST_F(MemoryLeakCgroup, KilledAnywhereWhileAHelperIsStarted) {
  const TestProcess target("fd-beside", naps);
  const Params asked = beside();
  explore(
      asked, target, [](const Json&) {},
      [&](Host& host, const Json& record) { EXPECT_TRUE(leak().apply(host, asked, record)); });
}

TEST_F(MemoryLeakCgroup, NoSuchCgroupIsRefused) {
  const auto refused =
      leak().capture(*open_host(), params({{"where", "cgroup"}, {"cgroup", "no/such/cgroup"}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found);
  EXPECT_EQ(refused.error().pointer, "/cgroup");
}

}  // namespace
}  // namespace firedrill::agent::test
