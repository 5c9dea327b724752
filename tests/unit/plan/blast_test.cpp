// How much may be hurt at once: refused before anything is touched, with what to do instead.
#include "controller/plan/blast.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

AgentView agent(std::string host, std::string role = "db") {
  AgentView out;
  out.host = std::move(host);
  out.tags = {{"role", std::move(role)}};
  return out;
}

/// db-1 … db-5 and a client.
std::vector<AgentView> fleet_of_six() {
  return {agent("db-1"), agent("db-2"), agent("db-3"),
          agent("db-4"), agent("db-5"), agent("client-1", "client")};
}

void busy(AgentView& agent, const std::string& run, InjectionState state = InjectionState::active) {
  agent.open.push_back({.id = "x", .run = run, .fault = "netem", .state = state, .detail = {}});
}

/// One injection of ten seconds on each host, from the second given.
Plan plan_on(const std::vector<std::pair<std::string, int>>& hosts) {
  Plan out;
  out.run = "mine";
  for (const auto& [host, second] : hosts) {
    PlannedInjection& one = out.injections.emplace_back();
    one.host = host;
    one.start = std::chrono::seconds(second);
    one.request.duration = 10s;
  }
  return out;
}

BlastRadius radius(std::string_view text) {
  const auto read = parse_fleet_limits(text, "fleet.json");
  EXPECT_TRUE(read) << describe(read.error());
  return read.value_or(BlastRadius{});
}

std::string answer(const Plan& plan, const BlastRadius& own,
                   const std::vector<AgentView>& agents = fleet_of_six(),
                   const FleetState& fleet = {}) {
  const auto checked = check_blast_radius(plan, own, agents, fleet);
  if (checked) return "allowed";
  EXPECT_EQ(checked.error().code, ErrorCode::refused);
  return checked.error().pointer + ": " + checked.error().what;
}

TEST(BlastRadiusTest, NothingSaidAllowsEverything) {
  EXPECT_EQ(answer(plan_on({{"db-1", 0}, {"db-2", 0}, {"db-3", 0}}), {}), "allowed");
}

TEST(BlastRadiusTest, CountsHostsThatAreHurtAtOnce) {
  const BlastRadius two = radius(R"({"blast-radius": {"max-hosts": 2}})");
  EXPECT_EQ(answer(plan_on({{"db-1", 0}, {"db-1", 0}, {"db-2", 0}}), two), "allowed");
  EXPECT_THAT(answer(plan_on({{"db-1", 0}, {"db-2", 5}, {"db-3", 9}}), two),
              AllOf(HasSubstr("/blast-radius/max-hosts: 3 hosts"), HasSubstr("db-1, db-2, db-3"),
                    HasSubstr("at most 2"), HasSubstr("start after")));
  EXPECT_EQ(answer(plan_on({{"db-1", 0}, {"db-2", 5}, {"db-3", 11}}), two), "allowed");
  EXPECT_THAT(answer(plan_on({{"db-1", 0}, {"db-2", 5}, {"db-3", 10}}), two), HasSubstr("3 hosts"))
      << "an undo takes its time: touching ends are together";
}

TEST(BlastRadiusTest, PercentagesAreOfThoseConnectedAndRoundedDown) {
  const BlastRadius third = radius(R"({"blast-radius": {"max-hosts": "35%"}})");
  EXPECT_EQ(answer(plan_on({{"db-1", 0}, {"db-2", 0}}), third), "allowed");
  EXPECT_THAT(answer(plan_on({{"db-1", 0}, {"db-2", 0}, {"db-3", 0}}), third),
              HasSubstr("35 % of the 6 connected may be, which is 2"));
}

TEST(BlastRadiusTest, OtherRunsOnOtherHostsAreCounted) {
  const BlastRadius two = radius(R"({"blast-radius": {"max-hosts": 2}})");
  auto agents = fleet_of_six();
  busy(agents[4], "theirs");
  EXPECT_EQ(answer(plan_on({{"db-1", 0}}), two, agents), "allowed");
  EXPECT_THAT(answer(plan_on({{"db-1", 0}, {"db-2", 0}}), two, agents),
              AllOf(HasSubstr("3 hosts"), HasSubstr("db-5 (run theirs)")));
  agents[4].open[0].state = InjectionState::undone;
  EXPECT_EQ(answer(plan_on({{"db-1", 0}, {"db-2", 0}}), two, agents), "allowed");
}

TEST(BlastRadiusTest, AQuorumLosesLessThanHalf) {
  const BlastRadius quorum =
      radius(R"({"blast-radius": {"quorum-of": [{"tags": {"role": "db"}}]}})");
  EXPECT_EQ(answer(plan_on({{"db-1", 0}, {"db-2", 0}, {"client-1", 0}}), quorum), "allowed");
  EXPECT_THAT(answer(plan_on({{"db-1", 0}, {"db-2", 0}, {"db-3", 0}}), quorum),
              AllOf(HasSubstr("/blast-radius/quorum-of/0"), HasSubstr("3 of 5 hosts with role=db"),
                    HasSubstr("at most 2 may be missing")));
  auto agents = fleet_of_six();
  busy(agents[2], "theirs", InjectionState::dirty);
  EXPECT_THAT(answer(plan_on({{"db-1", 0}, {"db-2", 0}}), quorum, agents), HasSubstr("3 of 5"))
      << "a host that is dirty is not whole";
  EXPECT_EQ(answer(plan_on({{"client-1", 0}}), quorum, agents), "allowed");
}

TEST(BlastRadiusTest, WhoIsAwayIsLostToTheQuorum) {
  const BlastRadius quorum =
      radius(R"({"blast-radius": {"quorum-of": [{"tags": {"role": "db"}}]}})");
  FleetState fleet;
  fleet.absent = {"host-9"};
  // Were host-9 a member, five connected of six could lose one more, beside it.
  EXPECT_EQ(answer(plan_on({{"db-1", 0}}), quorum, fleet_of_six(), fleet), "allowed");
  EXPECT_THAT(answer(plan_on({{"db-1", 0}, {"db-2", 0}}), quorum, fleet_of_six(), fleet),
              AllOf(HasSubstr("host-9"), HasSubstr("'members'")));
  const BlastRadius told =
      radius(R"({"blast-radius": {"quorum-of": [{"tags": {"role": "db"}, "members": 5}]}})");
  EXPECT_EQ(answer(plan_on({{"db-1", 0}, {"db-2", 0}}), told, fleet_of_six(), fleet), "allowed");
  auto four = fleet_of_six();
  four.erase(four.begin() + 4);
  EXPECT_EQ(answer(plan_on({{"db-1", 0}}), told, four), "allowed");
  EXPECT_THAT(answer(plan_on({{"db-1", 0}, {"db-2", 0}}), told, four),
              AllOf(HasSubstr("2 of 5"), HasSubstr("1 of them are not connected")));
}

TEST(BlastRadiusTest, TwoRunsOnOneHostOnlyWhenSaid) {
  auto agents = fleet_of_six();
  busy(agents[0], "local");
  EXPECT_THAT(answer(plan_on({{"db-1", 0}}), {}, agents),
              AllOf(HasSubstr("/blast-radius/share-hosts"), HasSubstr("run 'local'"),
                    HasSubstr("db-1"), HasSubstr("'share-hosts': true")));
  EXPECT_EQ(answer(plan_on({{"db-2", 0}}), {}, agents), "allowed");
  const BlastRadius shared = radius(R"({"blast-radius": {"share-hosts": true}})");
  EXPECT_EQ(answer(plan_on({{"db-1", 0}}), shared, agents), "allowed");
  FleetState never;
  never.limits.share_hosts = false;
  never.file = "fleet.json";
  EXPECT_THAT(answer(plan_on({{"db-1", 0}}), shared, agents, never),
              AllOf(HasSubstr("fleet.json"), Not(HasSubstr("'share-hosts': true"))));
}

TEST(BlastRadiusTest, TheFleetsLimitHoldsForEveryExperimentAndIsNamed) {
  FleetState fleet;
  fleet.limits = radius(R"({"blast-radius": {"max-hosts": 1}})");
  fleet.file = "/home/x/fleet.json";
  EXPECT_THAT(answer(plan_on({{"db-1", 0}, {"db-2", 0}}), {}, fleet_of_six(), fleet),
              AllOf(HasSubstr("/blast-radius/max-hosts"), HasSubstr("/home/x/fleet.json")));
}

TEST(BlastRadiusTest, AShamHurtsNobody) {
  Plan plan = plan_on({{"db-1", 0}, {"db-2", 0}});
  plan.sham = true;
  EXPECT_EQ(answer(plan, radius(R"({"blast-radius": {"max-hosts": 0}})")), "allowed");
}

TEST(FleetLimits, AreReadStrictly) {
  const auto error_of = [](std::string_view text) {
    const auto read = parse_fleet_limits(text, "fleet.json");
    return read ? std::string("accepted") : describe(read.error());
  };
  EXPECT_EQ(error_of("{}"), "accepted");
  EXPECT_THAT(error_of(R"({"blast-radius": {"max-host": 1}})"),
              AllOf(HasSubstr("fleet.json"), HasSubstr("'max-hosts'"),
                    HasSubstr("/blast-radius/max-host")));
  for (const char* most : {"-1", "1.5", "\"101%\"", "\"-1%\"", "\"%\"", "\"many\"", "\"nan%\""})
    EXPECT_THAT(error_of(std::string(R"({"blast-radius": {"max-hosts": )") + most + "}}"),
                HasSubstr("/blast-radius/max-hosts"))
        << most;
  EXPECT_THAT(error_of(R"({"blast-radius": {"quorum-of": [{"tags": {}}]}})"),
              HasSubstr("/blast-radius/quorum-of/0/tags"));
  EXPECT_THAT(error_of(R"({"blast-radius": {"quorum-of": [{"tags": {"a": "b"}, "members": 0}]}})"),
              HasSubstr("members"));
  EXPECT_THAT(error_of("{"), HasSubstr("fleet.json"));
}

}  // namespace
}  // namespace firedrill
