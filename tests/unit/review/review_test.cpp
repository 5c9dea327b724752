// The review's facts from stored logs with known truth, and that nobody is named in it.
#include "controller/review/review.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using testing::at_s;
using testing::RunLog;
using testing::secs;
using testing::Story;
using testing::tell;
using testing::us;

Review reviewed(const std::vector<Event>& events, const GapRates& rates = {}) {
  const Experiment experiment = experiment_of(events).value();
  const Measures measures = measure(events, experiment).value();
  return review(measures, score(measures), experiment, events, rates);
}

const TakenRow& step(const Review& review, std::string_view title) {
  return *std::ranges::find(review.taken, title, &TakenRow::title);
}

const Story kUnattended{.whole = 61, .alert = {}, .ack = {}, .check = {}, .raise = {}, .end = 75};

TEST(Review, GoalsSayWhatWasWantedAndWhatCame) {
  const Review review = reviewed(tell());
  EXPECT_EQ(review.goals.front().what, "steady state: Writes are fast");
  const auto outcome = [&](std::string_view what) {
    const auto found = std::ranges::find_if(
        review.goals, [&](const GoalRow& row) { return row.what.contains(what); });
    return found == review.goals.end() ? Goal::open : found->outcome;
  };
  EXPECT_EQ(outcome("'page' detects it within 30.0 s"), Goal::met);
  EXPECT_EQ(outcome("'EtcdMemberDown' stays quiet"), Goal::met);
  EXPECT_EQ(outcome("TTD within 20.0 s"), Goal::met);
  const Review missed = reviewed(tell(kUnattended));
  EXPECT_TRUE(std::ranges::any_of(missed.goals, [](const GoalRow& row) {
    return row.outcome == Goal::missed && row.what.contains("'page'");
  }));
}

TEST(Review, TruthIsWhatTheKernelConfirmed) {
  const Review review = reviewed(tell());
  ASSERT_EQ(review.truth.size(), 2U);
  EXPECT_EQ(review.truth[0].fault, "netem");
  EXPECT_EQ(review.truth[0].cause, "cured");
  ASSERT_TRUE(review.truth[0].from && review.truth[0].to);
  EXPECT_EQ(review.truth[1].cause, "time-up");
  EXPECT_TRUE(reviewed(tell({.sham = true})).truth.empty());
}

TEST(Review, BeliefsStandBesideWhatWasTrueThen) {
  const Review review = reviewed(tell());
  const auto note = std::ranges::find_if(
      review.beliefs, [](const BeliefRow& row) { return row.said.starts_with("Ring is 64"); });
  ASSERT_NE(note, review.beliefs.end());
  EXPECT_EQ(note->truth,
            "netem on db-2 on; nic-ring on db-2 on; write-p99 out of tolerance; EtcdSlowWrites "
            "firing");
  EXPECT_EQ(note->who, "responder 1");
  // What was said after the cure is set beside a fault that is off.
  RunLog log;
  log.events = tell();
  log.add("note", 50, {{"who", "bo"}, {"text", "still broken?"}}, "person:bo");
  const Review late = reviewed(log.events);
  EXPECT_EQ(late.beliefs.back().who, "responder 2");
  EXPECT_TRUE(late.beliefs.back().truth.starts_with("netem on db-2 off again; nic-ring on db-2 on"))
      << late.beliefs.back().truth;
}

TEST(Review, NobodyIsNamed) {
  for (const Story& story :
       {Story{}, Story{.whole = 22, .check = 15, .raise = {}, .halt = 20, .end = 40}}) {
    Review review = reviewed(tell(story));
    for (BeliefRow& row : review.beliefs) row.said.clear();  // their own words are theirs
    EXPECT_FALSE(to_json(review).dump().contains("ada")) << to_json(review).dump(1);
  }
  EXPECT_EQ(
      reviewed(tell({.whole = 22, .check = {}, .raise = {}, .halt = 20, .end = 40})).stopped_by,
      "responder 1: a real incident");
}

TEST(Review, ARoleOfTheRunbookKeepsItsName) {
  RunLog log;
  log.events = tell();
  log.add("note", 40, {{"who", "oncall"}, {"text", "x"}}, "person:oncall");
  EXPECT_EQ(reviewed(log.events).beliefs.back().who, "oncall");
}

TEST(Review, TheTimelineIsInOrderAndNamesItsSources) {
  const Review review = reviewed(tell());
  EXPECT_TRUE(std::ranges::is_sorted(review.timeline, {}, &TimelineRow::at));
  const auto source_of = [&](std::string_view what) -> std::string {
    const auto row = std::ranges::find_if(
        review.timeline, [&](const TimelineRow& one) { return one.what.starts_with(what); });
    return row == review.timeline.end() ? "(no such row)" : row->source;
  };
  EXPECT_EQ(source_of("netem on db-2 is on"), "agent:db-2");
  EXPECT_EQ(source_of("EtcdSlowWrites fires"), "detector:prom");
  EXPECT_EQ(source_of("write-p99 leaves its tolerance"), "probe write-p99 from client-1");
  EXPECT_EQ(source_of("acknowledged EtcdSlowWrites"), "responder 1");
}

TEST(Review, AlertsAreExpectedFalseOrNoise) {
  RunLog log;
  log.events = tell({.forbidden = true});
  log.fires(33, "DiskAlmostFull");
  const Review review = reviewed(log.events);
  const auto outcome = [&](std::string_view name) {
    const auto row = std::ranges::find(review.heard, name, &HeardRow::name);
    return row == review.heard.end() ? Heard::unknown : row->outcome;
  };
  EXPECT_EQ(outcome("page"), Heard::in_time);
  EXPECT_EQ(outcome("EtcdMemberDown"), Heard::false_alert);
  EXPECT_EQ(outcome("DiskAlmostFull"), Heard::noise);
  EXPECT_EQ(reviewed(tell({.sham = true, .false_alarm = true})).heard.back().outcome,
            Heard::false_alert);
}

TEST(Review, StepsAreJudgedAndWhatWasDoneBesideThemIsImprovised) {
  const Review good = reviewed(tell());
  EXPECT_EQ(step(good, "Raise the receive ring").outcome, Taken::on_time);
  EXPECT_TRUE(std::ranges::none_of(
      good.taken, [](const TakenRow& row) { return row.outcome == Taken::improvised; }));
  // The same cure, and no step of the runbook that it could have been.
  std::vector<Event> events = tell();
  std::erase_if(events, [](const Event& event) {
    return event.kind == "step.verified" || event.kind == "step.done";
  });
  const Review improvised = reviewed(events);
  EXPECT_EQ(step(improvised, "Raise the receive ring").outcome, Taken::skipped);
  ASSERT_EQ(improvised.taken.back().outcome, Taken::improvised);
  EXPECT_EQ(improvised.taken.back().title, "what netem held on db-2 was changed");
}

TEST(Cost, IsTheTimeUsersAreHurtTimesWhatWasStated) {
  // Hurt at 1.5 s, alert at 12 s, whole again at about 31 s.
  const Review review = reviewed(tell(), {.faults_per_year = 12, .user_share = 0.5});
  ASSERT_TRUE(review.cost);
  const GapCost& cost = *review.cost;
  EXPECT_FALSE(cost.at_least);
  EXPECT_LE(cost.whole.low, secs(30));
  EXPECT_GE(cost.whole.high, secs(29));
  EXPECT_LE(cost.detect.high, secs(14));
  ASSERT_TRUE(cost.minutes_a_year && cost.owed_to_detection);
  EXPECT_EQ(cost.minutes_a_year->low, cost.whole.low * 6);
  EXPECT_EQ(cost.owed_to_detection->high, cost.detect.high * 6);
  EXPECT_LE(cost.detect.low + cost.repair.low, cost.whole.high) << "parts of the whole";
}

TEST(Cost, OfAFaultThatNobodyNoticedOrMendedIsAtLeastWhatWasSeen) {
  const Review review = reviewed(tell(kUnattended), {.faults_per_year = 1, .user_share = 1});
  ASSERT_TRUE(review.cost);
  EXPECT_TRUE(review.cost->at_least);
  EXPECT_EQ(review.cost->detect.high, review.cost->whole.high) << "no alert: all of it was unseen";
  EXPECT_EQ(review.cost->repair.high, Duration{0});
}

TEST(Cost, IsNotMadeUp) {
  EXPECT_FALSE(reviewed(tell({.sham = true})).cost);
  EXPECT_FALSE(reviewed(tell({.hurt = 1000, .check = 15, .raise = 20})).cost);
  EXPECT_FALSE(reviewed(tell()).cost->minutes_a_year) << "rates are stated, never assumed";
}

TEST(Findings, AskAboutCircumstancesAndLeaveOwnersOpen) {
  const Review review = reviewed(tell(kUnattended));
  EXPECT_GE(review.findings.size(), 4U);
  for (const Finding& finding : review.findings) {
    EXPECT_FALSE(finding.question.starts_with("Who ")) << finding.question;
    EXPECT_TRUE(finding.question.ends_with("?")) << finding.question;
    EXPECT_FALSE(finding.aim.empty());
  }
  for (const Json& finding : to_json(review).at("findings"))
    EXPECT_TRUE(finding.at("owner").is_null() && finding.at("date").is_null());
  EXPECT_TRUE(reviewed(tell()).findings.empty());
  EXPECT_FALSE(reviewed(tell()).held.empty());
}

TEST(Budget, IsLeftOutWithoutAnSlo) {
  std::vector<Event> events = tell();
  EXPECT_TRUE(to_json(reviewed(events)).contains("budget_spent"));
  events.front().data["experiment"]["objectives"].erase("slo");
  events.front().data["experiment"]["objectives"].erase("window");
  EXPECT_FALSE(to_json(reviewed(events)).contains("budget_spent"));
}

}  // namespace
}  // namespace firedrill
