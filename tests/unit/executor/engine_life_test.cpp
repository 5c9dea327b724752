// An injection's whole life, and every point at which it can go wrong.
#include "tests/unit/executor/engine_fixture.hpp"

namespace firedrill::agent::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(EngineTest, LivesFromPreparedToUndone) {
  const auto record = engine_->prepare(request("i1", "a"));
  ASSERT_TRUE(record);
  EXPECT_EQ(*record, (Json{{"key", "a"}, {"old", "good"}}));
  EXPECT_EQ(world_.values["a"], "good") << "preparing only reads";
  EXPECT_EQ(state("i1"), InjectionState::prepared);

  const UtcTime at = clock_.utc() + 2s;
  ASSERT_TRUE(engine_->commit({"i1"}, at));
  pass(1s);
  EXPECT_EQ(world_.values["a"], "good") << "not before its instant";
  pass(1s);
  EXPECT_EQ(world_.values["a"], "broken");
  EXPECT_EQ(state("i1"), InjectionState::active);
  EXPECT_EQ(status("i1")->values, (Json{{"value", "broken"}}));
  EXPECT_EQ(pulse_.open.load(), 1U);

  pass(5min - 1us);
  EXPECT_EQ(state("i1"), InjectionState::active);
  pass(1us);
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_EQ(pulse_.open.load(), 0U);

  EXPECT_THAT(kinds(), ElementsAre("injection.prepared", "injection.active", "injection.undone"));
  const SeenEvent* active = last("injection.active");
  EXPECT_EQ(active->run, "run-1");
  EXPECT_EQ(active->data["host"], "db-1");
  EXPECT_EQ(active->data["started_us"], to_micros(at));
  EXPECT_EQ(active->data["values"], (Json{{"value", "broken"}}));
  const Json& undone = last("injection.undone")->data;
  EXPECT_EQ(undone["cause"], "time-up");
  EXPECT_EQ(undone["verified"], true);
  EXPECT_THAT(undone["superseded"], IsEmpty());
  EXPECT_EQ(undone["started_us"], to_micros(at + 5min));
}

TEST_F(EngineTest, TheUndoRecordIsInTheFileBeforeTheKernelIsTouched) {
  std::optional<JournalView> seen;
  world_.during_apply = [&] { seen = *read_journal(directory_); };
  inject(request("i1", "a"));
  ASSERT_TRUE(seen);
  ASSERT_EQ(seen->open.size(), 1U);
  EXPECT_EQ(seen->open[0].state, InjectionState::applying);
  EXPECT_EQ(seen->open[0].record["old"], "good");
  EXPECT_EQ(seen->open[0].deadline, clock_.boottime() + 5min);
}

TEST_F(EngineTest, RefusalsLeaveNothingBehind) {
  const auto code_of = [&](const FaultRequest& what) {
    const auto refused = engine_->prepare(what);
    return refused ? std::optional<ErrorCode>() : refused.error().code;
  };
  FaultRequest other = request("i1", "a");
  other.fault = "nosuch";
  EXPECT_EQ(code_of(other), ErrorCode::not_found);
  other = request("i1", "a");
  other.params["kye"] = "a";
  EXPECT_EQ(code_of(other), ErrorCode::invalid_input);
  EXPECT_EQ(code_of(request("i1", "forbidden")), ErrorCode::invalid_input);
  other = request("i1", "a");
  other.duration = 2h;
  EXPECT_EQ(code_of(other), ErrorCode::refused);
  world_.supported = false;
  EXPECT_EQ(code_of(request("i1", "a")), ErrorCode::unsupported);
  world_.supported = true;
  world_.fail_capture = true;
  EXPECT_EQ(code_of(request("i1", "a")), ErrorCode::io_failed);
  world_.fail_capture = false;
  guardian_ = false;
  EXPECT_EQ(code_of(request("i1", "a")), ErrorCode::unavailable);
  EXPECT_THAT(engine_->list(), IsEmpty());
  EXPECT_THAT(events_, IsEmpty());
  EXPECT_THAT(journal_->view().open, IsEmpty());
}

TEST_F(EngineTest, ASecondHolderOfAResourceIsRefusedAndTheFirstUndisturbed) {
  inject(request("i1", "a"));
  const auto second = engine_->prepare(request("i2", "a"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_THAT(second.error().what, HasSubstr("'i1'"));
  EXPECT_EQ(state("i1"), InjectionState::active);
  EXPECT_EQ(engine_->prepare(request("i1", "b")).error().code, ErrorCode::already_exists);
  EXPECT_TRUE(engine_->prepare(request("i2", "b")));
}

TEST_F(EngineTest, AtMostEightInjectionsAtOnce) {
  for (int i = 0; i < 8; ++i)
    ASSERT_TRUE(engine_->prepare(request("i" + std::to_string(i), "key" + std::to_string(i))));
  EXPECT_EQ(engine_->prepare(request("i9", "key9")).error().code, ErrorCode::refused);
}

TEST_F(EngineTest, APreparedInjectionIsDroppedWhenNobodyCommits) {
  ASSERT_TRUE(engine_->prepare(request("i1", "a")));
  pass(30s - 1us);
  EXPECT_EQ(state("i1"), InjectionState::prepared);
  pass(1us);
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_THAT(world_.log, IsEmpty());
  EXPECT_EQ(last("injection.failed")->data["stage"], "commit");
  EXPECT_EQ(last("injection.undone")->data["applied"], false);
}

TEST_F(EngineTest, CommitsOutOfTimeAreRefused) {
  ASSERT_TRUE(engine_->prepare(request("i1", "a")));
  EXPECT_FALSE(engine_->commit({"i1"}, clock_.utc() + 61s));
  EXPECT_FALSE(engine_->commit({"i1"}, clock_.utc() - 1001ms));
  EXPECT_EQ(engine_->commit({"i1", "i2"}, clock_.utc()).error().code, ErrorCode::not_found);
  EXPECT_EQ(state("i1"), InjectionState::prepared);
  EXPECT_TRUE(engine_->commit({"i1"}, clock_.utc() + 60s));
  EXPECT_TRUE(engine_->commit({"i1"}, clock_.utc() + 60s)) << "the same once more is harmless";
  EXPECT_EQ(engine_->commit({"i1"}, clock_.utc() + 5s).error().code, ErrorCode::conflict);
}

TEST_F(EngineTest, AMissedInstantIsNotMadeUpFor) {
  ASSERT_TRUE(engine_->prepare(request("i1", "a")));
  ASSERT_TRUE(engine_->commit({"i1"}, clock_.utc() + 5s));
  clock_.elapsed += 7s;  // the thread was held up
  step();
  EXPECT_THAT(world_.log, IsEmpty());
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_THAT(last("injection.failed")->data["error"].get<std::string>(), HasSubstr("missed"));
}

TEST_F(EngineTest, AFailedApplyIsTakenBack) {
  world_.fail_apply = true;
  inject(request("i1", "a"));
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_THAT(kinds(), ElementsAre("injection.prepared", "injection.failed", "injection.undone"));
  EXPECT_EQ(last("injection.failed")->data["stage"], "apply");
  EXPECT_EQ(last("injection.undone")->data["cause"], "apply-failed");
}

TEST_F(EngineTest, AnExceptionOutOfAFaultIsAFailedApply) {
  world_.throw_in_apply = true;
  inject(request("i1", "a"));
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_THAT(last("injection.failed")->data["error"].get<std::string>(), HasSubstr("thrown"));
}

TEST_F(EngineTest, AnUndoThatFailsIsRetriedWithGrowingPauses) {
  world_.fail_undo["a"] = 3;
  inject(request("i1", "a"));
  ASSERT_TRUE(engine_->undo({"i1"}, UndoCause::requested));
  EXPECT_EQ(state("i1"), InjectionState::undoing);
  pass(99ms);
  EXPECT_EQ(world_.fail_undo["a"], 2);
  pass(1ms);
  EXPECT_EQ(world_.fail_undo["a"], 1);
  pass(199ms);
  EXPECT_EQ(world_.fail_undo["a"], 1);
  pass(1ms + 400ms);
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_EQ(last("injection.dirty"), nullptr) << "it passed by itself";
  EXPECT_EQ(last("injection.undone")->data["cause"], "requested");
}

TEST_F(EngineTest, AnUndoThatKeepsFailingIsDirtyAndNeverGivenUp) {
  world_.fail_undo["a"] = 100;
  inject(request("i1", "a"));
  ASSERT_TRUE(engine_->undo({}, UndoCause::halted));
  pass(15min);
  EXPECT_EQ(state("i1"), InjectionState::dirty);
  EXPECT_THAT(status("i1")->detail, HasSubstr("undo failed"));
  EXPECT_LT(world_.fail_undo["a"], 20) << "still trying, every 10 s";
  EXPECT_EQ(std::ranges::count(kinds(), "injection.dirty"), 3) << "told, not shouted";
  EXPECT_EQ(last("injection.dirty")->data["cause"], "halted");
  world_.fail_undo["a"] = 0;
  pass(10s);
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

TEST_F(EngineTest, AHostThatDiffersAfterUndoIsDirtyAtOnce) {
  world_.undo_does_nothing = true;
  inject(request("i1", "a"));
  ASSERT_TRUE(engine_->undo({"i1"}, UndoCause::requested));
  EXPECT_EQ(state("i1"), InjectionState::dirty);
  EXPECT_THAT(last("injection.dirty")->data["differences"], ElementsAre("a is broken"));
  EXPECT_EQ(last("injection.undone"), nullptr) << "a returned 0 is not evidence";
  EXPECT_FALSE(engine_->prepare(request("i2", "a"))) << "dirty still holds its resource";
  world_.undo_does_nothing = false;
  const auto again = engine_->undo({"i1"}, UndoCause::requested);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->at(0).state, InjectionState::undone);
}

TEST_F(EngineTest, WhatRespondersSetIsLeftAndReported) {
  inject(request("i1", "a"));
  world_.values["a"] = "theirs";
  ASSERT_TRUE(engine_->undo({"i1"}, UndoCause::requested));
  EXPECT_EQ(world_.values["a"], "theirs");
  const Json& undone = last("injection.undone")->data;
  EXPECT_EQ(undone["outcome"], "superseded");
  EXPECT_THAT(undone["superseded"], ElementsAre("a is theirs"));
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

TEST_F(EngineTest, UndoesTheLastAppliedFirstAndOneFailureStopsNoOther) {
  inject(request("i1", "a"));
  inject(request("i2", "b"));
  inject(request("i3", "c"));
  world_.log.clear();
  world_.fail_undo["b"] = 1;
  ASSERT_TRUE(engine_->undo({"i2", "i1", "i3"}, UndoCause::requested));
  EXPECT_THAT(world_.log, ElementsAre("undo c", "undo b", "undo a"));
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_EQ(state("i2"), InjectionState::undoing);
  EXPECT_EQ(state("i3"), InjectionState::undone);
}

TEST_F(EngineTest, AnUnknownNameDoesNotKeepTheOthersFromBeingUndone) {
  inject(request("i1", "a"));
  const auto undone = engine_->undo({"nosuch", "i1"}, UndoCause::requested);
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().code, ErrorCode::not_found);
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_TRUE(engine_->undo({"i1"}, UndoCause::requested)) << "repeating it is harmless";
}

TEST_F(EngineTest, ALeaseThatIsNotRenewedEndsTheInjection) {
  FaultRequest leased = request("i1", "a");
  leased.lease = 10s;
  inject(leased);
  inject(request("i2", "b"));
  pass(9s);
  engine_->renew("run-1", clock_.boottime());
  engine_->renew("another run", clock_.boottime());
  pass(10s - 1us);
  EXPECT_EQ(state("i1"), InjectionState::active);
  engine_->renew("another run", clock_.boottime());
  pass(1us);
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_EQ(last("injection.undone")->data["cause"], "lease-lost");
  EXPECT_EQ(state("i2"), InjectionState::active) << "it has no lease";
}

TEST_F(EngineTest, ALeaseThatIsLostBeforeTheInstantMeansNoInjection) {
  FaultRequest leased = request("i1", "a");
  leased.lease = 5s;
  ASSERT_TRUE(engine_->prepare(leased));
  ASSERT_TRUE(engine_->commit({"i1"}, clock_.utc() + 20s));
  pass(20s);
  EXPECT_THAT(world_.log, IsEmpty());
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

TEST_F(EngineTest, AStepOfTheClockMovesNeitherCommitNorDeadlineNorLease) {
  for (const Duration step : {Duration{1h}, Duration{-1h}}) {
    const std::string id = step > Duration{} ? "ahead" : "back";
    FaultRequest leased = request(id, id == "ahead" ? "a" : "b");
    leased.lease = 10s;
    ASSERT_TRUE(engine_->prepare(leased));
    ASSERT_TRUE(engine_->commit({id}, clock_.utc() + 5s));
    clock_.stepped += step;
    pass(5s - 1us);
    EXPECT_EQ(state(id), InjectionState::prepared) << id;
    pass(1us);
    EXPECT_EQ(state(id), InjectionState::active) << id;
    engine_->renew("run-1", clock_.boottime());
    clock_.stepped += step;
    pass(10s - 1us);
    EXPECT_EQ(state(id), InjectionState::active) << id;
    pass(1us);
    EXPECT_EQ(last("injection.undone")->data["cause"], "lease-lost") << id;
  }
  inject(request("i3", "c"));
  clock_.stepped -= 1h;
  pass(5min - 1us);
  EXPECT_EQ(state("i3"), InjectionState::active);
  clock_.stepped += 3h;
  step();
  EXPECT_EQ(state("i3"), InjectionState::active);
  pass(1us);
  EXPECT_EQ(last("injection.undone")->data["cause"], "time-up");
}

TEST_F(EngineTest, TheGuardianIsShownTheFirstLeaseToEnd) {
  FaultRequest leased = request("i1", "a");
  leased.lease = 10s;
  ASSERT_TRUE(engine_->prepare(leased));
  EXPECT_EQ(pulse_.lease_until_us.load(), 0) << "nothing is on";
  ASSERT_TRUE(engine_->commit({"i1"}, clock_.utc()));
  step();
  EXPECT_EQ(pulse_.lease_until_us.load(), (clock_.boottime() + 10s).count());
  FaultRequest shorter = request("i2", "b");
  shorter.run = "run-2";
  shorter.lease = 5s;
  inject(shorter);
  EXPECT_EQ(pulse_.lease_until_us.load(), (clock_.boottime() + 5s).count());
  engine_->renew("run-2", clock_.boottime() + 2s);
  EXPECT_EQ(pulse_.lease_until_us.load(), (clock_.boottime() + 7s).count());
  ASSERT_TRUE(engine_->undo({}, UndoCause::requested));
  EXPECT_EQ(pulse_.lease_until_us.load(), 0);
}

TEST_F(EngineTest, WithoutAGuardianForGoodEverythingFailsAndIsUndone) {
  inject(request("i1", "a"));
  ASSERT_TRUE(engine_->prepare(request("i2", "b")));
  engine_->abandon("guardian", {ErrorCode::unavailable, 0, "none to be had", {}});
  EXPECT_EQ(world_.values["a"], "good");
  for (const char* id : {"i1", "i2"}) EXPECT_EQ(state(id), InjectionState::undone) << id;
  EXPECT_EQ(last("injection.failed")->data["stage"], "guardian");
  EXPECT_EQ(last("injection.undone")->data["cause"], "apply-failed");
  EXPECT_EQ(pulse_.open.load(), 0U);
}

FaultRequest curable(FaultRequest request) {
  CureCondition cure;
  cure.probe = "nic-ring";
  cure.value = "slots";
  cure.min = 512;
  cure.interval = std::chrono::milliseconds{200};
  request.cured_by = cure;
  return request;
}

TEST_F(EngineTest, TheRightMitigationEndsTheInjectionAsCured) {
  inject(request("i2", "b"));
  world_.during_apply = [&] { measured_ = 64; };
  inject(curable(request("i1", "a")));
  pass(10s);
  EXPECT_EQ(state("i1"), InjectionState::active);
  EXPECT_EQ(samples_, 50);
  const UtcTime last_outside = clock_.utc();
  measured_ = 512;
  world_.values["a"] = "good";  // the responders put it right
  pass(200ms);
  EXPECT_EQ(state("i1"), InjectionState::undone);
  const Json& cured = last("injection.cured")->data;
  EXPECT_EQ(cured["value"], 512);
  EXPECT_EQ(cured["last_not_us"], to_micros(last_outside));
  EXPECT_EQ(cured["seen_us"], to_micros(last_outside + 200ms) + 1000);
  EXPECT_EQ(last("injection.undone")->data["cause"], "cured");
  EXPECT_EQ(last("injection.undone")->data["outcome"], "already-gone");
  EXPECT_EQ(state("i2"), InjectionState::active) << "the others go on";
}

TEST_F(EngineTest, ACureThatHoldsFromTheStartIsAFailedInjection) {
  inject(curable(request("i1", "a")));
  EXPECT_THAT(kinds(), ElementsAre("injection.prepared", "injection.failed", "injection.undone"));
  EXPECT_EQ(last("injection.failed")->data["stage"], "cure");
  EXPECT_EQ(world_.values["a"], "good");
}

TEST_F(EngineTest, WhatOurOwnUndoBroughtAboutIsNoCure) {
  inject(request("i2", "b"));
  world_.during_apply = [&] { measured_ = 64; };
  inject(curable(request("i1", "a")));
  pass(1s);
  ASSERT_TRUE(engine_->undo({"i2"}, UndoCause::requested));
  measured_ = 512;  // because i2 is gone
  pass(1s);
  EXPECT_EQ(state("i1"), InjectionState::active);
  measured_ = 64;
  pass(1s);
  measured_ = 512;  // and now because somebody did something
  pass(1s);
  EXPECT_EQ(last("injection.undone")->data["cause"], "cured");
}

TEST_F(EngineTest, ACureIsCheckedBeforeAnythingIsTouched) {
  FaultRequest misspelt = curable(request("i1", "a"));
  misspelt.cured_by->value = "slot";
  const auto refused = engine_->prepare(misspelt);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("Did you mean 'slots'?"));
  measured_.reset();
  EXPECT_FALSE(engine_->prepare(curable(request("i1", "a"))));
}

TEST_F(EngineTest, ASampleThatFailsIsNeitherInNorOut) {
  world_.during_apply = [&] { measured_ = 64; };
  inject(curable(request("i1", "a")));
  measured_.reset();
  pass(2s);
  EXPECT_EQ(state("i1"), InjectionState::active);
  measured_ = 512;
  pass(200ms);
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

}  // namespace
}  // namespace firedrill::agent::testing
