// What an injection does while it is active, and what becomes of it when any part of that fails.
#include "tests/unit/executor/engine_fixture.hpp"

namespace firedrill::agent::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CourseTest : public EngineTest {
 protected:
  static FaultRequest flapping() {
    FaultRequest out = request("i1", "a");
    out.pattern = Pattern{10s, 20s};
    return out;
  }
  static FaultRequest ramped() {
    FaultRequest out = request("i1", "a");
    out.params["loss"] = "40%";
    out.ramp = Ramp{"loss", "0%", 40s, 4};
    return out;
  }
  void expect_failed_at(const std::string& stage) {
    EXPECT_EQ(world_.values["a"], "good");
    EXPECT_EQ(state("i1"), InjectionState::undone);
    ASSERT_NE(last("injection.failed"), nullptr);
    EXPECT_EQ(last("injection.failed")->data["stage"], stage);
    EXPECT_EQ(last("injection.undone")->data["cause"], "apply-failed");
  }
  void expect_superseded() {
    EXPECT_EQ(state("i1"), InjectionState::undone);
    EXPECT_EQ(last("injection.failed"), nullptr);
    EXPECT_EQ(last("injection.undone")->data["cause"], "superseded");
  }
};

TEST_F(CourseTest, APatternIsUndoneAndAppliedAgainByTheSameRecord) {
  inject(flapping());
  pass(10s - 1us);
  EXPECT_EQ(world_.values["a"], "broken");
  pass(1us);
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_EQ(state("i1"), InjectionState::active) << "its record still undoes it";
  EXPECT_THAT(status("i1")->detail, HasSubstr("off period"));
  const Json paused = last("injection.paused")->data;
  EXPECT_EQ(paused["outcome"], "restored");
  EXPECT_EQ(paused["done_us"], to_micros(clock_.utc()));
  pass(20s);
  EXPECT_EQ(world_.values["a"], "broken");
  EXPECT_EQ(last("injection.resumed")->data["values"], (Json{{"value", "broken"}}));
  EXPECT_EQ(last("injection.resumed")->run, "run-1");
  pass(5min - 30s);
  EXPECT_EQ(state("i1"), InjectionState::undone);
  EXPECT_EQ(last("injection.undone")->data["cause"], "time-up");
  EXPECT_EQ(last("injection.undone")->data["outcome"], "already-gone") << "it ended while off";
  EXPECT_EQ(std::ranges::count(world_.log, "apply a"), 10);
  EXPECT_EQ(std::ranges::count(kinds(), "injection.paused"), 10);
  EXPECT_EQ(std::ranges::count(kinds(), "injection.resumed"), 9);
  EXPECT_EQ(std::ranges::count(kinds(), "injection.active"), 1);
}

TEST_F(CourseTest, AnOffPeriodWritesNothingIntoTheJournal) {
  inject(flapping());
  const std::uint64_t version = pulse_.journal_version.load();
  pass(100s);
  EXPECT_EQ(pulse_.journal_version.load(), version);
  EXPECT_EQ(journal_->view().open.at(0).state, InjectionState::active);
}

TEST_F(CourseTest, PeriodsThatWereMissedAreNotMadeUpFor) {
  inject(flapping());
  clock_.elapsed += 75s;  // the thread was held up: now it is in the third off period
  step();
  EXPECT_THAT(world_.log, ElementsAre("apply a", "undo a"));
  pass(15s);
  EXPECT_EQ(world_.values["a"], "broken");
}

TEST_F(CourseTest, APauseThatFailsEndsTheInjectionAndIsRetried) {
  inject(flapping());
  world_.fail_undo["a"] = 2;  // the pause, and the first attempt of the undo that follows
  pass(10s);
  EXPECT_EQ(state("i1"), InjectionState::undoing);
  EXPECT_THAT(last("injection.failed")->data["error"].get<std::string>(), HasSubstr("undo failed"));
  pass(1s);
  expect_failed_at("pause");
  EXPECT_EQ(last("injection.paused"), nullptr);
  pass(5min);
  EXPECT_EQ(std::ranges::count(world_.log, "apply a"), 1) << "it does not come back";
}

TEST_F(CourseTest, AHostThatDiffersAfterAPauseIsDirty) {
  inject(flapping());
  world_.undo_does_nothing = true;
  pass(10s);
  EXPECT_EQ(state("i1"), InjectionState::dirty);
  EXPECT_THAT(last("injection.dirty")->data["differences"], ElementsAre("a is broken"));
}

TEST_F(CourseTest, AResumeThatFailsIsTakenBack) {
  inject(flapping());
  pass(10s);
  world_.fail_apply = true;
  pass(20s);
  expect_failed_at("resume");
}

TEST_F(CourseTest, AnExceptionAtAResumeIsTakenBack) {
  inject(flapping());
  pass(10s);
  world_.throw_in_apply = true;
  pass(20s);
  expect_failed_at("resume");
}

TEST_F(CourseTest, AHostThatCannotBeReadIsNotAppliedAgain) {
  inject(flapping());
  pass(10s);
  world_.log.clear();
  world_.fail_verify = true;
  pass(20s);
  world_.fail_verify = false;
  pass(1s);
  expect_failed_at("resume");
  EXPECT_EQ(std::ranges::count(world_.log, "apply a"), 0);
}

TEST_F(CourseTest, WhatRespondersChangeDuringAnOnPeriodEndsIt) {
  inject(flapping());
  world_.values["a"] = "theirs";
  pass(10s);
  expect_superseded();
  EXPECT_THAT(last("injection.undone")->data["superseded"], ElementsAre("a is theirs"));
  pass(5min);
  EXPECT_EQ(world_.values["a"], "theirs") << "nobody fights them";
}

TEST_F(CourseTest, WhatRespondersChangeDuringAnOffPeriodIsNotOverwritten) {
  inject(flapping());
  pass(15s);
  world_.values["a"] = "theirs";
  pass(15s);
  expect_superseded();
  EXPECT_EQ(world_.values["a"], "theirs");
  EXPECT_EQ(std::ranges::count(world_.log, "apply a"), 1);
}

TEST_F(CourseTest, ARampMovesInEqualStepsAndStaysAtItsEnd) {
  inject(ramped());
  pass(2min);
  EXPECT_THAT(world_.log, ElementsAre("apply a 0%", "adjust a 10%", "adjust a 20%", "adjust a 30%",
                                      "adjust a 40%"));
  const Json& last_step = last("injection.adjusted")->data;
  EXPECT_EQ(last_step["parameter"], "loss");
  EXPECT_EQ(last_step["value"], "40%");
  EXPECT_EQ(last_step["step"], 4);
  EXPECT_EQ(last_step["steps"], 4);
  EXPECT_EQ(last_step["values"], (Json{{"loss", "40%"}}));
  EXPECT_EQ(last_step["done_us"], to_micros(clock_.utc() - 80s));
  EXPECT_EQ(status("i1")->values, (Json{{"loss", "40%"}}));
}

TEST_F(CourseTest, TheRecordTellsUndoWhatTheRampMayHaveSet) {
  const auto record = engine_->prepare(ramped());
  ASSERT_TRUE(record);
  EXPECT_EQ(record->at("ramp"),
            (Json{{"parameter", "loss"}, {"from", 0.0}, {"to", 0.4}, {"steps", 4}}));
  EXPECT_EQ(journal_->view().open.at(0).record, *record);
}

TEST_F(CourseTest, ARampGoesOnWhileThePatternIsOff) {
  FaultRequest both = ramped();
  both.pattern = Pattern{15s, 10s};
  inject(both);
  pass(60s);
  EXPECT_THAT(world_.log, ElementsAre("apply a 0%", "adjust a 10%", "undo a", "apply a 20%",
                                      "adjust a 30%", "undo a", "apply a 40%"));
}

TEST_F(CourseTest, AnAdjustThatFailsEndsTheInjection) {
  inject(ramped());
  world_.fail_adjust = "no";
  pass(10s);
  expect_failed_at("adjust");
}

TEST_F(CourseTest, AnAdjustThatFindsRespondersThereLeavesItToThem) {
  inject(ramped());
  world_.values["a"] = "theirs";
  world_.fail_adjust = "conflict";
  pass(10s);
  expect_superseded();
  EXPECT_EQ(world_.values["a"], "theirs");
}

TEST_F(CourseTest, AFaultThatGoesOnIsToldTheTimeSinceItWasApplied) {
  world_.pace = 250ms;
  FaultRequest leak = request("i1", "a");
  leak.pattern = Pattern{1s, 1s};
  inject(leak);
  pass(2600ms);
  EXPECT_THAT(world_.advances, ElementsAre(250ms, 500ms, 750ms, 250ms, 500ms))
      << "nothing while off, and counted anew when it is applied again";
}

TEST_F(CourseTest, ProgressIsToldAtMostOnceASecondAndOnlyWhenThereIsSome) {
  world_.pace = 100ms;
  inject(request("i1", "a"));
  pass(5s);
  EXPECT_EQ(world_.grown, 50);
  EXPECT_EQ(std::ranges::count(kinds(), "injection.progress"), 5);
  EXPECT_EQ(last("injection.progress")->data["values"], (Json{{"grown", 50}}));
  EXPECT_EQ(status("i1")->values, (Json{{"grown", 50}}));
  world_.growth_per_call = 0;
  pass(10s);
  EXPECT_EQ(std::ranges::count(kinds(), "injection.progress"), 5) << "a plateau is no news";
}

TEST_F(CourseTest, CallsThatWereMissedAreNotMadeUpFor) {
  world_.pace = 100ms;
  inject(request("i1", "a"));
  clock_.elapsed += 10s;
  step();
  EXPECT_THAT(world_.advances, ElementsAre(10s));
}

TEST_F(CourseTest, AFaultThatIsSlowerThanItsPaceLetsOthersHaveTheirTurn) {
  world_.pace = 100ms;
  inject(request("i1", "a"));
  world_.during_advance = [this] {
    clock_.elapsed += 200ms;
    if (world_.advances.size() > 20) world_.pace.reset();  // else a bug would never end
  };
  clock_.elapsed += 100ms;
  step();
  EXPECT_THAT(world_.advances, ElementsAre(100ms)) << "calls, renewals and halts wait for this";
  step();
  EXPECT_THAT(world_.advances, ElementsAre(100ms, 300ms));
}

TEST_F(CourseTest, AFaultThatCannotGoOnIsTakenBack) {
  world_.pace = 100ms;
  inject(request("i1", "a"));
  world_.fail_advance = "no";
  pass(100ms);
  expect_failed_at("advance");
  world_.fail_advance = "conflict";
  events_.clear();
  inject(request("i1", "a"));
  pass(100ms);
  expect_superseded();
}

TEST_F(CourseTest, AFaultsOwnPatternIsFollowed) {
  world_.own_pattern = Pattern{5s, 5s};
  inject(request("i1", "a"));
  pass(5s);
  EXPECT_EQ(world_.values["a"], "good");
  const auto both = engine_->prepare([] {
    FaultRequest out = request("i2", "b");
    out.pattern = Pattern{1s, 1s};
    return out;
  }());
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().pointer, "/pattern");
}

TEST_F(CourseTest, WhatCannotRampIsRefusedWithThePlaceAndNothingIsLeft) {
  const auto refusal = [&](const Ramp& ramp, Json more = {{"loss", "40%"}}) {
    FaultRequest what = request("i1", "a");
    what.params.update(more);
    what.ramp = ramp;
    const auto prepared = engine_->prepare(what);
    return prepared ? "accepted" : prepared.error().pointer + ": " + prepared.error().what;
  };
  EXPECT_THAT(refusal({"los", "0%", 1s, 1}), HasSubstr("/ramp/parameter: unknown parameter 'los'"));
  EXPECT_THAT(refusal({"los", "0%", 1s, 1}), HasSubstr("Did you mean 'loss'?"));
  EXPECT_THAT(refusal({"key", "a", 1s, 1}), HasSubstr("/ramp/parameter: 'key' cannot change"));
  EXPECT_THAT(refusal({"loss", "0%", 1s, 1}, Json::object()), HasSubstr("among the arguments"));
  EXPECT_THAT(refusal({"loss", "5s", 1s, 1}), HasSubstr("/ramp/from"));
  EXPECT_THAT(refusal({"loss", "200%", 1s, 1}), HasSubstr("/ramp/from"));
  EXPECT_THAT(engine_->list(), IsEmpty());
}

TEST_F(CourseTest, ThePolicyBoundsBothEndsOfARamp) {
  constexpr ParamSpec kParams[] = {{.name = "loss",
                                    .type = ParamType::ratio,
                                    .min = 0,
                                    .max = 1,
                                    .choices = {},
                                    .default_text = {},
                                    .help = {}}};
  const FaultTable table{"fake", kParams};
  const auto policy = Policy::parse({{"limits", {{"fake", {{"loss", {{"max", "20%"}}}}}}}}, "",
                                    "agent.json", "", {&table, 1});
  ASSERT_TRUE(policy);
  kill();
  policy_ = *policy;
  boot();
  FaultRequest down = request("i1", "a");
  down.params["loss"] = "10%";
  down.ramp = Ramp{"loss", "30%", 10s, 2};
  const auto refused = engine_->prepare(down);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_THAT(refused.error().what, HasSubstr("where the ramp starts"));
  EXPECT_EQ(engine_->prepare(ramped()).error().code, ErrorCode::refused) << "its end";
  down.ramp->from = "20%";
  EXPECT_TRUE(engine_->prepare(down));
}

TEST_F(CourseTest, DeathInAnOnOrAnOffPeriodIsRecoveredFrom) {
  for (const Duration at : {5s, 15s, 35s}) {
    inject(flapping());
    pass(at);
    kill();
    boot();
    EXPECT_EQ(world_.values["a"], "good") << to_string(at);
    EXPECT_EQ(state("i1"), InjectionState::undone);
    EXPECT_EQ(last("injection.undone")->data["cause"], "agent-died");
    pass(5min);
    EXPECT_EQ(world_.values["a"], "good") << "a dead agent's pattern does not go on";
    world_.log.clear();
  }
}

TEST_F(CourseTest, DeathInTheMiddleOfAResumeIsRecoveredFrom) {
  inject(flapping());
  pass(10s);
  const std::filesystem::path crashed = directory_.string() + "-crashed";
  world_.during_apply = [&] { std::filesystem::copy(directory_, crashed); };
  pass(20s);
  kill();
  world_.values["a"] = "broken";
  std::filesystem::remove_all(directory_);
  std::filesystem::rename(crashed, directory_);
  boot();
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

TEST_F(CourseTest, AHaltInAnOffPeriodLeavesNothingOn) {
  inject(flapping());
  pass(15s);
  ASSERT_TRUE(engine_->undo({}, UndoCause::halted));
  pass(5min);
  EXPECT_EQ(world_.values["a"], "good");
  EXPECT_EQ(last("injection.undone")->data["cause"], "halted");
}

}  // namespace
}  // namespace firedrill::agent::testing
