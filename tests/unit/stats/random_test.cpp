// Order by seed, the same everywhere.
#include "controller/stats/random.hpp"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

namespace firedrill {
namespace {

/// What the reference implementation gives for seed 1234567 (Vigna, prng.di.unimi.it/splitmix64.c;
/// the numbers are those that Rosetta Code asks of an implementation).
TEST(SplitMix64, GivesTheReferenceNumbers) {
  SplitMix64 random(1234567);
  for (const std::uint64_t expected :
       {6457827717110365317U, 3203168211198807973U, 9817491932198370423U, 4593380528125082431U,
        16408922859458223821U})
    EXPECT_EQ(random.next(), expected);
}

TEST(Shuffle, KeepsEveryItemAndDependsOnTheSeedAlone) {
  const auto shuffled = [](std::uint64_t seed) {
    std::vector<int> items(50);
    std::iota(items.begin(), items.end(), 0);
    SplitMix64 random(seed);
    shuffle(items, random);
    return items;
  };
  std::vector<int> once = shuffled(7);
  EXPECT_EQ(once, shuffled(7));
  EXPECT_NE(once, shuffled(8));
  std::ranges::sort(once);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(once[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace firedrill
