// How long the machine waits for the word on the baseline.
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

}  // namespace
}  // namespace firedrill::machine
