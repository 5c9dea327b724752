// What a sweep varies: reading it, stepping through it, and putting it into the experiment.
#include "controller/study/vary.hpp"

#include <gtest/gtest.h>

#include "tests/unit/measure/run_log.hpp"

namespace firedrill {
namespace {

std::vector<std::string> texts(std::string_view range, std::size_t steps) {
  const auto vary = parse_vary(range);
  if (!vary) return {vary.error().what};
  std::vector<std::string> out;
  for (const double value : log_grid(*vary, steps)) out.push_back(value_text(*vary, value));
  return out;
}

TEST(Vary, StepsAtEqualRatiosWithRoundValues) {
  EXPECT_EQ(texts("netem.loss=0.1%..10%", 5),
            (std::vector<std::string>{"0.1%", "0.316%", "1%", "3.16%", "10%"}));
  EXPECT_EQ(texts("netem.delay=1ms..1s", 4),
            (std::vector<std::string>{"1ms", "10ms", "100ms", "1s"}));
  EXPECT_EQ(texts("io-throttle.write=10MB..10KB", 4),
            (std::vector<std::string>{"10MB", "1MB", "100KB", "10KB"}));
}

TEST(Vary, GoesDownWhereLessIsStrongerAndKeepsWholeNumbersWhole) {
  EXPECT_EQ(texts("nic-ring.rx=1024..16", 7),
            (std::vector<std::string>{"1024", "512", "256", "128", "64", "32", "16"}));
  EXPECT_EQ(texts("nic-ring.rx=3..1", 9), (std::vector<std::string>{"3", "2", "1"}));
}

TEST(Vary, KeepsBothEndsAsTheyWereGiven) {
  const auto vary = parse_vary("netem.loss=0.1234567%..29.99999%").value();
  EXPECT_EQ(log_grid(vary, 4).front(), vary.from);
  EXPECT_EQ(log_grid(vary, 4).back(), vary.to);
}

TEST(Vary, RefusesWhatHasNoLogGrid) {
  for (const char* wrong :
       {"", "netem.loss", "netem=1%..2%", ".loss=1%..2%", "netem.=1%..2%", "netem.loss=1%",
        "netem.loss=..2%", "netem.loss=1%..", "netem.loss=0%..2%", "netem.loss=1%..1%",
        "netem.loss=1%..20ms", "netem.loss=-1..2", "netem.loss=nan..2", "netem.loss=1%..200%",
        "netem.loss=1..inf", "netem.loss=one..two"})
    EXPECT_FALSE(parse_vary(wrong)) << wrong;
}

TEST(Vary, ReachesEveryActionOfTheFaultOrTheOneNamed) {
  const Json experiment = testing::example_experiment();
  const auto loss = [](const Json& json) {
    return json["method"][0]["provider"]["arguments"]["loss"];
  };
  const auto vary = parse_vary("netem.loss=0.1%..30%").value();
  EXPECT_EQ(loss(with_value(experiment, vary, 0.003).value()), "0.3%");
  const auto named = parse_vary("lose.loss=0.1%..30%").value();
  EXPECT_EQ(loss(with_value(experiment, named, 0.2).value()), "20%");
  const auto ring = parse_vary("nic-ring.rx=1024..16").value();
  EXPECT_EQ(with_value(experiment, ring, 64).value()["method"][1]["provider"]["arguments"]["rx"],
            64);
}

TEST(Vary, NamesTheNearestFaultWhenThereIsNone) {
  const auto found =
      with_value(testing::example_experiment(), parse_vary("netm.loss=1%..2%").value(), 0.01);
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().what.contains("Did you mean 'netem'")) << found.error().what;
}

}  // namespace
}  // namespace firedrill
