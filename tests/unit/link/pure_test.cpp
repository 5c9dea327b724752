// The two parts of the link without a socket: the clock filter and the queue of events.
#include "agent/uplink/event_queue.hpp"
#include "controller/fleet/clock_filter.hpp"
#include "tests/unit/link/support.hpp"

namespace firedrill::link_test {
namespace {

using namespace std::chrono_literals;
using agent::EventQueue;
using agent::EventWeight;

constexpr ClockFilter::Steady kStart{1h};

/// An exchange with an agent whose clock is `skew` ahead; `there` and `back` on the wire.
ClockSample exchange(Duration skew, Duration there, Duration held, Duration back) {
  constexpr std::int64_t kSent = 1'700'000'000'000'000;
  const std::int64_t received = kSent + there.count() + skew.count();
  return {kSent, received, received + held.count(), there + held + back};
}

bool holds(const ClockEstimate& estimate, Duration truth) {
  return std::chrono::abs(estimate.offset - truth) <= estimate.error;
}

TEST(ClockFilter, TruthLiesWithinTheErrorHoweverLopsidedTheWireIs) {
  for (const Duration skew : {Duration{-3h}, Duration{0}, Duration{90s}})
    for (const Duration there : {Duration{0}, Duration{40us}, Duration{80ms}})
      for (const Duration back : {Duration{1us}, Duration{25ms}}) {
        ClockFilter filter;
        ASSERT_TRUE(filter.add(exchange(skew, there, 5ms, back), kStart));
        EXPECT_TRUE(holds(*filter.at(kStart), skew));
        EXPECT_EQ(filter.at(kStart)->round_trip, there + back);
      }
}

TEST(ClockFilter, KeepsTheQuickestOfTheLast) {
  ClockFilter filter;
  EXPECT_FALSE(filter.at(kStart));
  ASSERT_TRUE(filter.add(exchange(1s, 30ms, 0us, 1ms), kStart));
  ASSERT_TRUE(filter.add(exchange(1s, 1ms, 0us, 1ms), kStart + 1s));
  ASSERT_TRUE(filter.add(exchange(1s, 1ms, 0us, 50ms), kStart + 2s));
  EXPECT_EQ(filter.at(kStart + 2s)->round_trip, 2ms);
  for (int second = 3; second < 3 + 16; ++second)
    ASSERT_TRUE(filter.add(exchange(1s, 20ms, 0us, 20ms), kStart + second * 1s));
  EXPECT_EQ(filter.at(kStart + 19s)->round_trip, 40ms) << "the quick one left the window";
}

TEST(ClockFilter, ErrorGrowsByTheDriftAllowance) {
  ClockFilter filter;
  ASSERT_TRUE(filter.add(exchange(0s, 1ms, 0us, 1ms), kStart));
  const Duration fresh = filter.at(kStart)->error;
  EXPECT_EQ(filter.at(kStart + 10s)->error - fresh, 1ms) << "100 ppm of 10 s";
}

TEST(ClockFilter, AStepOfAClockForgetsThePast) {
  ClockFilter filter;
  ASSERT_TRUE(filter.add(exchange(0s, 100us, 0us, 100us), kStart));
  ASSERT_TRUE(filter.add(exchange(30s, 5ms, 0us, 5ms), kStart + 1s));
  EXPECT_TRUE(holds(*filter.at(kStart + 1s), 30s));
}

TEST(ClockFilter, ImpossibleSamplesAreNotUsed) {
  ClockFilter filter;
  ClockSample sample = exchange(0s, 1ms, 10ms, 1ms);
  sample.elapsed = 5ms;
  EXPECT_FALSE(filter.add(sample, kStart)) << "it worked longer than the exchange took";
  sample = exchange(0s, 1ms, -1s, 1ms);
  EXPECT_FALSE(filter.add(sample, kStart)) << "answered before it was asked";
  sample.agent_sent_us = std::numeric_limits<std::int64_t>::max();
  sample.agent_received_us = std::numeric_limits<std::int64_t>::min();
  EXPECT_FALSE(filter.add(sample, kStart));
  EXPECT_FALSE(filter.at(kStart));
}

std::vector<std::int64_t> numbers(const EventQueue& queue) {
  std::vector<std::int64_t> all;
  for (const auto* entry = queue.after(0); entry != nullptr; entry = queue.after(all.back()))
    all.push_back(entry->number);
  return all;
}

TEST(EventQueue, DropsSamplesFirstAndInjectionsNever) {
  EventQueue queue{4};
  queue.push({1, EventWeight::injection, ""});
  queue.push({2, EventWeight::other, ""});
  queue.push({3, EventWeight::sample, ""});
  queue.push({4, EventWeight::sample, ""});
  queue.push({5, EventWeight::sample, ""});
  EXPECT_EQ(numbers(queue), (std::vector<std::int64_t>{1, 2, 4, 5}));
  for (std::int64_t number = 6; number <= 9; ++number)
    queue.push({number, EventWeight::injection, ""});
  EXPECT_EQ(numbers(queue), (std::vector<std::int64_t>{1, 6, 7, 8, 9}));
  queue.push({10, EventWeight::sample, ""});
  EXPECT_EQ(numbers(queue), (std::vector<std::int64_t>{1, 6, 7, 8, 9}));
  EXPECT_EQ(queue.dropped(), 5U);
}

TEST(EventQueue, AnswersMayComeInAnyOrderAndForWhatWasDropped) {
  EventQueue queue{10};
  for (std::int64_t number = 1; number <= 4; ++number)
    queue.push({number, EventWeight::other, std::to_string(number)});
  queue.answered(3);
  queue.answered(99);
  queue.answered(1);
  EXPECT_EQ(numbers(queue), (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(queue.after(2)->message, "4");
  EXPECT_EQ(queue.after(4), nullptr);
}

TEST(EventQueue, KnowsWhatMustNotBeLost) {
  EXPECT_EQ(agent::weight_of("probe.sample"), EventWeight::sample);
  EXPECT_EQ(agent::weight_of("injection.dirty"), EventWeight::injection);
  EXPECT_EQ(agent::weight_of("detector.up"), EventWeight::other);
}

}  // namespace
}  // namespace firedrill::link_test
