// Conversion of device-mapper tables: where the delay goes, and which tables count as ours.
#include "agent/faults/delay_table.hpp"

#include <gtest/gtest.h>

namespace firedrill::agent {
namespace {

using kernel::DmTable;
using kernel::SectorRange;

const DmTable kTwoPieces{{0, 1000, "linear", "7:0 2048"}, {1000, 1000, "linear", "7:1 64"}};

TEST(DelayTable, WholeDeviceKeepsEveryPieceAndItsPlace) {
  const auto table = delayed_table(kTwoPieces, {}, {1, 20, 300});
  ASSERT_TRUE(table);
  EXPECT_EQ(*table, (DmTable{{0, 1000, "delay", "7:0 2048 1 7:0 2048 20 7:0 2048 300"},
                             {1000, 1000, "delay", "7:1 64 1 7:1 64 20 7:1 64 300"}}));
}

TEST(DelayTable, RangesAreCutOutAndMayCrossPieces) {
  const auto table = delayed_table(kTwoPieces, {{0, 10}, {990, 30}}, {0, 5, 0});
  ASSERT_TRUE(table);
  EXPECT_EQ(*table, (DmTable{{0, 10, "delay", "7:0 2048 0 7:0 2048 5 7:0 2048 0"},
                             {10, 980, "linear", "7:0 2058"},
                             {990, 10, "delay", "7:0 3038 0 7:0 3038 5 7:0 3038 0"},
                             {1000, 20, "delay", "7:1 64 0 7:1 64 5 7:1 64 0"},
                             {1020, 980, "linear", "7:1 84"}}));
}

TEST(DelayTable, EveryRangeOfADeviceLeavesItsLengthAlone) {
  for (std::uint64_t start = 0; start < 2000; start += 37)
    for (const std::uint64_t length : {1U, 100U, 900U}) {
      if (start + length > 2000) continue;
      const auto table = delayed_table(kTwoPieces, {{start, length}}, {1, 1, 1});
      ASSERT_TRUE(table);
      std::uint64_t at = 0;
      std::uint64_t slow = 0;
      for (const auto& target : *table) {
        ASSERT_EQ(target.start, at);
        at += target.length;
        if (target.type == "delay") slow += target.length;
      }
      EXPECT_EQ(at, 2000U);
      EXPECT_EQ(slow, length);
    }
}

TEST(DelayTable, OtherTargetsAreNotCarriedOver) {
  for (const char* type : {"striped", "crypt", "thin", "snapshot-origin"}) {
    const auto table = delayed_table({{0, 8, type, "7:0 0"}}, {}, {1, 1, 1});
    ASSERT_FALSE(table);
    EXPECT_EQ(table.error().code, ErrorCode::unsupported);
    EXPECT_NE(table.error().what.find(type), std::string::npos);
  }
  EXPECT_FALSE(delayed_table({{0, 8, "linear", "7:0 0 more"}}, {}, {1, 1, 1}));
}

TEST(DelayTable, RangeBeyondTheDeviceIsRefused) {
  EXPECT_FALSE(delayed_table(kTwoPieces, {{1999, 2}}, {1, 1, 1}));
}

TEST(DelayTable, RangesAreMergedWhereTheyTouch) {
  EXPECT_EQ(merge_ranges({{50, 10}, {0, 10}, {10, 5}, {52, 3}, {70, 0}}),
            (std::vector<SectorRange>{{0, 15}, {50, 10}}));
}

TEST(DelayTable, OursIsRecognisedWithWhateverDelaysARampHadReached) {
  const std::vector<SectorRange> ranges{{100, 50}};
  for (const Delays& delays : {Delays{0, 0, 1}, Delays{60000, 1, 7}}) {
    const auto table = delayed_table(kTwoPieces, ranges, delays);
    ASSERT_TRUE(table);
    EXPECT_EQ(delays_of(*table, kTwoPieces, ranges), delays);
    EXPECT_FALSE(delays_of(*table, kTwoPieces, {}));
    DmTable changed = *table;
    changed.back().params = "7:1 65";
    EXPECT_FALSE(delays_of(changed, kTwoPieces, ranges));
  }
  EXPECT_FALSE(delays_of(kTwoPieces, kTwoPieces, ranges));
  EXPECT_FALSE(delays_of({{0, 2000, "delay", "7:0 2048 5"}}, kTwoPieces, {}));
}

TEST(DmTarget, ReadsItsOwnWords) {
  const kernel::DmTarget target{0, 8, "delay", "7:0 0 5 7:0 0 5"};
  EXPECT_EQ(kernel::parse_dm_target(to_string(target)).value(), target);
  for (const char* bad : {"", "0", "0 8", "0 8 ", "x 8 linear 7:0 0", "-1 8 linear 7:0 0"})
    EXPECT_FALSE(kernel::parse_dm_target(bad)) << bad;
}

}  // namespace
}  // namespace firedrill::agent
