// The host's owner bounds what a controller may do, and every refusal names the line that refused.
#include "agent/policy/policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firedrill::agent {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr ParamSpec kParams[] = {
    {.name = "device", .type = ParamType::text, .choices = {}, .default_text = {}, .help = {}},
    {.name = "loss", .type = ParamType::ratio, .choices = {}, .default_text = {}, .help = {}},
    {.name = "delay", .type = ParamType::duration, .choices = {}, .default_text = {}, .help = {}},
    {.name = "slots", .type = ParamType::integer, .choices = {}, .default_text = {}, .help = {}},
};
constexpr FaultTable kFaults[] = {{"netem", kParams}, {"nic-ring", kParams}};

constexpr std::string_view kFile = R"({
  "name": "db-1",
  "policy": {
    "max-duration": "30m",
    "max-injections": 2,
    "protected-interfaces": ["lo",
                             "mgmt0"],
    "deny": ["nic-ring"],
    "limits": {
      "netem": {
        "loss": {"max": "20%"},
        "delay": {"min": "1ms", "max": "2s"},
        "slots": {"min": 64}
      }
    }
  }
})";

Result<Policy> parse(std::string_view text) {
  const auto json = parse_json(text, "agent.json");
  if (!json) return std::unexpected(json.error());
  return Policy::parse(json->at("policy"), "/policy", "agent.json", text, kFaults);
}

Result<void> ask(const Policy& policy, const Json& given, Duration duration = 1min,
                 const std::string& fault = "netem", std::size_t open = 0) {
  FaultRequest request;
  request.id = "i1";
  request.fault = fault;
  request.duration = duration;
  const auto params = validate_params(std::span<const ParamSpec>(kParams), given, "/params");
  if (!params) return std::unexpected(params.error());
  return policy.check(request, *params, open);
}

std::string refusal(const Result<void>& answer) {
  if (answer) return "allowed";
  EXPECT_EQ(answer.error().code, ErrorCode::refused) << answer.error().what;
  return answer.error().what;
}

TEST(Policy, AllowsWhatIsWithinItsBounds) {
  const auto policy = parse(kFile);
  ASSERT_TRUE(policy) << describe(policy.error());
  EXPECT_EQ(refusal(ask(*policy, {{"device", "data0"}, {"loss", "20%"}, {"delay", "2s"}}, 30min)),
            "allowed");
}

TEST(Policy, RefusalsNameRuleAndLine) {
  const auto policy = parse(kFile);
  ASSERT_TRUE(policy);
  EXPECT_THAT(refusal(ask(*policy, {{"loss", "21%"}})),
              AllOf(HasSubstr("'loss' is 21%, above 20%"),
                    HasSubstr("agent.json line 11 (/policy/limits/netem/loss/max)")));
  EXPECT_THAT(refusal(ask(*policy, {{"delay", "999us"}})),
              AllOf(HasSubstr("below 1ms"), HasSubstr("line 12")));
  EXPECT_THAT(refusal(ask(*policy, {{"slots", 63}})), HasSubstr("line 13"));
  EXPECT_THAT(refusal(ask(*policy, Json::object(), 31min)),
              AllOf(HasSubstr("31m"), HasSubstr("line 4 (/policy/max-duration)")));
  EXPECT_THAT(refusal(ask(*policy, Json::object(), 1min, "netem", 2)), HasSubstr("line 5"));
  EXPECT_THAT(refusal(ask(*policy, {{"device", "mgmt0"}})),
              HasSubstr("line 7 (/policy/protected-interfaces/1)"));
  EXPECT_THAT(refusal(ask(*policy, Json::object(), 1min, "nic-ring")),
              HasSubstr("line 8 (/policy/deny/0)"));
}

TEST(Policy, TheBuiltInOneAllowsAnHourAndEightInjections) {
  const Policy policy;
  EXPECT_EQ(refusal(ask(policy, {{"loss", "100%"}}, 1h, "netem", 7)), "allowed");
  EXPECT_THAT(refusal(ask(policy, Json::object(), 1h + 1us)),
              AllOf(HasSubstr("built-in"), HasSubstr("'max-duration'")));
  EXPECT_THAT(refusal(ask(policy, Json::object(), 1min, "netem", 8)), HasSubstr("built-in"));
}

TEST(Policy, AnAllowListRefusesTheRest) {
  const auto policy = parse(R"({"policy": {"allow": ["netem"]}})");
  ASSERT_TRUE(policy);
  EXPECT_EQ(refusal(ask(*policy, Json::object())), "allowed");
  EXPECT_THAT(refusal(ask(*policy, Json::object(), 1min, "nic-ring")), HasSubstr("/policy/allow"));
  const auto none = parse(R"({"policy": {"allow": []}})");
  ASSERT_TRUE(none);
  EXPECT_THAT(refusal(ask(*none, Json::object())), HasSubstr("not among"));
}

TEST(Policy, IsReadStrictly) {
  const auto error_of = [](std::string_view section) {
    const auto policy = parse(std::string(R"({"policy": )") + std::string(section) + "}");
    return policy ? "accepted" : describe(policy.error());
  };
  EXPECT_THAT(error_of(R"({"max-duraton": "1h"})"),
              AllOf(HasSubstr("'max-duration'"), HasSubstr("/policy/max-duraton")));
  EXPECT_THAT(error_of(R"({"max-duration": "1"})"), HasSubstr("/policy/max-duration"));
  EXPECT_THAT(error_of(R"({"max-duration": "25h"})"), HasSubstr("at most 24h"));
  EXPECT_THAT(error_of(R"({"max-injections": 65})"), HasSubstr("0 to 64"));
  EXPECT_THAT(error_of(R"({"max-injections": -1})"), HasSubstr("0 to 64"));
  EXPECT_THAT(error_of(R"({"deny": ["netm"]})"),
              AllOf(HasSubstr("'netem'"), HasSubstr("/policy/deny/0")));
  EXPECT_THAT(error_of(R"({"limits": {"netem": {"los": {"max": "1%"}}}})"),
              AllOf(HasSubstr("'loss'"), HasSubstr("/policy/limits/netem/los")));
  EXPECT_THAT(error_of(R"({"limits": {"netem": {"loss": {"max": "1s"}}}})"),
              HasSubstr("/policy/limits/netem/loss/max"));
  EXPECT_THAT(error_of(R"({"limits": {"netem": {"loss": {}}}})"), HasSubstr("'min', 'max'"));
  EXPECT_THAT(error_of(R"({"limits": {"netem": {"loss": {"min": "9%", "max": "1%"}}}})"),
              HasSubstr("above"));
  EXPECT_THAT(error_of(R"({"limits": {"netem": {"device": {"max": "x"}}}})"), HasSubstr("order"));
}

TEST(LineOf, FindsValuesWhereverTheyStand) {
  constexpr std::string_view kText =
      "{\n\"a/b\": [1,\n{\"x\\\"\": \"},]\",\n\"y\": 2}],\n\"c\": 3}";
  EXPECT_EQ(line_of(kText, ""), 1U);
  EXPECT_EQ(line_of(kText, "/a~1b"), 2U);
  EXPECT_EQ(line_of(kText, "/a~1b/1"), 3U);
  EXPECT_EQ(line_of(kText, "/a~1b/1/y"), 4U);
  EXPECT_EQ(line_of(kText, "/c"), 5U);
  EXPECT_EQ(line_of(kText, "/d"), 0U);
  EXPECT_EQ(line_of(kText, "/c/d"), 0U);
  EXPECT_EQ(line_of("", "/c"), 0U);
}

}  // namespace
}  // namespace firedrill::agent
