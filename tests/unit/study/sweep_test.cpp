// Sweeps: zones, thresholds, and which intensity comes next.
#include "controller/study/sweep.hpp"

#include <gtest/gtest.h>

#include "tests/unit/study/studied.hpp"

namespace firedrill {
namespace {

using testing::harmless;
using testing::studied;
using testing::unattended;

/// Users are hurt from `hurt` on, monitoring notices from `noticed` on.
StudiedRun truth(const Session& session, double value, double hurt, double noticed) {
  const std::optional<double> alert = value >= noticed ? std::optional(12.0) : std::nullopt;
  return studied("run-" + std::to_string(value),
                 value >= hurt ? unattended(alert) : harmless(alert),
                 SessionTag{.session = session, .index = 0, .value = value});
}

/// Runs the sweep to its end against that truth.
Sweep conduct(const Session& session, double hurt, double noticed) {
  std::vector<StudiedRun> runs;
  Sweep sweep;
  sweep.vary = parse_vary(session.sweep->vary).value();
  while (const auto value = next_intensity(*session.sweep, sweep)) {
    runs.push_back(truth(session, *value, hurt, noticed));
    sweep = summarize_sweep(runs).value();
    if (runs.size() > 200) break;
  }
  return sweep;
}

TEST(Sweep, FindsTheGrayZoneOnAGrid) {
  const Sweep sweep = conduct(testing::sweep_session("netem.loss=0.1%..30%"), 0.005, 0.04);
  ASSERT_EQ(sweep.points.size(), 8U);
  EXPECT_LT(*sweep.hurt.low, 0.005);
  EXPECT_GE(*sweep.hurt.high, 0.005);
  EXPECT_LT(*sweep.noticed.low, 0.04);
  EXPECT_GE(*sweep.noticed.high, 0.04);
  EXPECT_EQ(sweep.points.front().zone, Zone::healthy);
  EXPECT_EQ(sweep.points.back().zone, Zone::noticed);
  EXPECT_TRUE(gray_words(sweep).starts_with("gray zone: ")) << gray_words(sweep);
}

TEST(Sweep, BisectsBothThresholdsToThePrecisionAsked) {
  const Sweep sweep = conduct(testing::sweep_session("netem.loss=0.1%..30%", 0.05), 0.005, 0.04);
  for (const auto& [threshold, at] :
       {std::pair{sweep.hurt, 0.005}, std::pair{sweep.noticed, 0.04}}) {
    ASSERT_EQ(threshold.place, Threshold::Place::inside);
    EXPECT_LT(*threshold.low, at);
    EXPECT_GE(*threshold.high, at);
    EXPECT_LE(*threshold.high / *threshold.low, 1.05);
  }
  EXPECT_LT(sweep.points.size(), 20U);  // a grid so fine would take 118
}

TEST(Sweep, BisectsDownwardsToo) {
  const Session session = testing::sweep_session("nic-ring.rx=1024..16", 0.1);
  std::vector<StudiedRun> runs;
  Sweep sweep;
  sweep.vary = parse_vary(session.sweep->vary).value();
  while (const auto value = next_intensity(*session.sweep, sweep)) {
    ASSERT_LT(runs.size(), 40U);
    runs.push_back(studied("run-" + std::to_string(*value),
                           *value <= 100 ? unattended({}) : harmless(),
                           SessionTag{.session = session, .index = 0, .value = *value}));
    sweep = summarize_sweep(runs).value();
  }
  EXPECT_GT(*sweep.hurt.low, 100);
  EXPECT_LE(*sweep.hurt.high, 100);
  EXPECT_LE(*sweep.hurt.low / *sweep.hurt.high, 1.1);
}

TEST(Sweep, SaysWhenAThresholdLiesOutsideTheRange) {
  const Session session = testing::sweep_session("netem.loss=0.1%..30%");
  const Sweep never = conduct(session, 0.005, 2);
  EXPECT_EQ(never.noticed.place, Threshold::Place::above);
  EXPECT_TRUE(gray_words(never).contains("monitoring never notices, up to 30%"));
  const Sweep always = conduct(session, 0.0001, 0.04);
  EXPECT_EQ(always.hurt.place, Threshold::Place::below);
  EXPECT_EQ(threshold_words(always.hurt, always.vary), "at most 0.1%");
  EXPECT_TRUE(gray_words(conduct(session, 2, 2)).starts_with("no gray zone: users were not hurt"));
}

TEST(Sweep, KnowsMonitoringThatNoticesBeforeUsersAreHurt) {
  const Sweep sweep = conduct(testing::sweep_session("netem.loss=0.1%..30%"), 0.04, 0.005);
  EXPECT_TRUE(gray_words(sweep).starts_with("no gray zone: monitoring notices before"))
      << gray_words(sweep);
  EXPECT_EQ(sweep.points[3].zone, Zone::false_alarm);
}

TEST(Sweep, WidensAThresholdThatIsNotSharp) {
  const Session session = testing::sweep_session("netem.loss=0.1%..30%");
  std::vector<StudiedRun> runs;
  for (const auto& [value, hurt] : {std::pair{0.001, false}, std::pair{0.005, true},
                                    std::pair{0.01, false}, std::pair{0.02, true}})
    runs.push_back(truth(session, value, hurt ? 0 : 1, 1));
  const Sweep sweep = summarize_sweep(runs).value();
  EXPECT_FALSE(sweep.hurt.sharp);
  EXPECT_EQ(sweep.hurt.low, 0.001);
  EXPECT_EQ(sweep.hurt.high, 0.02);
  EXPECT_EQ(threshold_words(sweep.hurt, sweep.vary), "somewhere between 0.1% and 2%");
}

TEST(Sweep, TriesAnInconclusiveIntensityOnceMoreAndThenGoesOn) {
  const Session session = testing::sweep_session("netem.loss=1%..4%");
  const SweepPlan plan{.vary = session.sweep->vary, .steps = 3, .precision = {}};
  auto events = testing::tell_as("noisy", unattended(12),
                                 SessionTag{.session = session, .index = 0, .value = 0.01});
  for (Event& event : events)
    if (event.kind == event_kind::steady_state && event.data["when"] == "before")
      event.data["met"] = false;
  std::vector<StudiedRun> runs{study(events).value()};
  EXPECT_EQ(next_intensity(plan, summarize_sweep(runs).value()), 0.01);
  runs.push_back(runs.front());
  EXPECT_EQ(next_intensity(plan, summarize_sweep(runs).value()), 0.02);
}

TEST(Sweep, DoesAgainWhatWasStopped) {
  const Session session = testing::sweep_session("netem.loss=1%..4%");
  const std::vector<StudiedRun> runs{
      studied("a", {.halt = 10}, SessionTag{.session = session, .index = 0, .value = 0.01})};
  const Sweep sweep = summarize_sweep(runs).value();
  EXPECT_EQ(sweep.unfinished, 1U);
  EXPECT_EQ(next_intensity(*session.sweep, sweep), 0.01);
}

TEST(Sweep, MeasuresHowMuchOfTheFaultUsersFelt) {
  const Session session = testing::sweep_session("netem.loss=1%..4%");
  const Sweep sweep = summarize_sweep(std::vector<StudiedRun>{truth(session, 0.02, 0, 1)}).value();
  EXPECT_NEAR(sweep.points.front().hurt_share, 59.0 / 60, 0.03);
}

}  // namespace
}  // namespace firedrill
