// Faults that come and go: when they were on, whose doing a recovery was, and what users felt.
#include <cmath>

#include <gtest/gtest.h>

#include "controller/measure/parts.hpp"
#include "tests/unit/measure/flap.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using measuring::spread_of;
using testing::at_s;
using testing::tell_flap;

const SliSeries& p99_of(const Measures& measures) { return measures.series.at(0); }

TEST(FlapMeasures, OnPeriodsAreWhatTheKernelConfirmed) {
  const Measures measures = measure(tell_flap()).value();
  ASSERT_EQ(measures.injections.size(), 1U);
  const InjectionSpan& span = measures.injections[0];
  EXPECT_EQ(span.on,
            (std::vector<Window>{{at_s(0), at_s(10)}, {at_s(20), at_s(30)}, {at_s(40), at_s(50)}}));
  EXPECT_FALSE(span.on_since);
  EXPECT_EQ(span.pattern, (Pattern{testing::secs(10), testing::secs(10)}));
  EXPECT_EQ(span.ramp->parameter, "loss");
  EXPECT_EQ(span.ramped_to, "5%");
  EXPECT_EQ(span.cause, "time-up");
  EXPECT_TRUE(span.verified);
}

TEST(FlapMeasures, AnInjectionThatEndsWhileOnClosesItsPeriod) {
  const Measures measures = measure(tell_flap({.until = 45})).value();
  EXPECT_EQ(measures.injections[0].on.back(), (Window{at_s(40), at_s(45)}));
}

TEST(FlapMeasures, APeriodWithoutAKnownEndStaysOpen) {
  std::vector<Event> log = tell_flap({.until = 45});
  std::erase_if(log, [](const Event& event) { return event.kind == "injection.undone"; });
  const Measures measures = measure(log).value();
  EXPECT_EQ(measures.injections[0].on_since, at_s(40));
  EXPECT_EQ(measuring::on_windows(measures, at_s(70)).back(), (Window{at_s(40), at_s(70)}));
}

TEST(FlapMeasures, AnOffPeriodIsNobodysMitigation) {
  const Measures measures = measure(tell_flap()).value();
  EXPECT_TRUE(measures.points.recovered);
  EXPECT_FALSE(measures.points.mitigated) << "10 s of peace each time, longer than steady-for";
  const auto ttm = std::ranges::find(measures.intervals, "TTM", &Interval::name);
  ASSERT_NE(ttm, measures.intervals.end());
  EXPECT_TRUE(ttm->why_none.contains("only followed our own undo")) << ttm->why_none;
  EXPECT_EQ(measures.mitigated_by, "undo");
}

TEST(FlapMeasures, ARemedyInAnOffPeriodShowsWhenTheFaultIsBack) {
  const Measures measures = measure(tell_flap({.remedy = 35})).value();
  ASSERT_TRUE(measures.points.mitigated);
  EXPECT_LE(measures.points.mitigated->earliest(), at_s(35));
  EXPECT_GE(measures.points.mitigated->latest(), at_s(40)) << "not known before the next period";
  EXPECT_LT(measures.points.mitigated->latest(), at_s(41));
  EXPECT_EQ(measures.mitigated_by, "system");
}

TEST(FlapMeasures, ARemedyWhileOnIsSeenAtItsInstant) {
  const Measures measures = measure(tell_flap({.remedy = 26})).value();
  ASSERT_TRUE(measures.points.mitigated);
  EXPECT_GE(measures.points.mitigated->earliest(), at_s(24));
  EXPECT_LE(measures.points.mitigated->latest(), at_s(26.1));
}

TEST(FlapMeasures, SamplesAreSplitByOnAndOffAndEdgesLeftOut) {
  const SliSeries series = p99_of(measure(tell_flap()).value());
  ASSERT_TRUE(series.on_median && series.off_median);
  EXPECT_NEAR(*series.on_median, 260, 15);
  EXPECT_NEAR(*series.off_median, 60, 4);
  EXPECT_EQ(series.on_count, 30U);
  EXPECT_EQ(series.off_count, 30U);
  ASSERT_TRUE(series.spread);
  EXPECT_TRUE(series.spread->bimodal);
  EXPECT_NEAR(series.spread->upper, 260, 15);
  EXPECT_NEAR(series.spread->lower, 60, 4);
  EXPECT_NEAR(series.spread->upper_share, 0.5, 0.02);
}

TEST(FlapMeasures, AFaultThatIsSimplyOnHasNoOffMedian) {
  const SliSeries series = p99_of(measure(testing::tell()).value());
  EXPECT_FALSE(series.on_median || series.off_median);
}

TEST(FlapMeasures, EverythingIsInTheJson) {
  const Json json = to_json(measure(tell_flap()).value());
  EXPECT_EQ(json["injections"][0]["on"].size(), 3U);
  EXPECT_EQ(json["injections"][0]["pattern"], (Json{{"on", "10s"}, {"off", "10s"}}));
  EXPECT_EQ(json["injections"][0]["ramp"]["parameter"], "loss");
  const Json& series = json["series"][0];
  EXPECT_EQ(series["spread"]["bimodal"], true);
  EXPECT_EQ(series["spread"]["bins"].size(), 24U);
  EXPECT_EQ(series["on_samples"], 30);
  EXPECT_TRUE(series["off_median"].is_number());
}

TEST(FlapMeasures, SupersededIsTheRespondersDoing) {
  std::vector<Event> log = tell_flap({.until = 45, .remedy = 26});
  for (Event& event : log)
    if (event.kind == "injection.undone") {
      event.data["cause"] = "superseded";
      event.data["superseded"] = {"gone: filter"};
    }
  const Measures measures = measure(log).value();
  EXPECT_EQ(measures.injections[0].cause, "superseded");
  EXPECT_EQ(measures.mitigated_by, "responders");
}

/// Quantiles of a logistic distribution, near enough to a normal one: the same on every machine.
std::vector<double> heap(double middle, double width, int count) {
  std::vector<double> out;
  for (int i = 0; i < count; ++i) {
    const double p = (i + 0.5) / count;
    out.push_back(middle + width * std::log(p / (1 - p)) / 1.7);
  }
  return out;
}

std::vector<double> both(std::vector<double> a, const std::vector<double>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(Modes, OneHeapIsOneMode) {
  EXPECT_FALSE(spread_of(heap(100, 5, 200))->bimodal);
  EXPECT_LT(spread_of(heap(100, 5, 200))->coefficient, 0.4);
}

TEST(Modes, ALongTailIsNoMode) {
  std::vector<double> latencies = heap(0, 0.8, 300);
  for (double& value : latencies) value = 20 * std::exp(value);  // nearly log-normal: p99 at 130
  EXPECT_FALSE(spread_of(latencies)->bimodal);
  std::vector<double> exponential;
  for (int i = 0; i < 300; ++i) exponential.push_back(-50 * std::log1p(-(i + 0.5) / 300));
  EXPECT_FALSE(spread_of(exponential)->bimodal);
}

TEST(Modes, AnEvenSpreadIsNoMode) {
  std::vector<double> ratios;
  for (int i = 0; i < 200; ++i) ratios.push_back(i / 200.0);
  const Spread spread = *spread_of(ratios);
  EXPECT_FALSE(spread.logarithmic);
  EXPECT_NEAR(spread.coefficient, 5.0 / 9.0, 0.02) << "a uniform distribution";
  EXPECT_NEAR(spread.separation, 3.46, 0.05) << "cut in the middle, √12";
  EXPECT_FALSE(spread.bimodal);
}

TEST(Modes, TwoHeapsAreFoundWithTheirShares) {
  const Spread spread = *spread_of(both(heap(12, 1, 140), heap(210, 15, 60)));
  EXPECT_TRUE(spread.bimodal);
  EXPECT_NEAR(spread.lower, 12, 0.5);
  EXPECT_NEAR(spread.upper, 210, 5);
  EXPECT_NEAR(spread.upper_share, 0.3, 1e-9);
  EXPECT_GT(spread.separation, 2);
  EXPECT_EQ(spread.count, 200U);
  std::size_t total = 0;
  for (const std::size_t bin : spread.bins) total += bin;
  EXPECT_EQ(total, 200U);
}

TEST(Modes, AFewStragglersAreATailAndNotAMode) {
  EXPECT_FALSE(spread_of(both(heap(12, 1, 190), heap(210, 15, 10)))->bimodal);
}

TEST(Modes, TwoPointsWithoutSpreadAreTwoModes) {
  const Spread spread = *spread_of(both(std::vector(20, 0.0), std::vector(20, 1.0)));
  EXPECT_TRUE(spread.bimodal);
  EXPECT_TRUE(std::isinf(spread.separation));
}

TEST(Modes, OneValueOnlyIsOneMode) {
  const Spread spread = *spread_of(std::vector(50, 7.0));
  EXPECT_FALSE(spread.bimodal);
  EXPECT_EQ(spread.separation, 0);
  EXPECT_EQ(spread.bins.front(), 50U);
}

TEST(Modes, TooFewSamplesSayNothing) {
  EXPECT_FALSE(spread_of(heap(12, 1, 11)));
  EXPECT_TRUE(spread_of(heap(12, 1, 12)));
}

}  // namespace
}  // namespace firedrill
