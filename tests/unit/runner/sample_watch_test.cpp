#include "controller/runner/sample_watch.hpp"

#include <gtest/gtest.h>

namespace firedrill {
namespace {

using namespace std::chrono_literals;

UtcTime at(double seconds) { return from_micros(static_cast<std::int64_t>(seconds * 1e6)); }

Tolerance range(double low, double high) {
  Tolerance tolerance;
  tolerance.low = low;
  tolerance.high = high;
  return tolerance;
}

struct World {
  Experiment experiment;
  Plan plan;

  World() {
    ProbeSpec spec;
    spec.name = "p99";
    spec.measure = "p99_ms";
    spec.unit = "ms";
    spec.tolerance = range(0, 100);
    spec.breach_after = 2;
    plan.probes.push_back({spec, "client-1"});
    PlannedStepProbe step;
    step.step = "raise-ring";
    step.host = "db-1";
    step.verify.probe = "nic-ring";
    step.verify.measure = "rx_slots";
    step.verify.tolerance = range(512, 1e9);
    plan.step_probes.push_back(step);
    StopCondition stop;
    stop.name = "too-bad";
    stop.probe = "p99";
    stop.tolerance = range(0, 1000);
    stop.for_time = 3s;
    experiment.stop_conditions.push_back(stop);
  }
};

SampleSeen sample(std::string probe, std::string host, double from, std::string_view measure,
                  double value) {
  return {std::move(probe),
          std::move(host),
          at(from),
          at(from + 1),
          {{"values", {{measure, value}}}, {"error", ""}}};
}

SampleSeen p99(double from, double value) {
  return sample("p99", "client-1", from, "p99_ms", value);
}

SampleSeen ring(double from, double value) {
  return sample("step:raise-ring", "db-1", from, "rx_slots", value);
}

TEST(SampleWatch, OneBlipIsNoBreachAndTwoAre) {
  World world;
  SampleWatch watch(world.experiment, world.plan);
  std::vector<std::string> reasons;
  EXPECT_FALSE(watch.steady_since(at(0), reasons)) << "no sample yet";
  for (const auto& [from, value] : {std::pair{0.0, 50.0}, {1.0, 300.0}, {2.0, 50.0}})
    watch.observe(p99(from, value));
  reasons.clear();
  EXPECT_TRUE(watch.steady_since(at(0), reasons)) << reasons.front();
  for (const auto& [from, value] : {std::pair{3.0, 300.0}, {4.0, 300.0}, {5.0, 50.0}})
    watch.observe(p99(from, value));
  EXPECT_FALSE(watch.steady_since(at(0), reasons));
  EXPECT_NE(reasons.at(0).find("300"), std::string::npos) << reasons.at(0);
  reasons.clear();
  EXPECT_TRUE(watch.steady_since(at(5), reasons)) << "later samples are judged by themselves";
}

TEST(SampleWatch, BadNewestSampleIsInDoubtUntilTheNextOne) {
  World world;
  SampleWatch watch(world.experiment, world.plan);
  EXPECT_FALSE(watch.in_doubt_since(at(0))) << "no sample yet: nothing to wait for";
  watch.observe(p99(0, 50.0));
  EXPECT_FALSE(watch.in_doubt_since(at(0)));
  watch.observe(p99(1, 300.0));
  EXPECT_TRUE(watch.in_doubt_since(at(0)));
  SampleWatch breached = watch;
  watch.observe(p99(2, 50.0));
  EXPECT_FALSE(watch.in_doubt_since(at(0)));
  std::vector<std::string> reasons;
  EXPECT_TRUE(watch.steady_since(at(0), reasons)) << "it was a blip";
  breached.observe(p99(2, 300.0));
  EXPECT_FALSE(breached.in_doubt_since(at(0))) << "a breach is no doubt";
  breached.observe(p99(3, 50.0));
  breached.observe(p99(4, 300.0));
  EXPECT_FALSE(breached.in_doubt_since(at(0))) << "nor is a bad sample after one";
}

TEST(SampleWatch, SampleThatTakesAsLongAsTheSteadyStateMustHoldCounts) {
  World world;
  world.plan.probes.at(0).spec.interval = 5s;
  SampleWatch watch(world.experiment, world.plan);
  const auto slow = [](double from) {
    SampleSeen seen = p99(from, 50.0);
    seen.to = at(from + 5);
    return seen;
  };
  watch.observe(slow(0));
  watch.observe(slow(5));
  std::vector<std::string> reasons;
  EXPECT_TRUE(watch.steady_since(watch.since_for(5s, at(10.01)), reasons));
  EXPECT_FALSE(watch.steady_since(at(10.01) - 5s, reasons)) << "it began before";
}

TEST(SampleWatch, UsersAreWholeOnlyAfterGoodSamplesOnEnd) {
  World world;
  SampleWatch watch(world.experiment, world.plan);
  EXPECT_FALSE(watch.whole_for(5s)) << "no sample yet";
  watch.observe(p99(0, 300.0));
  for (const double from : {1.0, 2.0, 3.0, 4.0, 5.0}) watch.observe(p99(from, 50.0));
  std::vector<std::string> reasons;
  EXPECT_TRUE(watch.steady_since(at(0), reasons)) << "one blip";
  EXPECT_FALSE(watch.whole_for(5s)) << "good from somewhere in the first good second";
  watch.observe(p99(6, 50.0));
  EXPECT_TRUE(watch.whole_for(5s));
  watch.observe(p99(7, 300.0));
  EXPECT_FALSE(watch.whole_for(1s));
}

TEST(SampleWatch, SampleWithoutValueIsNotSteady) {
  World world;
  SampleWatch watch(world.experiment, world.plan);
  watch.observe({"p99",
                 "client-1",
                 at(0),
                 at(1),
                 {{"values", Json::object()}, {"error", "connection refused"}}});
  std::vector<std::string> reasons;
  EXPECT_FALSE(watch.steady_since(at(0), reasons));
  EXPECT_NE(reasons.at(0).find("connection refused"), std::string::npos);
}

TEST(SampleWatch, StepCountsOnlyOnceFalseAfterTheInjection) {
  World world;
  SampleWatch watch(world.experiment, world.plan);
  EXPECT_FALSE(watch.observe_step(ring(0, 64))) << "false before the injection shows nothing";
  EXPECT_FALSE(watch.observe_step(ring(1, 1024))) << "nor does becoming true before it";
  watch.injected();
  EXPECT_FALSE(watch.observe_step(ring(2, 1024))) << "true all along is not a step taken";
  EXPECT_FALSE(watch.observe_step(ring(3, 64)));
  const auto step = watch.observe_step(ring(4, 1024));
  ASSERT_TRUE(step);
  EXPECT_EQ(step->step, "raise-ring");
  EXPECT_EQ(step->last_not, at(4));
  EXPECT_EQ(step->seen, at(5));
  EXPECT_FALSE(watch.observe_step(ring(5, 1024))) << "once";
}

TEST(SampleWatch, StopConditionNeedsItsTimeAndFiresOnce) {
  World world;
  SampleWatch watch(world.experiment, world.plan);
  EXPECT_TRUE(watch.observe_stop(p99(0, 2000)).empty());
  EXPECT_TRUE(watch.observe_stop(p99(1, 50)).empty()) << "a good sample starts it anew";
  EXPECT_TRUE(watch.observe_stop(p99(2, 2000)).empty());
  EXPECT_TRUE(watch.observe_stop(p99(3, 2000)).empty());
  EXPECT_EQ(watch.observe_stop(p99(4, 2000)).size(), 1U);
  EXPECT_TRUE(watch.observe_stop(p99(5, 2000)).empty());
}

}  // namespace
}  // namespace firedrill
