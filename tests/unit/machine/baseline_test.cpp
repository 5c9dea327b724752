// How long the machine waits for the word on the baseline.
#include <algorithm>

#include "tests/unit/machine/fixture.hpp"

namespace firedrill::machine {
namespace {

TEST(Run, TheAnswerOnTheBaselineMayTakeAsLongAsThePlanWaitsForIt) {
  Plan plan = plan_of_two();
  plan.phases.baseline_within = 60s;
  Drive drive(plan);
  drive.feed(input::Start{});
  drive.feed(input::PreflightDone{true, {}});
  drive.tick();
  ASSERT_EQ(drive.asked_last<command::CheckBaseline>().size(), 1U);
  drive.now += 54s;  // 45 s of waiting, and some for the answer
  drive.feed(input::Tick{});
  EXPECT_EQ(drive.state.phase, Phase::baseline);
  drive.tick();
  EXPECT_EQ(drive.state.outcome, Outcome::not_started);
}

TEST(Run, WhatRefusesABaselineNamesTheWaitThatNobodyAskedFor) {
  const auto names_it = [](Duration within) {
    Plan plan = plan_of_two();
    plan.phases.baseline_within = within;
    Drive drive(plan);
    drive.feed(input::Start{});
    drive.feed(input::PreflightDone{true, {}});
    drive.tick();
    drive.feed(input::BaselineDone{.steady = false, .quiet = true, .reasons = {"writes: 900 ms"}});
    EXPECT_EQ(drive.state.outcome, Outcome::not_started);
    return std::ranges::any_of(drive.state.reasons, [](const std::string& reason) {
      return reason.contains("phases.baseline-within");
    });
  };
  EXPECT_TRUE(names_it({}));
  EXPECT_FALSE(names_it(60s));
}

}  // namespace
}  // namespace firedrill::machine
