#include "controller/runner/refusals.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/fleet/strangers.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

struct Heard {
  std::vector<std::string> lines;
  Refusals refusals{[this](std::string_view line) { lines.emplace_back(line); }};
};

TEST(Refusals, AFloodBecomesAFewLinesAndANumber) {
  Heard heard;
  const Refusals::Time start{100s};
  for (int i = 0; i < 1000; ++i) heard.refusals.note("10.0.0.1", "why", start);
  EXPECT_EQ(heard.lines.size(), Refusals::kMostPerSecond);
  heard.lines.clear();
  heard.refusals.note("10.0.0.2", "why", start + 1s);
  EXPECT_THAT(heard.lines,
              ElementsAre("refused 990 more peers, too many to name", "refused 10.0.0.2: why"));
}

TEST(Refusals, APeersWordsStayOneLine) {
  Heard heard;
  heard.refusals.note("", "a\nrefused 10.0.0.9: \x1b[2J\xff", Refusals::Time{100s});
  EXPECT_THAT(heard.lines, ElementsAre("refused a peer: a?refused 10.0.0.9: ?[2J?"));
  EXPECT_EQ(one_line(std::string(1000, 'x')).size(), 303U);
}

TEST(Strangers, TheOldestGoesOnceItHadItsTime) {
  Strangers<int> strangers{2, 1s};
  const Strangers<int>::Time start{100s};
  EXPECT_FALSE(strangers.enter(1, start));
  EXPECT_FALSE(strangers.enter(2, start + 500ms));
  EXPECT_FALSE(strangers.has_room(start + 999ms));
  EXPECT_TRUE(strangers.has_room(start + 1s));
  EXPECT_EQ(strangers.enter(3, start + 1s), 1);
  EXPECT_EQ(strangers.size(), 2U);
}

TEST(Strangers, WhoShowsACertificateMakesRoom) {
  Strangers<int> strangers{2, 1s};
  const Strangers<int>::Time start{100s};
  (void)strangers.enter(1, start);
  (void)strangers.enter(2, start);
  strangers.leave(1);
  strangers.leave(7);
  EXPECT_TRUE(strangers.has_room(start));
  EXPECT_FALSE(strangers.enter(3, start));
}

}  // namespace
}  // namespace firedrill
