#include <gtest/gtest.h>

#include "firedrill/event.hpp"
#include "firedrill/rpc.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

TEST(ObjectReader, NamesUnknownKeyAndItsNeighbour) {
  const Json json = {{"titel", "x"}};
  ObjectReader reader(json, "/a~b");
  reader.optional_text("title");
  const auto done = reader.finish();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().pointer, "/a~b/titel");
  EXPECT_NE(done.error().what.find("Did you mean 'title'?"), std::string::npos);
}

TEST(ParseJson, SaysLineAndColumn) {
  const auto json = parse_json("{\n  \"a\": 1,\n  oops\n}", "x.json");
  ASSERT_FALSE(json);
  EXPECT_NE(json.error().what.find("x.json: not valid JSON at line 3"), std::string::npos)
      << json.error().what;
}

TEST(Rpc, RequestAndErrorCrossUnchanged) {
  const auto request = rpc::decode(rpc::encode(rpc::Request{7, "prepare", {{"a", 1}}}));
  ASSERT_TRUE(request);
  EXPECT_EQ(std::get<rpc::Request>(*request).method, "prepare");

  const Error error{ErrorCode::refused, 13, "policy says no", "/arguments/loss"};
  const auto answer = rpc::decode(rpc::encode(rpc::Response{7, std::unexpected(error)}));
  ASSERT_TRUE(answer);
  const Error& back = std::get<rpc::Response>(*answer).result.error();
  EXPECT_EQ(back.code, error.code);
  EXPECT_EQ(back.sys_errno, error.sys_errno);
  EXPECT_EQ(back.what, error.what);
  EXPECT_EQ(back.pointer, error.pointer);
}

TEST(Rpc, RefusesWhatIsNotJsonRpc) {
  for (const std::string_view text :
       {"", "7", "[]", "{}", R"({"jsonrpc":"1.0","method":"x"})", R"({"jsonrpc":"2.0"})",
        R"({"jsonrpc":"2.0","id":1,"result":1,"error":{}})", R"({"jsonrpc":"2.0","result":1})",
        R"({"jsonrpc":"2.0","id":1.5,"method":"x"})", R"({"jsonrpc":"2.0","method":7})",
        R"({"jsonrpc":"2.0","method":"x","params":[1]})"})
    EXPECT_FALSE(rpc::decode(text)) << text;
}

TEST(FaultRequest, RoundTripsWithEverything) {
  FaultRequest request{.id = "7f3a.1",
                       .run = "r",
                       .fault = "netem",
                       .params = {{"loss", "5%"}},
                       .duration = 60s,
                       .lease = 10s,
                       .cured_by = CureCondition{.probe = "nic-ring",
                                                 .params = {{"device", "data0"}},
                                                 .value = "rx_slots",
                                                 .min = 512,
                                                 .max = std::nullopt,
                                                 .interval = 200ms},
                       .pattern = Pattern{.on = 10s, .off = 20s},
                       .ramp = Ramp{.parameter = "loss", .from = "0%", .over = 60s, .steps = 6}};
  const auto back = parse_fault_request(to_json(request), "");
  ASSERT_TRUE(back) << describe(back.error());
  EXPECT_EQ(to_json(*back), to_json(request));
}

TEST(FaultRequest, RefusesNoDurationAndStrangeIds) {
  const Json good = {{"id", "a"},
                     {"run", "r"},
                     {"fault", "netem"},
                     {"arguments", Json::object()},
                     {"duration", "1s"}};
  ASSERT_TRUE(parse_fault_request(good, ""));
  Json endless = good;
  endless.erase("duration");
  EXPECT_FALSE(parse_fault_request(endless, ""));
  Json path = good;
  path["id"] = "../../etc/passwd";
  EXPECT_EQ(parse_fault_request(path, "").error().pointer, "/id");
}

TEST(Event, RoundTripsThroughText) {
  const Event event{.seq = 3,
                    .run = "r",
                    .at = from_micros(1'772'366'400'123'456),
                    .uncertainty = 1500us,
                    .source = "agent:db-1",
                    .kind = std::string(event_kind::injection_active),
                    .data = {{"injection", "a.1"}}};
  const auto back = parse_event(Json::parse(to_json(event).dump()));
  ASSERT_TRUE(back) << describe(back.error());
  EXPECT_EQ(to_json(*back).dump(), to_json(event).dump());
}

Json agent_event(std::string_view kind, const Json& data) {
  return {{"instance", "i"}, {"number", 1},  {"run", "r"},
          {"at_us", 1},      {"kind", kind}, {"data", data}};
}

TEST(AgentEvent, OnlyWhatAnAgentCanKnowIsTaken) {
  for (const std::string_view kind : {event_kind::alert_firing, event_kind::run_verdict,
                                      event_kind::step_done, std::string_view{"injection.cure"}})
    EXPECT_EQ(rpc::parse_agent_event(agent_event(kind, Json::object())).error().pointer, "/kind")
        << kind;
  const auto typo = rpc::parse_agent_event(agent_event("injection.cure", Json::object()));
  EXPECT_NE(typo.error().what.find("injection.cured"), std::string::npos) << typo.error().what;
}

TEST(AgentEvent, WhatItHoldsCanBeReadWithoutLookingAgain) {
  const std::tuple<std::string_view, Json, std::string> cases[] = {
      {event_kind::probe_sample, {{"probe", 7}}, "/data/probe"},
      {event_kind::probe_sample, {{"values", "p99"}}, "/data/values"},
      {event_kind::probe_sample, {{"count", 1.5}}, "/data/count"},
      {event_kind::probe_sample, {{"count", -1}}, "/data/count"},
      {event_kind::probe_sample, {{"from_us", "now"}}, "/data/from_us"},
      {event_kind::probe_sample, {{"to_us", 1.7e23}}, "/data/to_us"},
      {event_kind::probe_sample, {{"to_us", std::int64_t{1} << 61}}, "/data/to_us"},
      {event_kind::injection_undone, {{"verified", "yes"}}, "/data/verified"},
      {event_kind::injection_undone, {{"superseded", {1}}}, "/data/superseded"},
      {event_kind::injection_failed, {{"error", {{"what", 7}}}}, "/data/error"},
      {event_kind::injection_adjusted, {{"value", 7}}, "/data/value"},
      {event_kind::injection_cured, {{"value", "7"}}, "/data/value"},
  };
  for (const auto& [kind, data, pointer] : cases) {
    const auto event = rpc::parse_agent_event(agent_event(kind, data));
    ASSERT_FALSE(event) << data.dump();
    EXPECT_EQ(event.error().pointer, pointer) << data.dump();
  }
  const Json newer = {{"probe", "p"}, {"of-a-newer-agent", {1}}, {"count", 0}};
  EXPECT_TRUE(rpc::parse_agent_event(agent_event(event_kind::probe_sample, newer)));
  Json late = agent_event(event_kind::probe_sample, newer);
  late["at_us"] = -1;
  EXPECT_EQ(rpc::parse_agent_event(late).error().pointer, "/at_us");
}

Json small_request() {
  return {{"id", "a"},
          {"run", "r"},
          {"fault", "netem"},
          {"arguments", {{"loss", "5%"}}},
          {"duration", "60s"}};
}

TEST(FaultRequest, PatternAndRampRoundTrip) {
  Json json = small_request();
  json["pattern"] = {{"on", "10s"}, {"off", "20s"}};
  json["ramp"] = {{"parameter", "loss"}, {"from", "0%"}, {"over", "1m"}, {"steps", 12}};
  const auto request = parse_fault_request(json, "");
  ASSERT_TRUE(request) << describe(request.error());
  EXPECT_EQ(request->pattern, (Pattern{10s, 20s}));
  EXPECT_EQ(request->ramp, (Ramp{"loss", "0%", 60s, 12}));
  const auto back = parse_fault_request(to_json(*request), "");
  ASSERT_TRUE(back) << describe(back.error());
  EXPECT_EQ(back->pattern, request->pattern);
  EXPECT_EQ(back->ramp, request->ramp);
  const auto neither = parse_fault_request(small_request(), "");
  ASSERT_TRUE(neither);
  EXPECT_FALSE(neither->pattern || neither->ramp);
}

TEST(FaultRequest, ARampHasTenStepsAndMayStartFromABareWholeNumber) {
  const auto ramp = parse_ramp({{"parameter", "rx"}, {"from", 1024}, {"over", "30s"}}, "");
  ASSERT_TRUE(ramp);
  EXPECT_EQ(ramp->from, "1024");
  EXPECT_EQ(ramp->steps, 10);
}

TEST(FaultRequest, PatternAndRampAreReadStrictly) {
  const std::pair<Json, std::string> cases[] = {
      {{{"pattern", {{"on", "10s"}}}}, "/pattern"},
      {{{"pattern", {{"on", "10s"}, {"off", "99ms"}}}}, "/pattern/off"},
      {{{"pattern", {{"on", "25h"}, {"off", "1s"}}}}, "/pattern/on"},
      {{{"pattern", {{"on", "10s"}, {"off", "1s"}, {"of", "1s"}}}}, "/pattern/of"},
      {{{"pattern", "10s"}}, "/pattern"},
      {{{"ramp", {{"parameter", "loss"}, {"over", "10s"}}}}, "/ramp"},
      {{{"ramp", {{"parameter", "loss"}, {"from", 0.5}, {"over", "10s"}}}}, "/ramp/from"},
      {{{"ramp", {{"parameter", "loss"}, {"from", "0%"}, {"over", "10s"}, {"steps", 0}}}},
       "/ramp/steps"},
      {{{"ramp", {{"parameter", "loss"}, {"from", "0%"}, {"over", "10s"}, {"steps", 1001}}}},
       "/ramp/steps"},
      {{{"ramp", {{"parameter", "loss"}, {"from", "0%"}, {"over", "1s"}, {"steps", 11}}}},
       "/ramp/steps"},
      {{{"ramp", {{"paramter", "loss"}, {"from", "0%"}, {"over", "1s"}}}}, "/ramp"}};
  for (const auto& [part, pointer] : cases) {
    Json json = small_request();
    json.update(part);
    const auto refused = parse_fault_request(json, "");
    ASSERT_FALSE(refused) << part.dump();
    EXPECT_EQ(refused.error().pointer, pointer) << part.dump() << ": " << refused.error().what;
  }
}

}  // namespace
}  // namespace firedrill
