// Intervals of proportions against published examples.
#include "controller/stats/proportion.hpp"

#include <gtest/gtest.h>

namespace firedrill::stats {
namespace {

struct Example {
  Proportion share;
  double low, high;
};

/// Newcombe RG, "Two-sided confidence intervals for the single proportion: comparison of seven
/// methods", Statistics in Medicine 17:857-872 (1998), Table I, method 3 (score).
TEST(Wilson, GivesNewcombesTableOne) {
  for (const auto& [share, low, high] :
       {Example{{81, 263}, 0.2553, 0.3662}, Example{{15, 148}, 0.0624, 0.1605},
        Example{{0, 20}, 0.0000, 0.1611}, Example{{1, 29}, 0.0061, 0.1718}}) {
    const Bounds bounds = wilson(share);
    EXPECT_NEAR(bounds.low, low, 5e-5) << share.events << "/" << share.count;
    EXPECT_NEAR(bounds.high, high, 5e-5) << share.events << "/" << share.count;
  }
}

TEST(Wilson, AllOfThemIsTheMirrorOfNone) {
  EXPECT_EQ(wilson({20, 20}).high, 1);
  EXPECT_NEAR(wilson({20, 20}).low, 1 - wilson({0, 20}).high, 1e-12);
}

TEST(Wilson, WithoutTrialsNothingIsKnown) {
  EXPECT_EQ(wilson({0, 0}).low, 0);
  EXPECT_EQ(wilson({0, 0}).high, 1);
  EXPECT_FALSE((Proportion{0, 0}.value()));
}

/// Newcombe RG, "Interval estimation for the difference between independent proportions: comparison
/// of eleven methods", Statistics in Medicine 17:873-890 (1998), Table II, contrast (a) 56/70 -
/// 48/80, method 10: 0.0524 to 0.3339.
TEST(Difference, GivesNewcombesTableTwo) {
  const Bounds bounds = difference({48, 80}, {56, 70});
  EXPECT_NEAR(bounds.low, 0.0524, 5e-5);
  EXPECT_NEAR(bounds.high, 0.3339, 5e-5);
}

TEST(Difference, WithoutTrialsOnOneSideAnythingIsPossible) {
  EXPECT_EQ(difference({0, 0}, {3, 4}).low, -1);
  EXPECT_EQ(difference({3, 4}, {0, 0}).high, 1);
}

}  // namespace
}  // namespace firedrill::stats
