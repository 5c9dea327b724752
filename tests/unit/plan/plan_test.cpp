#include "controller/plan/plan.hpp"

#include <chrono>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "firedrill/schema.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

rpc::Capability capability(std::string name, std::vector<OwnedParamSpec> params,
                           std::vector<std::string> values = {}) {
  rpc::Capability out;
  out.name = std::move(name);
  out.schema = to_json_schema(params);
  out.supported = true;
  out.values = std::move(values);
  return out;
}

OwnedParamSpec param(std::string name, ParamType type, bool required = false) {
  OwnedParamSpec out;
  out.name = std::move(name);
  out.type = type;
  out.required = required;
  return out;
}

AgentView agent(std::string host, std::string role) {
  AgentView out;
  out.host = std::move(host);
  out.tags = {{"role", std::move(role)}};
  OwnedParamSpec loss = param("loss", ParamType::ratio);
  loss.max = 1;
  loss.ramps = true;
  out.faults = {capability("netem", {param("device", ParamType::text, true), loss}),
                capability("nic-ring", {param("device", ParamType::text, true)})};
  out.probes = {
      capability("tcp", {param("host", ParamType::text, true)}, {"p99_ms", "error_ratio"}),
      capability("nic-ring", {param("device", ParamType::text)}, {"rx_slots"}),
      capability("nic-counters", {}, {"rx_packets", "*"}),
      capability("log", {param("file", ParamType::text), param("contains", ParamType::text)},
                 {"matches"})};
  return out;
}

std::vector<AgentView> fleet() {
  return {agent("db-3", "db"), agent("db-1", "db"), agent("client-1", "client"),
          agent("db-2", "db"), agent("db-4", "db")};
}

Json document() {
  return Json::parse(R"json({
    "title": "t",
    "targets": {"dbs": {"tags": {"role": "db"}}, "client": {"hosts": ["client-1"]}},
    "steady-state-hypothesis": {"probes": [
      {"name": "port", "from": "client", "measure": "p99_ms", "tolerance": [0, 10],
       "provider": {"type": "tcp", "host": "db-1"}}]},
    "method": [
      {"name": "drop", "target": "dbs", "duration": "10s", "pauses": {"before": 1, "after": 2},
       "cured-by": {"probe": "nic-ring", "measure": "rx_slots", "min": 512},
       "provider": {"type": "fault", "fault": "netem",
                    "arguments": {"device": "data0", "loss": "5%"}}},
      {"name": "clean", "start-after": "shrink", "provider":
       {"type": "process", "path": "clean", "timeout": "5s"}},
      {"name": "shrink", "target": "dbs", "duration": "20s", "start-after": "drop", "lease": "7s",
       "provider": {"type": "fault", "fault": "nic-ring", "arguments": {"device": "data0"}}}],
    "runbook": {"steps": [{"id": "mend", "verify": {"type": "probe", "probe": "nic-ring",
      "target": "dbs", "measure": "rx_slots", "tolerance": [512, 9000]}}]}
  })json");
}

Result<Plan> plan_of(const Json& json, std::uint64_t seed = 1,
                     const std::vector<AgentView>& agents = fleet()) {
  const auto experiment = parse_experiment(json, "test", ".");
  if (!experiment) return std::unexpected(experiment.error());
  return make_plan(*experiment, agents, {.run = "20260301-abcdef12", .seed = seed});
}

Json with(const std::string& pointer, const Json& value) {
  Json out = document();
  out[Json::json_pointer(pointer)] = value;
  return out;
}

TEST(Plan, LaysOutTheTimeline) {
  const auto plan = plan_of(document());
  ASSERT_TRUE(plan) << describe(plan.error());
  ASSERT_EQ(plan->injections.size(), 8U);
  EXPECT_EQ(plan->injections[0].id, "abcdef12.1");
  EXPECT_EQ(plan->injections[0].host, "db-1");
  EXPECT_EQ(plan->injections[0].start, 1s);
  EXPECT_EQ(plan->injections[0].request.lease, kDefaultLease);
  EXPECT_EQ(plan->injections[4].action, "shrink");
  EXPECT_EQ(plan->injections[4].start, 13s);
  EXPECT_EQ(plan->injections[4].request.lease, Duration(7s));
  ASSERT_EQ(plan->processes.size(), 1U);
  EXPECT_EQ(plan->processes[0].start, 33s);
  EXPECT_EQ(plan->fault_time, 38s);
  EXPECT_EQ(plan->step_probes.size(), 4U);
  EXPECT_THAT(plan->hosts(), ElementsAre("client-1", "db-1", "db-2", "db-3", "db-4"));
  EXPECT_EQ(plan->find("abcdef12.8")->host, "db-4");
  EXPECT_EQ(plan->find("abcdef12.9"), nullptr);
}

TEST(Plan, ALogIsReadOnEachHostOfItsDetector) {
  const Json log{{"type", "log"}, {"from", "dbs"}, {"file", "/var/log/x"}, {"contains", "oom"}};
  const auto plan = plan_of(with("/detectors", {{"oom", log}}));
  ASSERT_TRUE(plan) << describe(plan.error());
  ASSERT_EQ(plan->detector_probes.size(), 4U);
  EXPECT_EQ(plan->detector_probes[0].host, "db-1");
  EXPECT_EQ(plan->detector_probes[0].arguments["file"], "/var/log/x");
  Json elsewhere = log;
  elsewhere["from"] = "client";
  EXPECT_EQ(plan_of(with("/detectors", {{"oom", elsewhere}}))->detector_probes.size(), 1U);
  elsewhere["from"] = "clint";
  EXPECT_EQ(plan_of(with("/detectors", {{"oom", elsewhere}})).error().pointer,
            "/detectors/oom/from");
}

TEST(Plan, EveryRequestIsOneThatAnAgentReads) {
  const auto plan = plan_of(document());
  ASSERT_TRUE(plan) << describe(plan.error());
  std::set<std::string> ids;
  for (const PlannedInjection& injection : plan->injections) {
    const auto read = parse_fault_request(to_json(injection.request), "");
    ASSERT_TRUE(read) << describe(read.error());
    EXPECT_EQ(read->id, injection.id);
    EXPECT_TRUE(ids.insert(read->id).second);
  }
}

TEST(Plan, ChoosesTheSameHostsForTheSameSeed) {
  const Json json = with("/targets/dbs/mode", "one");
  std::set<std::string> chosen;
  for (std::uint64_t seed = 0; seed < 64; ++seed) {
    const auto first = plan_of(json, seed);
    ASSERT_TRUE(first) << describe(first.error());
    std::vector<AgentView> shuffled = fleet();
    std::ranges::reverse(shuffled);
    const auto second = plan_of(json, seed, shuffled);
    ASSERT_TRUE(second) << describe(second.error());
    EXPECT_EQ(first->targets, second->targets);
    EXPECT_EQ(first->targets.at("dbs").size(), 1U);
    chosen.insert(first->targets.at("dbs").front());
  }
  EXPECT_EQ(chosen.size(), 4U) << "64 seeds never chose one of the hosts";
}

TEST(Plan, TheSeededChoiceStaysWhatItWas) {
  // Computed apart, from the rule at make_plan(): an old log must still plan to the same hosts.
  const auto plan = plan_of(with("/targets/dbs/mode", "one"), 42);
  ASSERT_TRUE(plan) << describe(plan.error());
  EXPECT_THAT(plan->targets.at("dbs"), ElementsAre("db-3"));
}

struct Mode {
  const char* mode;
  Json value;
  std::size_t at_least, at_most;
};

class Modes : public testing::TestWithParam<Mode> {};

TEST_P(Modes, TakeSoManyHosts) {
  Json json = with("/targets/dbs/mode", GetParam().mode);
  json["targets"]["dbs"]["value"] = GetParam().value;
  std::set<std::size_t> sizes;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto plan = plan_of(json, seed);
    ASSERT_TRUE(plan) << describe(plan.error());
    sizes.insert(plan->targets.at("dbs").size());
  }
  EXPECT_EQ(*sizes.begin(), GetParam().at_least);
  EXPECT_EQ(*sizes.rbegin(), GetParam().at_most);
}

INSTANTIATE_TEST_SUITE_P(All, Modes,
                         testing::Values(Mode{"fixed", 3, 3, 3}, Mode{"fixed", "2", 2, 2},
                                         Mode{"fixed-percent", 50, 2, 2},
                                         Mode{"fixed-percent", "99%", 3, 3},
                                         Mode{"fixed-percent", 100, 4, 4},
                                         Mode{"random-max-percent", 75, 1, 3}));

struct Refusal {
  const char* pointer;
  Json value;
  const char* at;
  const char* says;
  ErrorCode code = ErrorCode::invalid_input;
};

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithPointerAndWords) {
  const auto plan = plan_of(with(GetParam().pointer, GetParam().value));
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().pointer, GetParam().at) << plan.error().what;
  EXPECT_THAT(plan.error().what, HasSubstr(GetParam().says));
  EXPECT_EQ(plan.error().code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(
    All, Refused,
    testing::Values(Refusal{"/targets/dbs/tags/role", "cache", "/targets/dbs", "fits none"},
                    Refusal{"/targets/dbs",
                            {{"tags", {{"role", "db"}}}, {"mode", "fixed"}, {"value", 5}},
                            "/targets/dbs",
                            "wants 5 hosts, and 4 fit"},
                    Refusal{"/targets/dbs",
                            {{"tags", {{"role", "db"}}}, {"mode", "fixed-percent"}, {"value", 20}},
                            "/targets/dbs",
                            "no whole host"},
                    Refusal{"/targets/client/hosts/0", "clent-1", "/targets/client/hosts/0",
                            "Did you mean 'client-1'?", ErrorCode::not_found},
                    Refusal{"/method/0/provider/fault", "netm", "/method/0/provider/fault",
                            "Did you mean 'netem'?"},
                    Refusal{"/method/0/provider/arguments/loss", "500%",
                            "/method/0/provider/arguments/loss", "loss"},
                    Refusal{"/method/0/provider/arguments/los", "5%",
                            "/method/0/provider/arguments/los", "los"},
                    Refusal{"/method/2/provider/arguments", Json::object(),
                            "/method/2/provider/arguments", "device"},
                    Refusal{"/method/0/cured-by/measure", "rx_slot", "/method/0/cured-by/measure",
                            "Did you mean 'rx_slots'?"},
                    Refusal{"/method/0/cured-by/probe", "ring", "/method/0/cured-by/probe",
                            "knows no probe"},
                    Refusal{"/steady-state-hypothesis/probes/0/from", "clint-1",
                            "/steady-state-hypothesis/probes/0/from", "Did you mean 'client-1'?",
                            ErrorCode::not_found},
                    Refusal{"/steady-state-hypothesis/probes/0/provider/port", 1,
                            "/steady-state-hypothesis/probes/0/provider/port", "port"},
                    Refusal{"/steady-state-hypothesis/probes/0/measure", "p9_ms",
                            "/steady-state-hypothesis/probes/0/measure", "Did you mean 'p99_ms'?"},
                    Refusal{"/runbook/steps/0/verify/measure", "slots",
                            "/runbook/steps/0/verify/measure", "rx_slots"}));

TEST(Plan, AProbeMeasuresFromOneHostUnlessFromAll) {
  Json json = with("/steady-state-hypothesis/probes/0/from", "dbs");
  auto plan = plan_of(json);
  ASSERT_TRUE(plan) << describe(plan.error());
  EXPECT_EQ(plan->probes.size(), 4U);
  json["targets"]["dbs"]["mode"] = "fixed";
  json["targets"]["dbs"]["value"] = 2;
  plan = plan_of(json);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().pointer, "/steady-state-hypothesis/probes/0/from");
  json["steady-state-hypothesis"]["probes"][0]["from"] = "db-2";
  plan = plan_of(json);
  ASSERT_TRUE(plan) << describe(plan.error());
  EXPECT_EQ(plan->probes[0].host, "db-2");
}

TEST(Plan, ADriversOwnCountersCanBeMeasured) {
  Json json = with("/steady-state-hypothesis/probes/0/provider",
                   Json::parse(R"({"type": "nic-counters"})"));
  json["steady-state-hypothesis"]["probes"][0]["measure"] = "pkts rx OOB";
  const auto plan = plan_of(json);
  EXPECT_TRUE(plan) << describe(plan.error());
}

TEST(Plan, AHostThatCannotIsRefusedWithItsReason) {
  std::vector<AgentView> agents = fleet();
  agents[0].faults[0].supported = false;
  agents[0].faults[0].reason = "sch_netem is not loaded";
  const auto plan = plan_of(document(), 1, agents);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::unsupported);
  EXPECT_EQ(plan.error().pointer, "/method/0/provider/fault");
  EXPECT_THAT(plan.error().what, HasSubstr("host db-3 cannot do fault 'netem': sch_netem"));
}

TEST(Plan, TheSameFaultTwiceAtOnceIsRefused) {
  Json json = document();
  Json again = json["method"][0];
  again["name"] = "drop-again";
  json["method"].push_back(again);
  auto plan = plan_of(json);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().pointer, "/method/3");
  json["method"][3]["start-after"] = "drop";
  plan = plan_of(json);
  EXPECT_TRUE(plan) << describe(plan.error());
}

TEST(Plan, RefusesARunIdThatAnAgentWouldRefuse) {
  const auto experiment = parse_experiment(document(), "test", ".");
  ASSERT_TRUE(experiment) << describe(experiment.error());
  for (const char* run : {"", "a b", "../x", "é"})
    EXPECT_FALSE(make_plan(*experiment, fleet(), {.run = run})) << run;
}

TEST(Plan, TwoAgentsOfOneNameAreRefused) {
  std::vector<AgentView> agents = fleet();
  agents.push_back(agents.front());
  EXPECT_FALSE(plan_of(document(), 1, agents));
}

TEST(Plan, ReadsAsTextAndJson) {
  const auto plan = plan_of(document());
  ASSERT_TRUE(plan) << describe(plan.error());
  const std::string text = to_text(*plan);
  for (const char* word : {"seed 1", "db-1, db-2, db-3, db-4", "netem device=data0 loss=5% for 10s",
                           "512 <= rx_slots", "+13s", "clean", "step mend", "38s faults"})
    EXPECT_THAT(text, HasSubstr(word));
  const Json json = to_json(*plan);
  EXPECT_EQ(json["injections"].size(), 8U);
  EXPECT_EQ(json["injections"][4]["start"], "13s");
  EXPECT_EQ(json["targets"]["client"], Json::parse(R"(["client-1"])"));
}

Json ramped_document() {
  Json out = document();
  out["method"][0]["pattern"] = {{"on", "1s"}, {"off", "2s"}};
  out["method"][0]["ramp"] = {{"parameter", "loss"}, {"from", "1%"}, {"over", "8s"}, {"steps", 4}};
  return out;
}

TEST(Course, TravelsToEachHostAndIsTold) {
  const auto plan = plan_of(ramped_document());
  ASSERT_TRUE(plan) << describe(plan.error());
  const auto drop = std::ranges::find(plan->injections, "drop", &PlannedInjection::action);
  ASSERT_NE(drop, plan->injections.end());
  EXPECT_EQ(drop->request.pattern, (Pattern{1s, 2s}));
  EXPECT_EQ(drop->request.ramp, (Ramp{"loss", "1%", 8s, 4}));
  EXPECT_THAT(to_text(*plan), HasSubstr("on for 1s, off for 2s, by turns"));
  EXPECT_THAT(to_text(*plan), HasSubstr("loss from 1% to 5% over 8s, in 4 steps"));
  EXPECT_EQ(to_json(*plan)["injections"][0]["request"]["ramp"]["parameter"], "loss");
}

TEST(Course, WhatTheHostsOwnTableCannotRampIsRefusedWithThePlace) {
  const auto refusal = [](const std::string& at, const Json& value) {
    Json changed = ramped_document();
    changed["method"][0][Json::json_pointer(at)] = value;
    const auto plan = plan_of(changed);
    return plan ? "accepted" : plan.error().pointer + ": " + plan.error().what;
  };
  EXPECT_THAT(refusal("/ramp/parameter", "los"), HasSubstr("/method/0/ramp/parameter: unknown"));
  EXPECT_THAT(refusal("/ramp/parameter", "los"), HasSubstr("Did you mean 'loss'?"));
  EXPECT_THAT(refusal("/ramp/parameter", "device"),
              HasSubstr("/method/0/ramp/parameter: 'device' cannot change"));
  EXPECT_THAT(refusal("/ramp/from", "200ms"), HasSubstr("/method/0/ramp/from"));
  EXPECT_THAT(refusal("/ramp/from", "101%"), HasSubstr("/method/0/ramp/from"));
  Json without = ramped_document();
  without["method"][0]["provider"]["arguments"].erase("loss");
  const auto plan = plan_of(without);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().pointer, "/method/0/ramp/parameter");
}

TEST(Course, AnAgentOfBeforeRampsRefusesThem) {
  std::vector<AgentView> agents = fleet();
  for (AgentView& one : agents)
    for (rpc::Capability& fault : one.faults)
      if (fault.name == "netem") fault.schema["properties"]["loss"].erase("x-firedrill-ramps");
  const auto plan = plan_of(ramped_document(), 1, agents);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().what, HasSubstr("nothing of this fault can"));
}

}  // namespace
}  // namespace firedrill
