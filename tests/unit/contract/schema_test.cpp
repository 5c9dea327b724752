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

}  // namespace
}  // namespace firedrill
