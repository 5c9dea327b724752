// What is crashed without anybody writing it down, and dice that fall the same way twice.
#include "tests/crash/cases.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/crash/host_state.hpp"
#include "tests/crash/random_kills.hpp"

namespace firedrill::crash {
namespace {

using testing::ElementsAre;
using testing::IsSupersetOf;

std::vector<std::string> names_of(const std::vector<Case>& cases) {
  std::vector<std::string> out;
  for (const Case& each : cases) out.push_back(each.name);
  return out;
}

Json shipped_cases() {
  std::ifstream in(std::string(FIREDRILL_SOURCE_DIR) + "/tests/crash/cases.json");
  const auto parsed = parse_json(std::string(std::istreambuf_iterator<char>(in), {}), "cases.json");
  EXPECT_TRUE(parsed) << describe(parsed.error());
  return parsed.value_or(Json::array());
}

TEST(Cases, EveryFaultIsCrashedByItsExample) {
  const auto cases = cases_of(agent::fault_registry(), Json::array());
  ASSERT_TRUE(cases);
  for (const auto& fault : agent::fault_registry())
    EXPECT_EQ(std::ranges::count(*cases, fault->name(), &Case::name), 1) << fault->name();
}

TEST(Cases, WhatHasNoRhythmOfItsOwnAlsoComesAndGoes) {
  const auto cases = cases_of(agent::fault_registry(), Json::array());
  ASSERT_TRUE(cases);
  EXPECT_THAT(names_of(*cases), IsSupersetOf({"netem: on and off", "dm-delay: on and off"}));
  EXPECT_EQ(std::ranges::count(*cases, "route-flap: on and off", &Case::name), 0);
}

TEST(Cases, ThoseThatShipAreValid) {
  const Json more = shipped_cases();
  const auto cases = cases_of(agent::fault_registry(), more);
  ASSERT_TRUE(cases) << describe(cases.error());
  for (const Case& each : *cases) {
    const agent::Fault& fault = *agent::find_fault(each.fault);
    const auto params = validate_params(fault.schema(), each.arguments, "");
    ASSERT_TRUE(params) << each.name << ": " << describe(params.error());
    const auto checked = fault.check(*params);
    EXPECT_TRUE(checked) << each.name << ": " << describe(checked.error());
  }
}

TEST(Cases, AFaultThatIsNotThereIsNamed) {
  const auto cases = cases_of(agent::fault_registry(), {{{"fault", "netm"}, {"name", "x"}}});
  ASSERT_FALSE(cases);
  EXPECT_EQ(cases.error().pointer, "/0/fault");
}

TEST(Cases, AreWordsOfTheCommandLine) {
  const Case what{"netem", "netem", {{"device", "eth0"}, {"destination-port", {1, 2}}},
                  {},      {},      "1s"};
  EXPECT_THAT(what.words(), ElementsAre("inject", "netem", "--duration", "1s", "--json",
                                        "destination-port=1", "destination-port=2", "device=eth0"));
}

TEST(RandomRounds, AreTheSameForTheSameSeed) {
  const Round one = plan_round(7, 3, 20);
  const Round same = plan_round(7, 3, 20);
  EXPECT_EQ(one.kill_after, same.kill_after);
  ASSERT_EQ(one.injections.size(), same.injections.size());
  for (std::size_t i = 0; i < one.injections.size(); ++i)
    EXPECT_EQ(one.injections[i].which, same.injections[i].which);
}

TEST(RandomRounds, MixSeveralFaultsAndBothWaysToDie) {
  std::size_t most = 0;
  int both = 0;
  for (int number = 1; number <= 100; ++number) {
    const Round round = plan_round(1, number, 3);
    most = std::max(most, round.injections.size());
    both += round.pass == Pass::both_killed ? 1 : 0;
    for (const auto& each : round.injections) EXPECT_LT(each.which, 3U);
  }
  EXPECT_GE(most, 4U);
  EXPECT_GT(both, 10);
  EXPECT_LT(both, 90);
}

TEST(Differences, NameTheLinkThatALineBelongsTo) {
  EXPECT_THAT(differences("link eth0\n  ring rx 64\nlink eth1\n  ring rx 64\n",
                          "link eth0\n  ring rx 64\nlink eth1\n  ring rx 32\n"),
              ElementsAre("- link eth1:  ring rx 64", "+ link eth1:  ring rx 32"));
  EXPECT_THAT(differences("filter a\nfilter a\n", "filter a\n"), ElementsAre("- filter a"));
  EXPECT_THAT(differences("a\n", "a\n"), ElementsAre());
}

}  // namespace
}  // namespace firedrill::crash
