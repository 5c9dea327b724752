// Percentiles by nearest rank, against a definition that is slow and plain.
#include "agent/probes/percentile.hpp"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace firedrill::agent {
namespace {

std::vector<Duration> ms(std::initializer_list<int> values) {
  std::vector<Duration> out;
  for (const int value : values) out.emplace_back(value * 1000);
  return out;
}

TEST(NearestRank, IsAlwaysAMeasuredValue) {
  const auto values = ms({15, 20, 35, 40, 50});
  EXPECT_EQ(nearest_rank(values, Ratio{0.05}), Duration{15'000});
  EXPECT_EQ(nearest_rank(values, Ratio{0.30}), Duration{20'000});
  EXPECT_EQ(nearest_rank(values, Ratio{0.40}), Duration{20'000});
  EXPECT_EQ(nearest_rank(values, Ratio{0.50}), Duration{35'000});
  EXPECT_EQ(nearest_rank(values, Ratio{1.00}), Duration{50'000});
  EXPECT_EQ(nearest_rank(ms({7}), Ratio{0.01}), Duration{7'000});
}

TEST(NearestRank, IsTheSmallestValueThatTheShareDoesNotExceed) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<Duration> values(1 + random() % 250);
    for (Duration& value : values) value = Duration{random() % 1000};
    std::ranges::sort(values);
    for (const int percent : {1, 50, 90, 95, 99, 100}) {
      const auto enough = [&](Duration candidate) {
        const auto below =
            std::ranges::count_if(values, [&](Duration v) { return v <= candidate; });
        return static_cast<std::size_t>(below) * 100 >=
               static_cast<std::size_t>(percent) * values.size();
      };
      const Duration expected = *std::ranges::find_if(values, enough);
      EXPECT_EQ(nearest_rank(values, Ratio{percent / 100.0}), expected)
          << percent << "% of " << values.size();
    }
  }
}

TEST(LatencyValues, AreInMillisecondsAndNeedNoOrder) {
  const auto values = latency_values(ms({4, 1, 3, 2}));
  EXPECT_EQ(values.at("p50_ms"), 2);
  EXPECT_EQ(values.at("p99_ms"), 4);
  EXPECT_EQ(values.at("max_ms"), 4);
  EXPECT_EQ(values.at("mean_ms"), 2.5);
  EXPECT_EQ(latency_values({Duration{1500}}).at("p95_ms"), 1.5);
  EXPECT_TRUE(latency_values({}).empty()) << "no operation, no latency";
}

}  // namespace
}  // namespace firedrill::agent
