// When a burning budget stops a run, and how answers become changes of a mode.
#include "controller/runner/slo_stops.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/runner/mode_tracker.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

UtcTime at(double seconds) { return from_micros(static_cast<std::int64_t>(seconds * 1e6)); }

Experiment stopping(StopCondition stop) {
  Experiment out;
  Slo slo;
  slo.name = "writes";
  slo.objective = 0.999;
  slo.rows = default_burn_rows();
  out.slos.push_back(slo);
  stop.name = "burning";
  stop.slo = "writes";
  out.stop_conditions.push_back(stop);
  return out;
}

Experiment burns_above(double rate, Duration over, Duration for_time) {
  StopCondition stop;
  stop.burns_above = rate;
  stop.over = over;
  stop.for_time = for_time;
  return stopping(stop);
}

SloCounts counts(Duration window, double bad, double total) {
  return {.windows = {{window, {bad, total}}}, .exercise = {}, .exercise_for = {}};
}

TEST(SloStops, BurnForTheStatedTimeStops) {
  SloStops stops(burns_above(14.4, 5min, 10s));
  EXPECT_TRUE(stops.observe("writes", at(0), counts(5min, 15, 1000)).empty());
  EXPECT_TRUE(stops.observe("writes", at(5), counts(5min, 20, 1000)).empty());
  const auto met = stops.observe("writes", at(10), counts(5min, 20, 1000));
  ASSERT_EQ(met.size(), 1U);
  EXPECT_EQ(met[0].name, "burning");
  EXPECT_THAT(met[0].detail, HasSubstr("burned at 20 over 5m, above 14.4, for 10s"));
  EXPECT_TRUE(stops.observe("writes", at(20), counts(5min, 20, 1000)).empty()) << "once";
}

TEST(SloStops, APauseStartsTheTimeAnew) {
  SloStops stops(burns_above(14.4, 5min, 10s));
  EXPECT_TRUE(stops.observe("writes", at(0), counts(5min, 20, 1000)).empty());
  EXPECT_TRUE(stops.observe("writes", at(5), counts(5min, 14.4, 1000)).empty());
  EXPECT_TRUE(stops.observe("writes", at(11), counts(5min, 20, 1000)).empty());
  EXPECT_EQ(stops.observe("writes", at(21), counts(5min, 20, 1000)).size(), 1U);
}

TEST(SloStops, OtherWindowsAndNoEventsDoNotBurn) {
  SloStops stops(burns_above(14.4, 30s, 0s));
  EXPECT_TRUE(stops.observe("writes", at(0), counts(5min, 100, 100)).empty());
  EXPECT_TRUE(stops.observe("writes", at(1), counts(30s, 0, 0)).empty());
  EXPECT_TRUE(stops.observe("reads", at(2), counts(30s, 100, 100)).empty());
  EXPECT_EQ(stops.windows("writes").front(), 30s) << "it is asked for, beside those of the rows";
  EXPECT_EQ(stops.windows("writes").size(), 8U);
}

TEST(SloStops, SpendingStopsByTheWindowsExpectedEvents) {
  StopCondition stop;
  stop.spends_above = 0.02;
  SloStops stops(stopping(stop));
  stops.expect("writes", 1e6);
  SloCounts spent;
  spent.exercise = BadOfTotal{20, 500};
  spent.exercise_for = 10s;
  EXPECT_TRUE(stops.observe("writes", at(0), spent).empty()) << "20 of 1,000 are 2 %, not more";
  spent.exercise = BadOfTotal{21, 500};
  const auto met = stops.observe("writes", at(1), spent);
  ASSERT_EQ(met.size(), 1U);
  EXPECT_THAT(met[0].detail, HasSubstr("spent 2.1 % of the error budget"));
}

TEST(SloStops, WithoutHistoryTheExercisesTrafficSaysWhatAWindowBrings) {
  StopCondition stop;
  stop.spends_above = 0.02;
  SloStops stops(stopping(stop));
  SloCounts spent;
  spent.exercise = BadOfTotal{10, 10};
  spent.exercise_for = 51s;
  EXPECT_TRUE(stops.observe("writes", at(0), spent).empty()) << "2 % of 43.2 min are 51.8 s";
  spent.exercise_for = 52s;
  EXPECT_EQ(stops.observe("writes", at(1), spent).size(), 1U);
}

TEST(SloStops, WhoCannotSeeTheBurnStops) {
  SloStops stops(burns_above(14.4, 5min, 0s));
  EXPECT_TRUE(stops.blind("writes", at(0), at(29)).empty());
  const auto met = stops.blind("writes", at(0), at(31));
  ASSERT_EQ(met.size(), 1U);
  EXPECT_THAT(met[0].detail, HasSubstr("could not be read for 31s"));
  Experiment none = burns_above(14.4, 5min, 0s);
  none.stop_conditions.clear();
  EXPECT_TRUE(SloStops(none).blind("writes", at(0), at(500)).empty());
}

OperatingMode spoken() {
  OperatingMode out;
  out.name = "db";
  for (const Mode mode : {Mode::normal, Mode::degraded}) {
    Tolerance word;
    word.kind = Tolerance::Kind::equal;
    word.expected = to_string(mode);
    out.modes.emplace_back(mode, word);
  }
  return out;
}

ModeLook says(double to, const char* word) {
  ModeLook look;
  look.from = at(to - 0.1);
  look.to = at(to);
  if (word != nullptr) look.answer = word;
  else look.error = "refused";
  return look;
}

TEST(ModeTracker, ChangesLieBetweenTwoAnswers) {
  ModeTracker tracker(spoken());
  const auto first = tracker.observe(says(1, "normal"));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->data["mode"], "normal");
  EXPECT_FALSE(first->data.contains("last_other_us")) << "nobody knows since when";
  EXPECT_FALSE(tracker.observe(says(2, "normal")));
  const auto second = tracker.observe(says(3, "degraded"));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->data["last_other_us"], 1'900'000);
  EXPECT_EQ(second->data["first_seen_us"], 3'000'000);
  EXPECT_EQ(second->at, at(2.45));
  EXPECT_GE(second->uncertainty, 550ms);
}

TEST(ModeTracker, AnswersWithoutMeaningAreUnknownAtOnce) {
  ModeTracker tracker(spoken());
  EXPECT_TRUE(tracker.observe(says(1, "normal")));
  const auto odd = tracker.observe(says(2, "purple"));
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->data["mode"], "unknown");
  EXPECT_EQ(odd->data["value"], "purple");
}

TEST(ModeTracker, SilenceIsUnknownAfterThreeLooks) {
  ModeTracker tracker(spoken());
  EXPECT_TRUE(tracker.observe(says(1, "normal")));
  EXPECT_FALSE(tracker.observe(says(2, nullptr)));
  EXPECT_FALSE(tracker.observe(says(3, nullptr)));
  const auto lost = tracker.observe(says(4, nullptr));
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->data["mode"], "unknown");
  EXPECT_EQ(lost->data["reason"], "refused");
  EXPECT_EQ(lost->data["first_seen_us"], 1'900'000) << "since the first that failed";
  EXPECT_FALSE(tracker.observe(says(5, nullptr))) << "told once";
  EXPECT_EQ(tracker.observe(says(6, "normal"))->data["mode"], "normal");
}

TEST(ModeTracker, OneMissedLookChangesNothing) {
  ModeTracker tracker(spoken());
  EXPECT_TRUE(tracker.observe(says(1, "normal")));
  EXPECT_FALSE(tracker.observe(says(2, nullptr)));
  EXPECT_FALSE(tracker.observe(says(3, "normal")));
}

TEST(ModeTracker, LongAnswersAreCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "ä";
  const std::string words = answer_words(text);
  EXPECT_LT(words.size(), 130U);
  EXPECT_NO_THROW(static_cast<void>(Json(words).dump()));
}

}  // namespace
}  // namespace firedrill
