// Counters, pacing and base64: the parts of probes that need no network.
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/probes/base64.hpp"
#include "agent/probes/counter_values.hpp"

namespace firedrill::agent {
namespace {

using testing::ElementsAre;
using testing::Pair;
using namespace std::chrono_literals;

TEST(NicValues, GiveAmountsAndRates) {
  const Counters before{{"dev.rx_drop", 10}, {"pkts rx OOB", 5}};
  const Counters now{{"dev.rx_drop", 30},
                     {"dev.rx_errors", 7},
                     {"dev.tx_drop", 0},
                     {"pkts rx OOB", 6},
                     {"other", 1}};
  EXPECT_THAT(
      nic_values(before, now, Duration{500'000}, {"pkts rx OOB"}),
      ElementsAre(Pair("pkts rx OOB", 6), Pair("pkts rx OOB_per_s", 2), Pair("rx_dropped", 30),
                  Pair("rx_dropped_per_s", 40), Pair("rx_errors", 7), Pair("tx_dropped", 0)));
}

TEST(NicValues, CounterThatWasResetHasNoRate) {
  const auto values =
      nic_values({{"dev.rx_drop", 10}}, {{"dev.rx_drop", 3}}, Duration{1'000'000}, {});
  EXPECT_THAT(values, ElementsAre(Pair("rx_dropped", 3)));
}

TEST(LossCounters, AreFoundByTheWordsDriversUse) {
  EXPECT_THAT(
      loss_counters({{"dev.rx_drop", 1},
                     {"drv dropped rx total", 1},
                     {"pkts rx OOB", 1},
                     {"rx_fifo_errors", 1},
                     {"ucast pkts rx", 1},
                     {"rx_missed_errors", 1}}),
      ElementsAre("drv dropped rx total", "pkts rx OOB", "rx_fifo_errors", "rx_missed_errors"));
}

TEST(TcpValues, RatioIsOfAllThatWasSent) {
  const auto values = tcp_values({{"TcpRetransSegs", 100}, {"TcpOutSegs", 1000}},
                                 {{"TcpRetransSegs", 125}, {"TcpOutSegs", 1075}});
  EXPECT_THAT(values, ElementsAre(Pair("out_segs", 75), Pair("retrans_segs", 25),
                                  Pair("retransmit_ratio", 0.25)));
  EXPECT_FALSE(tcp_values({}, {}).contains("retransmit_ratio")) << "nothing was sent";
}

TEST(PacedSession, PassesTheTimeBetweenReadingsAndJoinsWindows) {
  std::vector<bool> had_earlier;
  PacedSession session([&](std::optional<Duration> since) -> Result<Values> {
    had_earlier.push_back(since.has_value());
    return Values{{"x", 1}};
  });
  const auto first = session.sample(20ms);
  const auto second = session.sample(20ms);
  ASSERT_TRUE(first && second);
  EXPECT_THAT(had_earlier, ElementsAre(false, true));
  EXPECT_EQ(first->from_us, first->to_us);
  EXPECT_EQ(second->from_us, first->to_us);
  EXPECT_GT(second->to_us, second->from_us);
  EXPECT_EQ(second->count, 1);
  EXPECT_EQ(second->values.at("x"), 1);
}

TEST(PacedSession, FailureLeavesItUsable) {
  bool broken = true;
  PacedSession session([&](std::optional<Duration>) -> Result<Values> {
    if (broken) return fail(ErrorCode::not_found, "gone");
    return Values{};
  });
  EXPECT_FALSE(session.sample(0ms));
  broken = false;
  EXPECT_TRUE(session.sample(0ms));
}

TEST(PacedSession, CancelEndsALongWait) {
  PacedSession session([](std::optional<Duration>) { return Result<Values>(Values{}); });
  ASSERT_TRUE(session.take_baseline());
  std::thread canceller([&] { session.cancel(); });
  const auto sample = session.sample(1h);
  canceller.join();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->count, 0);
}

TEST(Base64, FollowsTheRfc) {
  const std::pair<std::string_view, std::string_view> cases[] = {{"", ""},
                                                                 {"f", "Zg=="},
                                                                 {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg=="},
                                                                 {"fooba", "Zm9vYmE="},
                                                                 {"foobar", "Zm9vYmFy"},
                                                                 {"\xff\xfe\xfd", "//79"}};
  for (const auto& [plain, coded] : cases) EXPECT_EQ(base64(plain), coded);
}

}  // namespace
}  // namespace firedrill::agent
