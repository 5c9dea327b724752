// The bytes of netem's options, against the kernel's structures rather than our own reader.
#include <random>

#include <gtest/gtest.h>
#include <linux/pkt_sched.h>

#include "agent/kernel/attributes.hpp"
#include "agent/kernel/netem.hpp"

namespace firedrill::agent::kernel {
namespace {

using namespace std::chrono_literals;

NetemSpec everything() {
  NetemSpec spec;
  spec.limit = 5000;
  spec.delay = 5s;
  spec.jitter = 100us;
  spec.delay_correlation = probability_of(Ratio{0.25});
  spec.loss = probability_of(Ratio{0.05});
  spec.loss_correlation = probability_of(Ratio{0.5});
  spec.duplicate = probability_of(Ratio{0.01});
  spec.corrupt = probability_of(Ratio{0.02});
  spec.reorder = probability_of(Ratio{0.3});
  spec.gap = 5;
  spec.rate_bytes = 125'000;
  return spec;
}

struct Encoded {
  tc_netem_qopt base{};
  AttributeTable table;
  std::vector<std::byte> bytes;
};

Encoded encoded(const NetemSpec& spec) {
  Encoded out;
  out.bytes = encode_netem(spec);
  std::memcpy(&out.base, out.bytes.data(), sizeof out.base);
  const auto table = AttributeTable::parse(std::span(out.bytes).subspan(sizeof out.base));
  if (table) out.table = *table;
  else ADD_FAILURE() << table.error().what;
  return out;
}

TEST(Probability, IsShareOfTwoToTheThirtyTwoLessOne) {
  EXPECT_EQ(probability_of(Ratio{0}).value, 0U);
  EXPECT_EQ(probability_of(Ratio{1}).value, 0xFFFFFFFFU);
  EXPECT_EQ(probability_of(Ratio{0.05}).value, 214748365U);  // what tc writes for 5 %
  EXPECT_EQ(share_of(Probability{214748365}).value, 0.05);
}

TEST(ProbabilityDeathTest, OutOfRangeIsABugAndNotClamped) {
  EXPECT_DEATH((void)probability_of(Ratio{1.01}), "");
  EXPECT_DEATH((void)probability_of(Ratio{-0.01}), "");
}

TEST(EncodeNetem, PutsNumbersWhereTheKernelReadsThem) {
  const Encoded out = encoded(everything());
  EXPECT_EQ(out.base.limit, 5000U);
  EXPECT_EQ(out.base.loss, 214748365U);
  EXPECT_EQ(out.base.gap, 5U);
  EXPECT_EQ(out.base.duplicate, 42949673U);
  EXPECT_EQ(out.table.get<std::int64_t>(TCA_NETEM_LATENCY64), 5'000'000'000);
  EXPECT_EQ(out.table.get<std::int64_t>(TCA_NETEM_JITTER64), 100'000);
  EXPECT_EQ(out.base.latency, 5'000'000'000 / 64);
  const auto corr = out.table.get<tc_netem_corr>(TCA_NETEM_CORR);
  ASSERT_TRUE(corr);
  EXPECT_EQ(corr->delay_corr, 1073741824U);
  EXPECT_EQ(corr->loss_corr, 2147483648U);
  EXPECT_EQ(out.table.get<tc_netem_corrupt>(TCA_NETEM_CORRUPT)->probability, 85899346U);
  EXPECT_EQ(out.table.get<tc_netem_reorder>(TCA_NETEM_REORDER)->probability, 1288490189U);
  EXPECT_EQ(out.table.get<tc_netem_rate>(TCA_NETEM_RATE)->rate, 125'000U);
  EXPECT_FALSE(out.table.find(TCA_NETEM_RATE64));
}

TEST(EncodeNetem, WritesEveryStickyAttributeEvenWhenZero) {
  const Encoded out = encoded(NetemSpec{});
  for (const int type : {TCA_NETEM_CORR, TCA_NETEM_REORDER, TCA_NETEM_CORRUPT, TCA_NETEM_RATE,
                         TCA_NETEM_ECN, TCA_NETEM_LATENCY64, TCA_NETEM_JITTER64, TCA_NETEM_SLOT})
    EXPECT_TRUE(out.table.find(static_cast<std::uint16_t>(type))) << type;
  EXPECT_EQ(out.table.get<std::uint32_t>(TCA_NETEM_ECN), 0U);
  EXPECT_EQ(out.base.limit, 100'000U);
}

TEST(EncodeNetem, RateBeyond32BitsUsesRate64) {
  NetemSpec spec;
  spec.rate_bytes = 10'000'000'000;  // 80 gbit
  const Encoded out = encoded(spec);
  EXPECT_EQ(out.table.get<tc_netem_rate>(TCA_NETEM_RATE)->rate, 0xFFFFFFFFU);
  EXPECT_EQ(out.table.get<std::uint64_t>(TCA_NETEM_RATE64), 10'000'000'000U);
}

TEST(EncodeNetem, GilbertElliottHasHInvertedAndKAsGiven) {
  NetemSpec spec;
  spec.gilbert_elliott = GilbertElliott{probability_of(Ratio{0.01}), probability_of(Ratio{0.1}),
                                        probability_of(Ratio{1.0}), probability_of(Ratio{0.001})};
  const Encoded out = encoded(spec);
  EXPECT_EQ(out.base.loss, 0U);
  const auto models = out.table.nest(TCA_NETEM_LOSS);
  ASSERT_TRUE(models);
  const auto model = models->get<tc_netem_gemodel>(NETEM_LOSS_GE);
  ASSERT_TRUE(model);
  EXPECT_EQ(model->p, 42949673U);
  EXPECT_EQ(model->r, 429496730U);
  EXPECT_EQ(model->h, 0U);
  EXPECT_EQ(model->k1, 4294967U);
}

TEST(ParseNetem, ReadsBackWhatWasWritten) {
  NetemSpec model;
  model.gilbert_elliott = GilbertElliott{{1}, {2}, {3}, {4}};
  NetemSpec fast;
  fast.rate_bytes = 10'000'000'000;
  for (const NetemSpec& spec : {NetemSpec{}, everything(), model, fast}) {
    const auto parsed = parse_netem(encode_netem(spec));
    ASSERT_TRUE(parsed) << parsed.error().what;
    EXPECT_EQ(*parsed, spec) << to_string(*parsed);
  }
}

TEST(ParseNetem, WithoutThe64BitAttributesTakesTheOldFields) {
  tc_netem_qopt base{};
  base.latency = 1'562'500;  // ticks of 64 ns
  base.limit = 1000;
  const auto parsed = parse_netem(std::as_bytes(std::span(&base, 1)));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->delay, 100ms);
  EXPECT_EQ(parsed->limit, 1000U);
}

TEST(ParseNetem, StateMachineLossIsNotMistakenForNone) {
  AttributeWriter models;
  models.put(NETEM_LOSS_GI, tc_netem_gimodel{});
  AttributeWriter out{tc_netem_qopt{}};
  out.put_nest(TCA_NETEM_LOSS, models);
  EXPECT_EQ(parse_netem(out.bytes()).error().code, ErrorCode::unsupported);
}

TEST(ParseNetem, DamagedBytesAreRefusedOrReadButNeverOverrun) {
  const std::vector<std::byte> whole = encode_netem(everything());
  for (std::size_t size = 0; size < sizeof(tc_netem_qopt); ++size)
    EXPECT_EQ(parse_netem(std::span(whole).first(size)).error().code, ErrorCode::corrupt);
  std::mt19937 random(1);  // the sanitizers judge; the values do not matter
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> copy(whole.begin(), whole.begin() + random() % (whole.size() + 1));
    for (int flips = 0; flips < 4 && !copy.empty(); ++flips)
      copy[random() % copy.size()] = static_cast<std::byte>(random());
    (void)parse_netem(copy);
  }
}

TEST(NetemText, ReadsAsAPersonWouldSayIt) {
  EXPECT_EQ(to_string(NetemSpec{}), "limit 100000");
  EXPECT_EQ(to_string(everything()),
            "delay 5s jitter 100us delay-correlation 25% loss 5% loss-correlation 50% "
            "duplicate 1% corrupt 2% reorder 30% gap 5 rate 1mbit limit 5000");
}

}  // namespace
}  // namespace firedrill::agent::kernel
