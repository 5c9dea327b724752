// Cures of injections that are on and off by turns, or grow: what we did ourselves is never one.
#include "tests/unit/executor/engine_fixture.hpp"

namespace firedrill::agent::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class CureTest : public EngineTest {
 protected:
  /// The measure follows the fault, unless the responders' remedy `holds` whatever the fault does.
  void SetUp() override {
    EngineTest::SetUp();
    world_.during_apply = [&] {
      if (!remedy_) measured_ = 64;
    };
  }
  static FaultRequest flapping() {
    FaultRequest out = request("i1", "a");
    out.pattern = Pattern{10s, 10s};
    CureCondition cure;
    cure.probe = "p";
    cure.value = "slots";
    cure.min = 512;
    cure.interval = 1s;
    out.cured_by = cure;
    return out;
  }
  /// As a fault does that is off.
  void off() { measured_ = 4096; }
  bool remedy_ = false;
};

TEST_F(CureTest, AnOffPeriodIsNoCure) {
  inject(flapping());
  for (int round = 0; round < 5; ++round) {
    pass(10s);
    off();
    pass(10s - 1ms);
    EXPECT_EQ(last("injection.cured"), nullptr) << round;
    pass(1ms);
  }
  EXPECT_EQ(state("i1"), InjectionState::active);
}

TEST_F(CureTest, ASampleTakenWhileItWasOffCountsForNothingWhenItComesLate) {
  inject(flapping());
  pass(12s);
  off();
  const auto late = sample();
  pass(8s + 500ms);
  EXPECT_EQ(*measured_, 64);
  engine_->cure_sampled("i1", late);
  engine_->cure_sampled("i1", late);
  EXPECT_EQ(state("i1"), InjectionState::active);
}

TEST_F(CureTest, WithinAnOnPeriodARemedyIsSeenAtOnce) {
  inject(flapping());
  pass(23s);
  measured_ = 2048;
  pass(1s);
  EXPECT_EQ(last("injection.undone")->data["cause"], "cured");
  EXPECT_EQ(last("injection.cured")->data["last_not_us"], to_micros(clock_.utc()) - 1'000'000);
}

TEST_F(CureTest, ARemedyFoundInAnOffPeriodIsSeenByAWholeOnPeriodWithoutEffect) {
  inject(flapping());
  pass(9s);
  const std::int64_t last_outside = to_micros(clock_.utc());
  pass(1s);
  off();
  pass(2s);
  remedy_ = true;  // such as a second route: the fault comes back and hurts nobody
  pass(8s + 9s);
  EXPECT_EQ(last("injection.cured"), nullptr) << "the on period is not over";
  pass(1s);
  ASSERT_NE(last("injection.cured"), nullptr);
  const Json& cured = last("injection.cured")->data;
  EXPECT_EQ(cured["last_not_us"], last_outside);
  EXPECT_EQ(cured["seen_us"], to_micros(clock_.utc() - 10s) + 1000);
  EXPECT_EQ(last("injection.undone")->data["cause"], "cured");
  EXPECT_EQ(state("i1"), InjectionState::undone);
}

TEST_F(CureTest, WhatThePauseOfAnotherBroughtAboutIsNoCure) {
  FaultRequest other = request("i2", "b");
  other.pattern = Pattern{5s, 100s};
  FaultRequest watched = flapping();
  watched.pattern.reset();
  inject(other);
  inject(watched);
  pass(5s);
  measured_ = 4096;  // because i2 is off
  pass(20s);
  EXPECT_EQ(state("i1"), InjectionState::active);
}

TEST_F(CureTest, ARampNeedNotHurtBeforeItsEnd) {
  FaultRequest ramp = flapping();
  ramp.pattern.reset();
  ramp.params["loss"] = "40%";
  ramp.ramp = Ramp{"loss", "0%", 40s, 4};
  world_.during_apply = nullptr;
  inject(ramp);
  pass(35s);
  EXPECT_EQ(state("i1"), InjectionState::active);
  pass(6s);
  EXPECT_EQ(last("injection.failed")->data["stage"], "cure") << "at its end it must";
}

TEST_F(CureTest, OnPeriodsTooShortToSeeACureAreRefused) {
  FaultRequest fast = flapping();
  fast.pattern = Pattern{2s, 2s};
  const auto refused = engine_->prepare(fast);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().pointer, "/cured-by/interval");
  EXPECT_THAT(refused.error().what, HasSubstr("at least every 666.666ms"));
}

}  // namespace
}  // namespace firedrill::agent::testing
