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
    {.name = "unit", .type = ParamType::text, .choices = {}, .default_text = {}, .help = {}},
    {.name = "cgroup", .type = ParamType::text, .choices = {}, .default_text = {}, .help = {}},
    {.name = "process", .type = ParamType::text, .choices = {}, .default_text = {}, .help = {}},
    {.name = "protect-ssh", .type = ParamType::flag, .choices = {}, .default_text = {}, .help = {}},
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
                 const std::string& fault = "netem", std::size_t open = 0, UtcTime at = {}) {
  FaultRequest request;
  request.id = "i1";
  request.fault = fault;
  request.duration = duration;
  const auto params = validate_params(std::span<const ParamSpec>(kParams), given, "/params");
  if (!params) return std::unexpected(params.error());
  return policy.check(request, *params, open, at);
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

/// 2026-03-02 was a Monday; the tests' host keeps UTC.
UtcTime monday(int hour, int minute = 0, int day = 0) {
  return std::chrono::sys_days(std::chrono::year(2026) / 3 / 2) + std::chrono::days(day) +
         std::chrono::hours(hour) + std::chrono::minutes(minute);
}

int utc_minute_of_week(UtcTime at) {
  const auto since = at - std::chrono::sys_days(std::chrono::year(2026) / 3 / 2);
  return static_cast<int>(std::chrono::floor<std::chrono::minutes>(since).count() % kMinutesOfWeek);
}

TEST(PolicyHours, AFaultRunsAndEndsWithinThem) {
  auto policy = parse(
      R"({"policy": {"max-duration": "24h",
          "hours": [{"days": "mon-fri", "from": "09:00", "to": "17:00"}]}})");
  ASSERT_TRUE(policy) << describe(policy.error());
  policy->set_local_minute(&utc_minute_of_week);
  const auto at = [&](UtcTime when, Duration duration) {
    return refusal(ask(*policy, Json::object(), duration, "netem", 0, when));
  };
  EXPECT_EQ(at(monday(9), 8h), "allowed");
  EXPECT_THAT(at(monday(8, 59), 1min),
              AllOf(HasSubstr("it is Mon 08:59"), HasSubstr("mon-fri 09:00-17:00"),
                    HasSubstr("line 2 (/policy/hours)")));
  EXPECT_THAT(at(monday(16, 30), 31min), HasSubstr("still be on at Mon 17:00"));
  EXPECT_EQ(at(monday(16, 30), 30min), "allowed");
  EXPECT_THAT(at(monday(12, 0, 5), 1min), HasSubstr("it is Sat 12:00"));
  EXPECT_TRUE(policy->check_hours(monday(10), 1min));
  EXPECT_FALSE(policy->check_hours(monday(18), 1min));
}

TEST(PolicyHours, WindowsMayCrossMidnightAndMeet) {
  auto policy = parse(
      R"({"policy": {"max-duration": "24h",
          "hours": [{"days": "fri,sun", "from": "22:00", "to": "04:00"},
                    {"days": "sat", "from": "04:00", "to": "24:00"}]}})");
  ASSERT_TRUE(policy) << describe(policy.error());
  policy->set_local_minute(&utc_minute_of_week);
  EXPECT_TRUE(policy->check_hours(monday(22, 0, 4), 24h)) << "Fri 22:00 to Sat 22:00";
  EXPECT_TRUE(policy->check_hours(monday(3, 59, 7), 1min)) << "Sunday's window, on Monday";
  EXPECT_FALSE(policy->check_hours(monday(4, 0, 7), 1min));
  EXPECT_FALSE(policy->check_hours(monday(23, 59, 5), 2min)) << "Sat 24:00 is the end";
}

TEST(PolicyHours, AreReadStrictly) {
  const auto error_of = [](std::string_view hours) {
    const auto policy = parse(std::string(R"({"policy": {"hours": )") + std::string(hours) + "}}");
    return policy ? std::string("accepted") : describe(policy.error());
  };
  EXPECT_THAT(error_of("[]"), HasSubstr("/policy/hours"));
  EXPECT_THAT(error_of(R"([{"days": "mon-fir", "from": "09:00", "to": "17:00"}])"),
              AllOf(HasSubstr("'fri'"), HasSubstr("/policy/hours/0/days")));
  for (const char* time : {"9:00", "09.00", "24:01", "12:60", "-1:00", "", "09:00Z"})
    EXPECT_THAT(error_of(std::string(R"([{"from": ")") + time + R"(", "to": "17:00"}])"),
                HasSubstr("/policy/hours/0/from"))
        << time;
  EXPECT_THAT(error_of(R"([{"from": "24:00", "to": "17:00"}])"), HasSubstr("/from"));
  EXPECT_THAT(error_of(R"([{"form": "09:00", "to": "17:00"}])"), HasSubstr("'from'"));
}

std::string protecting(std::string_view rules, const Json& given) {
  const auto policy = parse(std::string(R"({"policy": )") + std::string(rules) + "}");
  if (!policy) return describe(policy.error());
  return refusal(ask(*policy, given));
}

TEST(PolicyProtects, DisksUnitsProcessesAndPathsByName) {
  EXPECT_THAT(protecting(R"({"protected-devices": ["/dev/mapper/vg-db"]})", {{"device", "vg-db"}}),
              HasSubstr("/policy/protected-devices/0"));
  EXPECT_THAT(protecting(R"({"protected-devices": ["sdb"]})", {{"device", "/dev/sdb"}}),
              HasSubstr("device 'sdb' is protected"));
  EXPECT_THAT(protecting(R"({"protected-units": ["etcd"]})", {{"unit", "etcd.service"}}),
              HasSubstr("/policy/protected-units/0"));
  EXPECT_THAT(protecting(R"({"protected-units": ["etcd.service"]})",
                         {{"cgroup", "system.slice/etcd.service/sub"}}),
              HasSubstr("'etcd.service' is protected"));
  EXPECT_THAT(protecting(R"({"protected-processes": ["postgres"]})", {{"process", "postgres"}}),
              HasSubstr("/policy/protected-processes/0"));
  EXPECT_THAT(protecting(R"({"protected-paths": ["/srv/db"]})", {{"device", "/srv/db/../db/wal"}}),
              HasSubstr("/policy/protected-paths/0"));
  EXPECT_EQ(protecting(R"({"protected-paths": ["/srv/db"]})", {{"device", "/srv/db2"}}), "allowed");
  EXPECT_THAT(protecting(R"({"protected-paths": ["srv"]})", Json::object()),
              HasSubstr("not absolute"));
  EXPECT_THAT(protecting(R"({"protected-ports": [0]})", Json::object()),
              HasSubstr("/policy/protected-ports/0"));
  EXPECT_THAT(protecting(R"({"protected-units": [""]})", Json::object()), HasSubstr("is empty"));
}

TEST(PolicyProtects, SshUnlessTheOwnerLetsGo) {
  EXPECT_THAT(protecting("{}", {{"protect-ssh", false}}), HasSubstr("'protect-ssh'"));
  EXPECT_EQ(protecting("{}", {{"protect-ssh", true}}), "allowed");
  EXPECT_EQ(protecting(R"({"protect-ssh": false})", {{"protect-ssh", false}}), "allowed");
}

TEST(PolicyTags, EveryRequiredTagIsOneOfTheExperiments) {
  const auto policy = parse(R"({"policy": {"required-tags": ["approved", "reviewed"]}})");
  ASSERT_TRUE(policy);
  FaultRequest request;
  request.fault = "netem";
  request.duration = 1min;
  request.tags = {"approved"};
  EXPECT_THAT(refusal(policy->check(request, Params{}, 0, {})),
              AllOf(HasSubstr("'reviewed'"), HasSubstr("/policy/required-tags/1")));
  request.tags = {"reviewed", "lab", "approved"};
  EXPECT_EQ(refusal(policy->check(request, Params{}, 0, {})), "allowed");
}

TEST(PolicyCommanders, AreNamedByTheirCertificate) {
  EXPECT_TRUE(Policy{}.check_commander("anybody"));
  EXPECT_TRUE(Policy{}.check_commander(""));
  const auto policy =
      parse(R"({"policy": {"commanders": {"controllers": ["prod"], "local": false}}})");
  ASSERT_TRUE(policy) << describe(policy.error());
  EXPECT_TRUE(policy->check_commander("prod"));
  EXPECT_THAT(refusal(policy->check_commander("lab")),
              AllOf(HasSubstr("'lab'"), HasSubstr("/policy/commanders/controllers")));
  EXPECT_THAT(refusal(policy->check_commander("")), HasSubstr("/policy/commanders/local"));
}

TEST(PolicyRules, AreToldInPlainWordsWithTheirLines) {
  const auto policy = parse(kFile);
  ASSERT_TRUE(policy);
  std::string own;
  std::string built_in;
  for (const PolicyRule& rule : policy->rules())
    (rule.line != 0 ? own : built_in) += std::to_string(rule.line) + " " + rule.text + "\n";
  EXPECT_THAT(own, AllOf(HasSubstr("4 No fault may last longer than 30m."),
                         HasSubstr("8 These faults may not be used: nic-ring."),
                         HasSubstr("11 netem: 'loss' must be at most 20%."),
                         HasSubstr("12 netem: 'delay' must be at least 1ms and at most 2s."),
                         HasSubstr("network interfaces 'lo', 'mgmt0'")));
  EXPECT_THAT(built_in, AllOf(HasSubstr("0 Every fault may be used."),
                              HasSubstr("0 Faults may run at any time."),
                              HasSubstr("SSH server always pass")));
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
