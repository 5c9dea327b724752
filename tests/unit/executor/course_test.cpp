// Where an injection stands in its course at any time.
#include "agent/executor/course.hpp"

#include <gtest/gtest.h>

#include "agent/executor/lifecycle.hpp"

namespace firedrill::agent {
namespace {

using namespace std::chrono_literals;

TEST(Course, WithoutPatternAndRampNothingEverChanges) {
  const CourseMoment moment = moment_of({}, 5h);
  EXPECT_TRUE(moment.on);
  EXPECT_EQ(moment.step, 0);
  EXPECT_EQ(moment.next, Duration::max());
}

TEST(Course, APatternBeginsOnAndRepeats) {
  Course course;
  course.pattern = Pattern{10s, 20s};
  for (const Duration round : {Duration{0s}, Duration{30s}, Duration{30'000s}}) {
    EXPECT_TRUE(moment_of(course, round).on);
    EXPECT_EQ(moment_of(course, round).next, round + 10s);
    EXPECT_TRUE(moment_of(course, round + 10s - 1us).on);
    EXPECT_FALSE(moment_of(course, round + 10s).on);
    EXPECT_EQ(moment_of(course, round + 10s).next, round + 30s);
    EXPECT_FALSE(moment_of(course, round + 30s - 1us).on);
  }
}

TEST(Course, ARampTakesEqualStepsAndKeepsTheLast) {
  Course course;
  course.ramp_over = 60s;
  course.ramp_steps = 10;
  EXPECT_EQ(moment_of(course, 0s).step, 0);
  EXPECT_EQ(moment_of(course, 0s).next, Duration{6s});
  EXPECT_EQ(moment_of(course, 6s - 1us).step, 0);
  EXPECT_EQ(moment_of(course, 6s).step, 1);
  EXPECT_EQ(moment_of(course, 59s).step, 9);
  EXPECT_EQ(moment_of(course, 60s).step, 10);
  EXPECT_EQ(moment_of(course, 60s).next, Duration::max());
  EXPECT_EQ(moment_of(course, 24h).step, 10);
}

TEST(Course, TheNextInstantIsAlwaysAheadAndNeverSkipsAChange) {
  Course course;
  course.pattern = Pattern{130ms, 170ms};
  course.ramp_over = 700'001us;  // divides by nothing
  course.ramp_steps = 7;
  Duration at{};
  CourseMoment now = moment_of(course, at);
  int changes = 0;
  while (at < 3s) {
    ASSERT_GT(now.next, at);
    const CourseMoment before = moment_of(course, now.next - 1us);
    EXPECT_EQ(before.on, now.on);
    EXPECT_EQ(before.step, now.step);
    at = now.next;
    const CourseMoment next = moment_of(course, at);
    EXPECT_TRUE(next.on != now.on || next.step == now.step + 1) << to_string(at);
    now = next;
    ++changes;
  }
  EXPECT_EQ(now.step, 7);
  EXPECT_EQ(changes, 7 + 20);
}

TEST(Course, TheDeadlineAndTheLeaseComeBeforeTheCourse) {
  Schedule schedule;
  schedule.state = InjectionState::active;
  schedule.active_since = 100s;
  schedule.deadline = 110s;
  schedule.lease_until = 110s;
  schedule.course.pattern = Pattern{10s, 10s};
  EXPECT_EQ(decide(schedule, {{}, 109s}).due, Duration{110s});
  EXPECT_EQ(decide(schedule, {{}, 110s}).act, Act::begin_undo);
  schedule.deadline = 200s;
  EXPECT_EQ(decide(schedule, {{}, 110s}).cause, UndoCause::lease_lost);
  schedule.lease_until.reset();
  EXPECT_EQ(decide(schedule, {{}, 110s}).act, Act::pause);
}

TEST(Course, InAnOffPeriodNothingIsSampledAndNothingGrows) {
  Schedule schedule;
  schedule.state = InjectionState::active;
  schedule.deadline = 1000s;
  schedule.course = {Pattern{10s, 10s}, 60s, 2};
  schedule.on = false;
  schedule.next_poll = 11s;
  schedule.next_advance = 11s;
  EXPECT_EQ(decide(schedule, {{}, 12s}).act, Act::wait);
  EXPECT_EQ(decide(schedule, {{}, 12s}).due, Duration{20s});
  EXPECT_EQ(decide(schedule, {{}, 20s}).act, Act::resume);
  EXPECT_EQ(decide(schedule, {{}, 35s}).act, Act::adjust) << "the ramp goes on";
}

}  // namespace
}  // namespace firedrill::agent
