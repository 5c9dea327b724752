// Clock points and intervals from logs whose truth is known.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "controller/measure/measures.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using testing::at_s;
using testing::RunLog;
using testing::secs;
using testing::Story;
using testing::tell;
using testing::us;

Measures measured(const std::vector<Event>& events) {
  const Result<Measures> result = measure(events);
  if (!result) ADD_FAILURE() << describe(result.error());
  return result.value_or(Measures{});
}

const Interval& interval(const Measures& measures, std::string_view name) {
  return *std::ranges::find(measures.intervals, name, &Interval::name);
}

void expect_within(const std::optional<Instant>& point, double low, double high) {
  ASSERT_TRUE(point);
  EXPECT_GE(point->earliest(), at_s(low));
  EXPECT_LE(point->latest(), at_s(high));
  EXPECT_LE(point->earliest(), point->at);
  EXPECT_LE(point->at, point->latest());
}

TEST(Points, EachLiesBetweenTheObservationsThatBoundIt) {
  const Measures measures = measured(tell());
  const ClockPoints& points = measures.points;
  expect_within(points.injected, -0.012, 0.012);  // started, done, and 2 ms of clock error
  expect_within(points.impacted, 1, 2);           // last good sample's end, first bad one's
  expect_within(points.fired, 11.95, 12.05);      // the source's own instant
  expect_within(points.notified, 13, 13);
  expect_within(points.acknowledged, 17, 17);
  expect_within(points.mitigated, 31, 32);
  expect_within(points.reverted, 59.998, 60.202);
  expect_within(points.recovered, 31, 32);
}

TEST(Points, IntervalsCarryTheBoundsOfBothEnds) {
  const Measures measures = measured(tell());
  const Interval& ttd = interval(measures, "TTD");
  EXPECT_EQ(ttd.from, "t_imp");
  EXPECT_EQ(ttd.to, "t_fire");
  EXPECT_EQ(ttd.value, secs(10.5));
  EXPECT_EQ(ttd.low, secs(12 - 0.05 - 2));
  EXPECT_EQ(ttd.high, secs(12 + 0.05 - 1));
  EXPECT_EQ(ttd.objective, secs(20));
  EXPECT_EQ(interval(measures, "TTD from injection").value, secs(12));
  EXPECT_EQ(interval(measures, "TTA").value, secs(5));
  EXPECT_EQ(interval(measures, "TTM").value, secs(30));
  EXPECT_EQ(interval(measures, "TTR").value, secs(30));
}

TEST(Points, FiringSeenOnlyByPollingLiesBetweenLastQuietAndFirstSeen) {
  std::vector<Event> events = tell();
  for (Event& event : events) event.data.erase("fired_us");
  expect_within(measured(events).points.fired, 11.7, 12.2);
}

TEST(Points, AWebhookAloneGivesTheFiringInstant) {
  std::vector<Event> events = tell();
  std::erase_if(events, [](const Event& event) { return event.source == "detector:prom"; });
  for (Event& event : events)
    if (event.kind == "run.created")
      event.data["experiment"]["expected-detections"][0].erase("source");
  expect_within(measured(events).points.fired, 12, 12);
  for (Event& event : events)
    if (event.kind == "alert.notified") event.data["starts_clock"] = "monitor";
  const Measures unknown_offset = measured(events);
  ASSERT_TRUE(unknown_offset.points.fired);
  EXPECT_EQ(unknown_offset.points.fired->at, at_s(13));         // no later than its reception
  EXPECT_LT(unknown_offset.points.fired->earliest(), at_s(0));  // and no earlier bound is known
}

TEST(Points, ImpactNeedsConsecutiveBadSamples) {
  RunLog log;
  log.created();
  for (int i = -10; i <= 20; ++i) log.sample("write-p99", i, i == 4 || i == 8 || i == 9 ? 300 : 50);
  for (int i = -10; i <= 20; ++i) log.sample("write-errors", i, 0);
  log.active("ring.1", "netem", 0, 0);
  log.undone("ring.1", "netem", 15, 15, "time-up");
  log.phase("finished", 21);
  expect_within(measured(log.events).points.impacted, 7, 8);
}

TEST(Points, ImpactIsNeverPlacedBeforeTheInjection) {
  RunLog log;
  log.created();
  for (int i = -10; i <= 30; i += 5) log.sample("write-p99", i + 1, i >= 0 ? 300 : 50, 5);
  log.active("ring.1", "netem", -0.5, -0.5);
  log.phase("finished", 40);
  const Measures measures = measured(log.events);
  ASSERT_TRUE(measures.points.impacted);
  EXPECT_GE(measures.points.impacted->earliest(), measures.points.injected->earliest());
}

TEST(Points, OperationsThatAllFailAreABreachThoughNoValueCame) {
  RunLog log;
  log.created();
  for (int i = -10; i <= 20; ++i) {
    log.sample("write-p99", i, 50);
    log.sample("write-errors", i, 0);
    if (i <= 5) continue;
    Json& data = log.events[log.events.size() - 2].data;
    data["values"] = Json::object();
    data["errors"] = data["count"];
  }
  log.active("ring.1", "netem", 0, 0);
  log.phase("finished", 21);
  expect_within(measured(log.events).points.impacted, 5, 6);
}

TEST(Points, RecoveryAfterOurOwnUndoIsNobodysMitigation) {
  const Measures measures = measured(tell({.whole = 61, .check = {}, .raise = {}, .end = 80}));
  EXPECT_FALSE(measures.points.mitigated);
  EXPECT_EQ(measures.mitigated_by, "undo");
  expect_within(measures.points.recovered, 61, 62);
  const Interval& ttm = interval(measures, "TTM");
  EXPECT_FALSE(ttm.value);
  EXPECT_FALSE(ttm.censored_at);
  EXPECT_TRUE(ttm.why_none.contains("our own undo")) << ttm.why_none;
}

TEST(Points, AGoodMomentJustBeforeOurOwnUndoIsNoMitigation) {
  // The undo is at 60 s, and whole is who stays so for the 5 s of steady-for.
  const Measures late = measured(tell({.whole = 57, .check = {}, .raise = {}, .end = 80}));
  EXPECT_FALSE(late.points.mitigated);
  EXPECT_EQ(late.mitigated_by, "undo");
  EXPECT_TRUE(late.undo_too_near);
  const Interval& ttm = interval(late, "TTM");
  EXPECT_FALSE(ttm.value);
  EXPECT_TRUE(ttm.why_none.contains("for less than steady-for")) << ttm.why_none;
  const Measures early = measured(tell({.whole = 53, .check = {}, .raise = {}, .end = 80}));
  EXPECT_EQ(early.mitigated_by, "system");
}

TEST(Points, ASystemThatMendsItselfIsNotCalledResponders) {
  const Measures measures = measured(tell({.check = {}, .raise = {}}));
  EXPECT_EQ(measures.mitigated_by, "system");
  expect_within(measures.points.mitigated, 31, 32);
}

TEST(Points, AGoodSpellThatBreaksAgainWhileTheFaultIsOnIsNoMitigation) {
  RunLog log;
  log.created();
  for (int i = -10; i <= 90; ++i) {
    log.sample("write-p99", i, (i > 2 && i <= 20) || (i > 35 && i <= 61) ? 300 : 50);
    log.sample("write-errors", i, 0);
  }
  log.active("ring.1", "netem", 0, 0);
  log.undone("ring.1", "netem", 60, 60, "time-up");
  log.phase("finished", 90);
  const Measures measures = measured(log.events);
  EXPECT_FALSE(measures.points.mitigated);
  expect_within(measures.points.recovered, 61, 62);
}

TEST(Points, RecoveryWaitsForEveryProbe) {
  std::vector<Event> events = tell();
  for (Event& event : events)
    if (event.kind == "probe.sample" && event.data["probe"] == "write-errors" &&
        event.at > at_s(5) && event.at <= at_s(40))
      event.data["values"]["error_ratio"] = 0.5;
  expect_within(measured(events).points.recovered, 40, 41);
}

TEST(Censoring, AnAlertThatDoesNotComeIsCensoredAtTheWatchedTime) {
  const Measures measures =
      measured(tell({.whole = 61, .alert = {}, .ack = {}, .check = {}, .raise = {}, .end = 75}));
  const Interval& ttd = interval(measures, "TTD");
  EXPECT_FALSE(ttd.value);
  EXPECT_EQ(ttd.censored_at, secs(75 - 1.5));
  EXPECT_EQ(measures.detections.at(0).outcome, DetectionOutcome::missed);
}

TEST(Censoring, UsersWhoAreNeverHurtCensorTheImpactAtTheFaultsLength) {
  const Measures measures = measured(tell({.hurt = 1000, .check = {}, .raise = {}}));
  EXPECT_EQ(interval(measures, "TTI").censored_at, secs(60.1));
  EXPECT_EQ(interval(measures, "TTR").why_none, "users were never hurt");
  EXPECT_EQ(interval(measures, "TTD from injection").value, secs(12));
}

TEST(Censoring, NoRecoveryIsCensoredAtTheEnd) {
  const Measures measures = measured(tell({.whole = {}, .check = {}, .raise = {}, .end = 80}));
  EXPECT_EQ(interval(measures, "TTR").censored_at, secs(80 - 1.5));
  EXPECT_EQ(interval(measures, "TTM").censored_at, secs(80 - 1.5));
}

TEST(Censoring, AnAcknowledgementThatDoesNotComeIsCensored) {
  const Measures measures = measured(tell({.ack = {}}));
  EXPECT_EQ(interval(measures, "TTA").censored_at, secs(72 - 12));
}

TEST(Sham, HasNoIntervalsAndNoInjection) {
  const Measures measures = measured(tell({.sham = true}));
  EXPECT_TRUE(measures.sham);
  EXPECT_FALSE(measures.points.injected);
  for (const Interval& interval : measures.intervals) {
    EXPECT_FALSE(interval.value) << interval.name;
    EXPECT_FALSE(interval.censored_at) << interval.name;
    EXPECT_TRUE(interval.why_none.starts_with("sham run")) << interval.name;
  }
}

TEST(Arrival, OrderAndDuplicatesChangeNothing) {
  const std::vector<Event> told = tell();
  const std::string truth = to_json(measured(told)).dump();
  std::mt19937 random(7);  // NOLINT: the same shuffles each time
  for (int round = 0; round < 5; ++round) {
    std::vector<Event> events = told;
    events.insert(events.end(), told.begin() + 100, told.begin() + 140);  // sent twice
    std::shuffle(events.begin(), events.end(), random);
    EXPECT_EQ(to_json(measured(events)).dump(), truth) << "round " << round;
  }
}

TEST(Arrival, NumbersGivenInAnotherOrderMoveNoInstant) {
  std::vector<Event> events = tell();
  const Measures truth = measured(events);
  std::mt19937 random(11);  // NOLINT: the same shuffles each time
  std::shuffle(events.begin(), events.end(), random);
  std::int64_t seq = 0;
  for (Event& event : events) event.seq = ++seq;
  const Measures shuffled = measured(events);
  EXPECT_EQ(to_json(shuffled)["points"], to_json(truth)["points"]);
  EXPECT_EQ(to_json(shuffled)["intervals"], to_json(truth)["intervals"]);
}

TEST(Arrival, ALogWithoutItsBeginningIsCorrupt) {
  std::vector<Event> events = tell();
  events.erase(events.begin());
  ASSERT_FALSE(measure(events));
  EXPECT_EQ(measure(events).error().code, ErrorCode::corrupt);
  EXPECT_FALSE(measure({}));
}

TEST(Arrival, OddEventsAreReadAsNothing) {
  std::vector<Event> events = tell();
  const std::string truth = to_json(measured(events))["points"].dump();
  for (const char* kind : {"alert.firing", "probe.sample", "step.verified", "clock.estimate"})
    for (const Json& data :
         {Json(nullptr), Json("text"), Json::array({1}), Json{{"injection", 7}}}) {
      Event odd = events.front();
      odd.seq = static_cast<std::int64_t>(events.size()) + 1;
      odd.at = at_s(3);
      odd.kind = kind;
      odd.data = data;
      events.push_back(odd);
    }
  EXPECT_EQ(to_json(measured(events))["points"].dump(), truth);
}

}  // namespace
}  // namespace firedrill
