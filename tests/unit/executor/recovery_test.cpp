// What a fresh process makes of the journal of a dead one.
#include "tests/unit/executor/engine_fixture.hpp"

namespace firedrill::agent::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(EngineTest, RecoversFromDeathWhileActive) {
  inject(request("i1", "a"));
  inject(request("i2", "b"));
  kill();
  world_.log.clear();
  boot();
  EXPECT_THAT(world_.log, ElementsAre("undo b", "undo a"));
  EXPECT_EQ(last("injection.undone")->data["cause"], "agent-died");
  EXPECT_EQ(last("injection.undone")->run, "run-1");
  EXPECT_THAT(journal_->view().open, IsEmpty());
}

TEST_F(EngineTest, RecoversFromDeathWhilePrepared) {
  ASSERT_TRUE(engine_->prepare(request("i1", "a")));
  world_.values["a"] = "changed by its owner";
  kill();
  boot();
  EXPECT_THAT(world_.log, IsEmpty()) << "the kernel was never touched";
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

TEST_F(EngineTest, RecoversFromDeathInTheMiddleOfApply) {
  // A copy of the directory, taken while the fault is at work, is what a crash there leaves.
  const std::filesystem::path crashed = directory_.string() + "-crashed";
  world_.during_apply = [&] {
    std::filesystem::copy(directory_, crashed);
    world_.values["a"] = "broken";
  };
  inject(request("i1", "a"));
  kill();
  std::filesystem::remove_all(directory_);
  std::filesystem::rename(crashed, directory_);
  boot();
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

TEST_F(EngineTest, RecoversFromDeathWhileDirty) {
  world_.undo_does_nothing = true;
  inject(request("i1", "a"));
  ASSERT_TRUE(engine_->undo({}, UndoCause::halted));
  kill();
  boot();
  EXPECT_EQ(state("i1"), InjectionState::dirty) << "never healed by forgetting";
  world_.undo_does_nothing = false;
  pass(10s);
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

TEST_F(EngineTest, AfterARebootItVerifiesBeforeItTouches) {
  inject(request("i1", "a"));
  inject(request("i2", "b"));
  kill();
  world_.log.clear();
  world_.values["a"] = "good";  // kernel state went with the boot; b is on a disk and stayed
  boot_id_ = "99999999-2222-3333-4444-555555555555";
  boot();
  EXPECT_THAT(world_.log, ElementsAre("undo b"));
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_EQ(state("i2"), InjectionState::undone);
  std::map<std::string, std::string> outcomes;
  for (const SeenEvent& event : events_)
    if (event.kind == "injection.undone" && event.data.value("rebooted", false))
      outcomes[event.data["injection"].get<std::string>()] =
          event.data["outcome"].get<std::string>();
  EXPECT_EQ(outcomes,
            (std::map<std::string, std::string>{{"i1", "already-gone"}, {"i2", "restored"}}));
}

TEST_F(EngineTest, WhatDiffersAfterARebootIsDirtyAndRetried) {
  inject(request("i1", "a"));
  kill();
  boot_id_ = "99999999-2222-3333-4444-555555555555";
  world_.undo_does_nothing = true;
  boot();
  EXPECT_EQ(state("i1"), InjectionState::dirty);
  EXPECT_EQ(last("injection.dirty")->data["rebooted"], true);
  pass(2h);
  EXPECT_EQ(state("i1"), InjectionState::dirty) << "for ever";
  world_.undo_does_nothing = false;
  ASSERT_TRUE(engine_->undo({"i1"}, UndoCause::requested));
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

TEST_F(EngineTest, ReportsTheGuardiansOutcomesOnceWithTheirOwnInstants) {
  inject(request("i1", "a"));
  kill();
  {
    const auto lock = StateLock::acquire(directory_);
    ASSERT_TRUE(lock);
    auto journal = Journal::open(directory_, boot_id_, *lock);
    ASSERT_TRUE(journal);
    const JournalEntry entry = journal->view().open.at(0);
    const UndoAttempt attempt = attempt_undo(fault_, host_, entry, boot_id_, clock_);
    Transition outcome = undo_transition(entry, attempt, UndoCause::agent_died, "db-1", 0);
    outcome.by_guardian = true;
    ASSERT_TRUE(journal->record(outcome, Durability::synced));
  }
  const UtcTime undone_at = clock_.utc();
  clock_.elapsed += 1h;
  events_.clear();
  boot();
  ASSERT_THAT(kinds(), ElementsAre("injection.undone"));
  EXPECT_EQ(events_[0].at, undone_at);
  EXPECT_EQ(events_[0].data["done_us"], to_micros(undone_at));
  EXPECT_EQ(state("i1"), InjectionState::undone);
  kill();
  events_.clear();
  boot();
  EXPECT_THAT(events_, IsEmpty());
}

TEST_F(EngineTest, AFaultThisProgramDoesNotKnowStaysUnknownUntilForgotten) {
  inject(request("i1", "a"));
  kill();
  known_ = false;
  boot();
  EXPECT_EQ(state("i1"), InjectionState::unknown);
  pass(1h);
  EXPECT_EQ(state("i1"), InjectionState::unknown);
  ASSERT_TRUE(engine_->forget("i1"));
  EXPECT_FALSE(status("i1"));
  kill();
  boot();
  EXPECT_FALSE(status("i1"));
}

TEST_F(EngineTest, ALostRecordIsListedAsUnknown) {
  inject(request("i1", "a"));
  kill();
  {
    std::fstream file(directory_ / "journal", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(journal_format::kHeaderBytes + journal_format::kRecordHeaderBytes + 10);
    file.put('#');
  }
  boot();
  EXPECT_EQ(state("i1"), InjectionState::unknown);
  EXPECT_THAT(status("i1")->detail, HasSubstr("undo record is lost"));
  EXPECT_EQ(world_.values["a"], "broken");
  EXPECT_EQ(last("injection.undone"), nullptr);
  const auto undone = engine_->undo({"i1"}, UndoCause::requested);
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().code, ErrorCode::corrupt);
  EXPECT_THAT(undone.error().what, HasSubstr("--forget"));
  for ([[maybe_unused]] const int start : {1, 2}) {
    ASSERT_NE(last("injection.dirty"), nullptr) << "a person is told at each start";
    EXPECT_EQ(last("injection.dirty")->data["unknown"], true);
    events_.clear();
    kill();
    boot();
  }
}

TEST_F(EngineTest, WhatCanBeUndoneIsNotForgotten) {
  inject(request("i1", "a"));
  EXPECT_EQ(engine_->forget("i1").error().code, ErrorCode::refused);
  EXPECT_EQ(engine_->forget("nosuch").error().code, ErrorCode::not_found);
  EXPECT_EQ(state("i1"), InjectionState::active);
}

}  // namespace
}  // namespace firedrill::agent::testing
