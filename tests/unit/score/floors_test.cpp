// Floors of a CI stage: what is refused, what fails, and what must never pass silently.
#include "controller/score/floors.hpp"

#include <gtest/gtest.h>

#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using testing::tell;

Scorecard scored(const std::vector<Event>& events) { return score(measure(events).value()); }

Floored held(const Scorecard& card, std::string_view floor) {
  const std::vector<Floor> floors{parse_floor(floor).value()};
  return hold_to_floors(card, floors);
}

TEST(Floors, AreRefusedUnlessTheyAreScores) {
  for (const char* text : {"", "x", "-1", "101", "80%", "1e1", "nan", "detection=", "detection",
                           "=5", "detection=80=90"})
    EXPECT_FALSE(parse_floor(text)) << text;
  EXPECT_TRUE(parse_floor("detecton=80").error().what.contains("'detection'"));
  const auto floor = parse_floor("safety=99.5");
  ASSERT_TRUE(floor);
  EXPECT_EQ(floor->score, "safety");
  EXPECT_EQ(floor->least, 99.5);
}

TEST(Floors, ARunThatPassedFailsBelowThemAndIsToldByHowMuch) {
  // A late step leaves the verdict at pass and the response below 100.
  const Scorecard card = scored(tell({.check = 45, .raise = 50}));
  ASSERT_EQ(card.verdict, Verdict::pass);
  const Floored floored = held(card, "response=99");
  EXPECT_EQ(floored.verdict, Verdict::fail);
  ASSERT_EQ(floored.lines.size(), 1U);
  EXPECT_TRUE(floored.lines[0].starts_with("response is ")) << floored.lines[0];
  EXPECT_TRUE(floored.lines[0].contains(", below 99 by ")) << floored.lines[0];
  EXPECT_EQ(held(card, "99").verdict, Verdict::fail) << "without a name, each is meant";
  EXPECT_EQ(held(card, "safety=100").verdict, Verdict::pass);
}

TEST(Floors, RoundingHidesNoDifference) {
  Scorecard card;
  card.verdict = Verdict::pass;
  card.scores.push_back(
      {.name = "safety", .value = 79.96, .formula = {}, .lines = {}, .why_none = {}});
  EXPECT_EQ(held(card, "80").lines.at(0), "safety is 79.960, below 80 by 0.040");
  EXPECT_EQ(held(card, "79.96").verdict, Verdict::pass) << "at the floor is not below it";
}

TEST(Floors, WhatWasNotJudgedIsNeverMadeAPassOrAFail) {
  EXPECT_EQ(held(scored(tell({.sham = true})), "80").verdict, Verdict::inconclusive);
  EXPECT_EQ(held(scored(tell({.whole = 22, .check = {}, .raise = {}, .halt = 20, .end = 40})), "80")
                .verdict,
            Verdict::aborted);
  const Scorecard unhurt = scored(tell({.hurt = 1000, .check = 15, .raise = 20}));
  const Floored floored = held(unhurt, "recovery=50");
  EXPECT_EQ(floored.verdict,
            unhurt.verdict == Verdict::pass ? Verdict::inconclusive : unhurt.verdict);
  EXPECT_TRUE(floored.lines.at(0).contains("never hurt")) << floored.lines.at(0);
}

TEST(Raise, SaysWhatWouldHaveMadeItHundred) {
  const Scorecard card =
      scored(tell({.whole = 61, .ack = {}, .check = {}, .raise = {}, .end = 80}));
  for (const Score& score : card.scores) {
    if (!score.value) continue;
    double raised = *score.value;
    for (const ScoreLine& line : lost_lines(score)) raised += gain_of(score, line);
    EXPECT_NEAR(raised, 100, 1e-9) << score.name;
    EXPECT_TRUE(points_words(score).starts_with("100 x ")) << points_words(score);
  }
}

TEST(Raise, EveryRungSaysWhatItTakes) {
  for (const Rung& rung : measure(tell()).value().ladder)
    EXPECT_FALSE(rung_words(rung.name).empty()) << rung.name;
}

}  // namespace
}  // namespace firedrill
