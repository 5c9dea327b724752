#include "firedrill/schema.hpp"

#include <array>

#include <gtest/gtest.h>

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::string_view, 2> kModels{"random", "gilbert-elliott"};
constexpr std::array kSpecs{
    ParamSpec{.name = "device",
              .type = ParamType::text,
              .required = true,
              .min = 0,
              .max = 0,
              .choices = {},
              .default_text = {},
              .help = "network interface",
              .list = false},
    ParamSpec{.name = "delay",
              .type = ParamType::duration,
              .required = false,
              .min = 1,
              .max = 60e6,
              .choices = {},
              .default_text = {},
              .help = "one way",
              .list = false},
    ParamSpec{.name = "loss",
              .type = ParamType::ratio,
              .required = false,
              .min = 0,
              .max = 1,
              .choices = {},
              .default_text = {},
              .help = "share of packets dropped",
              .list = false},
    ParamSpec{.name = "model",
              .type = ParamType::choice,
              .required = false,
              .min = 0,
              .max = 0,
              .choices = kModels,
              .default_text = "random",
              .help = "how losses cluster",
              .list = false},
    ParamSpec{.name = "ports",
              .type = ParamType::integer,
              .required = false,
              .min = 1,
              .max = 65535,
              .choices = {},
              .default_text = {},
              .help = "destination ports",
              .list = true},
};

Result<Params> check(const Json& given) {
  return validate_params(std::span<const ParamSpec>(kSpecs), given, "/method/0/arguments");
}

TEST(Schema, GivesCanonicalValuesAndDefaults) {
  const auto params =
      check({{"device", "eth0"}, {"delay", "200ms"}, {"loss", "5%"}, {"ports", {80, 443}}});
  ASSERT_TRUE(params) << describe(params.error());
  EXPECT_EQ(params->text("device"), "eth0");
  EXPECT_EQ(params->duration("delay"), 200ms);
  EXPECT_DOUBLE_EQ(params->ratio("loss").value, 0.05);
  EXPECT_EQ(params->text("model"), "random");
  EXPECT_EQ(params->integers("ports"), (std::vector<std::int64_t>{80, 443}));
}

struct Refusal {
  Json given;
  std::string_view pointer;
  std::string_view words;
};

TEST(Schema, RefusesWithPointerAndNearestWord) {
  const std::vector<Refusal> refusals{
      {{{"device", "eth0"}, {"dealy", "1ms"}}, "/method/0/arguments/dealy", "'delay'"},
      {{{"delay", "1ms"}}, "/method/0/arguments", "'device' is missing"},
      {{{"device", "eth0"}, {"delay", 200}}, "/method/0/arguments/delay", "unit"},
      {{{"device", "eth0"}, {"delay", "61s"}}, "/method/0/arguments/delay", "1us to 1m, not 1m1s"},
      {{{"device", "eth0"}, {"loss", "120%"}}, "/method/0/arguments/loss", "more than 100%"},
      {{{"device", "eth0"}, {"model", "randon"}}, "/method/0/arguments/model", "'random'"},
      {{{"device", "eth0"}, {"ports", {80, 70000}}}, "/method/0/arguments/ports/1", "65535"},
      {{{"device", 7}}, "/method/0/arguments/device", "string"}};
  for (const Refusal& refusal : refusals) {
    const auto params = check(refusal.given);
    ASSERT_FALSE(params) << refusal.given;
    EXPECT_EQ(params.error().pointer, refusal.pointer);
    EXPECT_NE(params.error().what.find(refusal.words), std::string::npos) << params.error().what;
  }
}

TEST(Schema, SurvivesTheWayToTheController) {
  const auto specs = from_json_schema(to_json_schema(std::span<const ParamSpec>(kSpecs)));
  ASSERT_TRUE(specs);
  const Json good = {{"device", "eth0"}, {"delay", "200ms"}, {"ports", 80}};
  const auto here = check(good);
  const auto there = validate_params(std::span<const OwnedParamSpec>(*specs), good, "");
  ASSERT_TRUE(here && there);
  EXPECT_EQ(here->canonical(), there->canonical());
  EXPECT_FALSE(validate_params(std::span<const OwnedParamSpec>(*specs),
                               Json{{"device", "eth0"}, {"delay", "61s"}}, ""));
}

constexpr ParamSpec number(std::string_view name, ParamType type, double min, double max,
                           bool ramps) {
  return {.name = name,
          .type = type,
          .min = min,
          .max = max,
          .choices = {},
          .default_text = {},
          .help = {},
          .ramps = ramps};
}
constexpr std::array kRamping{number("delay", ParamType::duration, 1, 60e6, true),
                              number("loss", ParamType::ratio, 0, 1, true),
                              number("slots", ParamType::integer, 1, 4096, true),
                              number("port", ParamType::integer, 1, 65535, false)};

TEST(Ramp, MovesOneNumberInEqualStepsAndEndsExactly) {
  const Json given{{"delay", "100ms"}, {"loss", "30%"}, {"slots", 64}};
  const Params peak = *validate_params(kRamping, given, "");
  const auto start = validate_ramp(kRamping, given, {"slots", "1024", 1s, 7}, "/ramp");
  ASSERT_TRUE(start) << start.error().what;
  EXPECT_EQ(start->integer("slots"), 1024);
  EXPECT_EQ(start->duration("delay"), 100ms) << "the others stay";
  EXPECT_EQ(ramped(*start, peak, "slots", 0, 7).integer("slots"), 1024);
  EXPECT_EQ(ramped(*start, peak, "slots", 1, 7).integer("slots"), 887) << "887.14 is rounded";
  EXPECT_EQ(ramped(*start, peak, "slots", 2, 7).integer("slots"), 750) << "749.71 too";
  EXPECT_EQ(ramped(*start, peak, "slots", 7, 7).canonical(), peak.canonical());
  EXPECT_EQ(ramped(*start, peak, "slots", 8, 7).canonical(), peak.canonical());

  const auto none = validate_ramp(kRamping, given, {"loss", "0%", 1s, 3}, "/ramp");
  ASSERT_TRUE(none);
  const Params third = ramped(*none, peak, "loss", 1, 3);
  EXPECT_NEAR(third.ratio("loss").value, 0.1, 1e-12);
  EXPECT_EQ(param_text(kRamping, third, "loss"), "10%");
  EXPECT_EQ(param_text(kRamping, third, "delay"), "100ms");
  EXPECT_EQ(ramped(*none, peak, "loss", 3, 3).ratio("loss").value, 0.3) << "exactly, not nearly";
}

TEST(Ramp, RefusesWhatCannotBeWithThePlace) {
  const Json given{{"loss", "30%"}, {"port", 80}};
  const std::pair<Ramp, std::string> cases[] = {
      {{"lsos", "0%", 1s, 1}, "/r/parameter: unknown parameter 'lsos'. Did you mean 'loss'?"},
      {{"port", "1", 1s, 1},
       "/r/parameter: 'port' cannot change while the fault is on; these can: "
       "delay, loss, slots"},
      {{"delay", "1ms", 1s, 1},
       "/r/parameter: 'delay' must be among the arguments too: its value "
       "there is where the ramp ends"},
      {{"loss", "101%", 1s, 1}, "/r/from: 'loss': "},
      {{"loss", "1ms", 1s, 1}, "/r/from: 'loss': "}};
  for (const auto& [ramp, expected] : cases) {
    const auto refused = validate_ramp(kRamping, given, ramp, "/r");
    ASSERT_FALSE(refused) << expected;
    const std::string seen = refused.error().pointer + ": " + refused.error().what;
    EXPECT_TRUE(seen.starts_with(expected)) << seen;
  }
}

TEST(Ramp, WhatCanRampCrossesTheWireAndShowsInTheHelp) {
  const auto back = from_json_schema(to_json_schema(kRamping));
  ASSERT_TRUE(back);
  for (const OwnedParamSpec& spec : *back) EXPECT_EQ(spec.ramps, spec.name != "port") << spec.name;
  EXPECT_EQ(to_json_schema(kRamping)["properties"]["loss"]["x-firedrill-ramps"], true);
  EXPECT_NE(to_help_text(kRamping).find("(can ramp)"), std::string::npos);
}

}  // namespace
}  // namespace firedrill
