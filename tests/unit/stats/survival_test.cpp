// Survival estimates and tests against published examples.
#include "controller/stats/survival.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace firedrill::stats {
namespace {

/// Weeks of remission of 42 children with leukaemia, 6-mercaptopurine against placebo: Freireich et
/// al., Blood 21:699-716 (1963), as in Gehan EA, Biometrika 52:203-223 (1965).
std::vector<Observation> treated() {
  return {{6, true},   {6, true},   {6, true},   {6, false}, {7, true},   {9, false},
          {10, true},  {10, false}, {11, false}, {13, true}, {16, true},  {17, false},
          {19, false}, {20, false}, {22, true},  {23, true}, {25, false}, {32, false},
          {32, false}, {34, false}, {35, false}};
}
std::vector<Observation> placebo() {
  std::vector<Observation> out;
  for (const double week : {1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23})
    out.push_back({week, true});
  return out;
}

/// Product-limit estimates and Greenwood errors of the treated group, as Cox and Oakes (Analysis of
/// Survival Data, 1984, section 4.2) and Lee and Wang use them; the same as PROC LIFETEST prints.
TEST(KaplanMeier, GivesThePublishedEstimatesOfTheTreatedGroup) {
  struct Row {
    double week, survival, error;
    std::size_t at_risk;
  };
  const std::vector<Row> rows{{6, 0.8571, 0.0764, 21},  {7, 0.8067, 0.0869, 17},
                              {10, 0.7529, 0.0963, 15}, {13, 0.6902, 0.1068, 12},
                              {16, 0.6275, 0.1141, 11}, {22, 0.5378, 0.1282, 7},
                              {23, 0.4482, 0.1346, 6}};
  const Curve curve = kaplan_meier(treated());
  ASSERT_EQ(curve.points.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(curve.points[i].time, rows[i].week);
    EXPECT_EQ(curve.points[i].at_risk, rows[i].at_risk) << rows[i].week;
    EXPECT_NEAR(curve.points[i].survival, rows[i].survival, 5e-5) << rows[i].week;
    EXPECT_NEAR(curve.points[i].error, rows[i].error, 5e-5) << rows[i].week;
  }
  EXPECT_EQ(curve.events, 9U);
  EXPECT_EQ(curve.last, 35);
}

TEST(KaplanMeier, WithoutCensoringIsTheShareStillWaiting) {
  const Curve curve = kaplan_meier(placebo());
  const auto week8 = std::ranges::find(curve.points, 8, &CurvePoint::time);
  ASSERT_NE(week8, curve.points.end());
  EXPECT_NEAR(week8->survival, 8.0 / 21, 1e-12);
  EXPECT_NEAR(week8->error, std::sqrt((8.0 / 21) * (13.0 / 21) / 21), 1e-12);  // binomial
  EXPECT_NEAR(week8->error, 0.106, 5e-4);
  EXPECT_EQ(curve.points.back().survival, 0);
}

/// The medians that every textbook gives for these data.
TEST(Median, IsTwentyThreeWeeksAgainstEight) {
  EXPECT_EQ(median(kaplan_meier(treated())).value, 23);
  EXPECT_EQ(median(kaplan_meier(placebo())).value, 8);
}

/// By the definition, from the published estimates: week 13 is the first whose interval reaches
/// down to 1/2, exp(ln S · exp(1.96 e / (S |ln S|))) with S = 0.6902 and e = 0.1068 being 0.432 (at
/// week 10 it is 0.503); the upper end is beyond the data. Without treatment the interval covers
/// 1/2 from week 4 on and no longer at week 11.
TEST(Median, HasTheIntervalOfBrookmeyerAndCrowley) {
  const Quantile with = median(kaplan_meier(treated()));
  EXPECT_EQ(with.low, 13);
  EXPECT_FALSE(with.high);
  const Quantile without = median(kaplan_meier(placebo()));
  EXPECT_EQ(without.low, 4);
  EXPECT_EQ(without.high, 11);
}

TEST(Median, IsNotReachedWhenMostWereNeverSeen) {
  const Quantile found = median(
      kaplan_meier(std::vector<Observation>{{12, true}, {60, false}, {60, false}, {60, false}}));
  EXPECT_FALSE(found.value);
  EXPECT_FALSE(found.high);
}

TEST(Median, OfOneRunHasNoInterval) {
  const Quantile found = median(kaplan_meier(std::vector<Observation>{{12, true}}));
  EXPECT_EQ(found.value, 12);
  EXPECT_FALSE(found.low);
  EXPECT_FALSE(found.high);
}

TEST(Median, OfNothingIsNothing) {
  EXPECT_FALSE(median(kaplan_meier({})).value);
  EXPECT_EQ(kaplan_meier({}).count, 0U);
}

/// Chi-square 16.79 with 9 against 19.25 expected and 21 against 10.75: Kleinbaum and Klein,
/// Survival Analysis (1996), and survdiff of R's survival package (16.8, p = 4.17e-05).
TEST(LogRank, GivesThePublishedTestOfTheTwoGroups) {
  const auto test = log_rank(treated(), placebo());
  ASSERT_TRUE(test);
  EXPECT_EQ(test->observed_a, 9);
  EXPECT_EQ(test->observed_b, 21);
  EXPECT_NEAR(test->expected_a, 19.25, 5e-3);
  EXPECT_NEAR(test->expected_b, 10.75, 5e-3);
  EXPECT_NEAR(test->chi_square, 16.79, 5e-3);
  EXPECT_NEAR(test->p, 4.17e-5, 5e-8);
}

TEST(LogRank, IsTheSameWhicheverGroupComesFirst) {
  const auto one = log_rank(treated(), placebo()), other = log_rank(placebo(), treated());
  EXPECT_NEAR(one->chi_square, other->chi_square, 1e-9);
}

TEST(LogRank, SaysNothingWhereNothingCanBeCompared) {
  const std::vector<Observation> none, silent{{60, false}, {60, false}}, all{{5, true}};
  EXPECT_FALSE(log_rank(none, all));
  EXPECT_FALSE(log_rank(silent, silent));
}

/// The 5 % and 1 % points of every chi-square table.
TEST(ChiSquare, HasTheTabulatedTail) {
  EXPECT_NEAR(chi_square_tail(3.841), 0.05, 5e-5);
  EXPECT_NEAR(chi_square_tail(6.635), 0.01, 5e-6);
  EXPECT_EQ(chi_square_tail(0), 1);
}

}  // namespace
}  // namespace firedrill::stats
