// bgp-flap beyond the contract: what BIRD may answer, and who disabled what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include "agent/fault.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using test::FakeHost;
using testing::AllOf;
using testing::HasSubstr;

const Fault& flap() { return *find_fault("bgp-flap"); }

Params params(Json given) {
  auto valid = validate_params(flap().schema(), given, "");
  if (!valid) ADD_FAILURE() << describe(valid.error());
  return valid.value_or(Params{});
}

const Params kEdge = params({{"protocol", "edge1"}});

std::string refusal(FakeHost& host, const Params& given, ErrorCode code) {
  const auto record = flap().capture(host, given);
  if (record) ADD_FAILURE() << "captured " << record->dump();
  if (record) return {};
  EXPECT_EQ(record.error().code, code) << describe(record.error());
  return describe(record.error());
}

TEST(BgpFlap, WrongParametersSayWhere) {
  const auto pointer = [](Json given) {
    const auto checked = flap().check(params(std::move(given)));
    return checked ? std::string() : checked.error().pointer;
  };
  EXPECT_EQ(pointer({{"protocol", "edge1\" ; down"}}), "/protocol");
  EXPECT_EQ(pointer({{"protocol", "edge*"}}), "/protocol");
  EXPECT_EQ(pointer({{"protocol", "edge1"}, {"socket", "bird.ctl"}}), "/socket");
  EXPECT_EQ(pointer({{"protocol", "edge-1.v6"}}), "");
}

TEST(BgpFlap, UnknownProtocolIsRefusedWithThoseThatAre) {
  FakeHost host;
  EXPECT_THAT(refusal(host, params({{"protocol", "edge2"}}), ErrorCode::not_found),
              AllOf(HasSubstr("edge1 (BGP, up)"), HasSubstr("pinned (Static, up)")));
}

TEST(BgpFlap, NoBirdIsRefusedWithTheSocketsThatAre) {
  FakeHost host;
  host.fake_bird.listening = {"/run/bird/r1.ctl"};
  EXPECT_THAT(refusal(host, kEdge, ErrorCode::not_found),
              AllOf(HasSubstr("/run/bird/bird.ctl"), HasSubstr("could be /run/bird/r1.ctl")));
  EXPECT_TRUE(flap().probe_support(host).supported) << "another socket will do";
  host.fake_bird.listening.clear();
  EXPECT_THAT(flap().probe_support(host).reason, HasSubstr("start BIRD"));
}

TEST(BgpFlap, DisabledAlreadyIsRefused) {
  FakeHost host;
  host.fake_bird.protocols["edge1"] = {"BGP", "down", "maintenance"};
  EXPECT_THAT(refusal(host, kEdge, ErrorCode::conflict), HasSubstr("maintenance"));
}

TEST(BgpFlap, ProtocolsThatBirdStandsOnAreRefused) {
  FakeHost host;
  EXPECT_THAT(refusal(host, params({{"protocol", "device1"}}), ErrorCode::unsupported),
              HasSubstr("Device"));
}

TEST(BgpFlap, WhatBirdAnswersIsSaid) {
  FakeHost host;
  host.fake_bird.answers[""] = "0016 Access restricted\n";
  EXPECT_THAT(refusal(host, kEdge, ErrorCode::permission_denied), HasSubstr("not restricted"));
  host.fake_bird.answers[""] = "9001 syntax error\n";
  EXPECT_THAT(refusal(host, kEdge, ErrorCode::invalid_input), HasSubstr("9001: syntax error"));
  host.fake_bird.answers[""] = "220 mail.example ESMTP\n";
  EXPECT_THAT(refusal(host, kEdge, ErrorCode::corrupt), HasSubstr("not BIRD"));
  EXPECT_FALSE(flap().probe_support(host).supported);
}

TEST(BgpFlap, RestrictedSocketLeavesTheProtocolAndSaysSo) {
  FakeHost host;
  const auto record = flap().capture(host, kEdge);
  ASSERT_TRUE(record);
  const std::string command =
      "disable \"edge1\" \"" + record->at("token").get<std::string>() + "\"";
  host.fake_bird.answers[command] = "0016 Access restricted\n";
  EXPECT_EQ(flap().apply(host, kEdge, *record).error().code, ErrorCode::permission_denied);
  EXPECT_EQ(flap().undo(host, *record), UndoOutcome::already_gone);
}

TEST(BgpFlap, ControllersRouteIsNotWithdrawn) {
  FakeHost host;
  host.peers = {{*kernel::parse_ip_address("192.0.2.9"), 7443}};
  host.fake_routes.list.push_back(test::fake_route(
      {.prefix = "192.0.2.0/24", .gateway = "10.77.0.9", .protocol = RTPROT_BIRD}));
  auto& answer = host.fake_bird.answers["show route for 192.0.2.9 primary"];
  answer = "1007-Table master4:\n 192.0.2.0/24 unicast [edge1 12:00:00.1] * (100) [AS1i]\n0000 \n";
  EXPECT_THAT(refusal(host, kEdge, ErrorCode::refused), HasSubstr("192.0.2.9 port 7443"));
  const auto peers = std::exchange(host.peers, {});
  const auto record = flap().capture(host, kEdge);
  host.peers = peers;
  EXPECT_EQ(flap().apply(host, kEdge, *record).error().code, ErrorCode::refused);
  answer = "1007-Table master4:\n 192.0.2.0/24 unicast [edge10 12:00:00.1] * (100)\n0000 \n";
  EXPECT_TRUE(flap().capture(host, kEdge)) << "it goes by another protocol's";
  answer = "8001 Network not found\n";
  EXPECT_TRUE(flap().capture(host, kEdge));
}

TEST(BgpFlap, ResponderWhoEnablesItHasUndoneIt) {
  FakeHost host;
  const auto record = flap().capture(host, kEdge);
  ASSERT_TRUE(flap().apply(host, kEdge, *record));
  host.fake_bird.protocols["edge1"] = {"BGP", "start", ""};
  EXPECT_EQ(flap().undo(host, *record), UndoOutcome::already_gone);
  EXPECT_TRUE(flap().verify(host, *record)->clean());
}

TEST(BgpFlap, ResponderWhoShutsTheSessionIsLeftAlone) {
  FakeHost host;
  const auto record = flap().capture(host, kEdge);
  ASSERT_TRUE(flap().apply(host, kEdge, *record));
  host.fake_bird.protocols["edge1"] = {"BGP", "down", "pinned by ops"};
  EXPECT_EQ(flap().undo(host, *record), UndoOutcome::superseded);
  EXPECT_EQ(host.fake_bird.protocols["edge1"].state, "down");
  EXPECT_FALSE(flap().verify(host, *record)->clean());
  EXPECT_EQ(flap().apply(host, kEdge, *record).error().code, ErrorCode::conflict);
}

TEST(BgpFlap, BirdThatStoppedTookItAlong) {
  FakeHost host;
  const auto record = flap().capture(host, kEdge);
  ASSERT_TRUE(flap().apply(host, kEdge, *record));
  host.fake_bird.listening.clear();
  EXPECT_EQ(flap().undo(host, *record), UndoOutcome::already_gone);
  EXPECT_TRUE(flap().verify(host, *record)->clean());
  EXPECT_EQ(flap().apply(host, kEdge, *record).error().code, ErrorCode::not_found);
}

TEST(BgpFlap, WordOfBirdIsNotEnough) {
  FakeHost host;
  const auto record = flap().capture(host, kEdge);
  host.fake_bird.deaf = true;
  EXPECT_EQ(flap().apply(host, kEdge, *record).error().code, ErrorCode::io_failed);
  host.fake_bird.deaf = false;
  ASSERT_TRUE(flap().apply(host, kEdge, *record));
  host.fake_bird.deaf = true;
  EXPECT_EQ(flap().undo(host, *record).error().code, ErrorCode::io_failed);
}

TEST(BgpFlap, NamesInTheRecordCannotBecomeCommands) {
  FakeHost host;
  const auto record = flap().capture(host, kEdge);
  for (const auto& [key, value] :
       {std::pair("protocol", "edge1\" \""), {"protocol", "*"}, {"token", "x"}, {"socket", ""}}) {
    Json damaged = *record;
    damaged[key] = value;
    EXPECT_EQ(flap().undo(host, damaged).error().code, ErrorCode::corrupt) << key << value;
  }
}

}  // namespace
}  // namespace firedrill::agent
