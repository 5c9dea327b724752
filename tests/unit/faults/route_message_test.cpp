// Route and rule messages: what of a dump is kept, and what is understood of it.
#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "tests/support/fake_host.hpp"

namespace firedrill::agent::kernel {
namespace {

using test::fake_route;
using test::fake_route_message;

AttributeTable attributes_of(const Bytes& message) {
  return *AttributeTable::parse(std::span(message).subspan(sizeof(rtmsg)));
}

TEST(RouteMessage, WhatAgesOrTellsOfTheLinkIsDropped) {
  const auto with = [](unsigned flags, std::uint32_t expires) {
    return fake_route({.prefix = "fd00::/8",
                       .gateway = "fe80::1",
                       .expires = expires,
                       .header_flags = static_cast<std::uint8_t>(flags)});
  };
  EXPECT_EQ(with(0, 0).message, with(RTNH_F_LINKDOWN | RTNH_F_DEAD | RTNH_F_OFFLOAD, 0).message);
  EXPECT_NE(with(0, 0).message, with(RTNH_F_ONLINK, 0).message);
  EXPECT_TRUE(with(0, 100).expires);
  EXPECT_FALSE(with(0, 0).expires);
  EXPECT_FALSE(attributes_of(with(0, 100).message).find(RTA_CACHEINFO));
}

TEST(RouteMessage, OfANexthopObjectOnlyItsIdIsKept) {
  Bytes dumped = fake_route_message({.prefix = "10.1.0.0/16", .gateway = "10.77.0.2"});
  AttributeWriter more;
  more.put(RTA_NH_ID, std::uint32_t{7});
  dumped.insert(dumped.end(), more.bytes().begin(), more.bytes().end());
  const auto route = parse_route(dumped);
  ASSERT_TRUE(route);
  EXPECT_EQ(route->nexthop_group, 7U);
  EXPECT_EQ(route->hops.size(), 1U) << "people still see where it leads";
  const auto kept = attributes_of(route->message);
  EXPECT_TRUE(kept.find(RTA_NH_ID));
  EXPECT_FALSE(kept.find(RTA_OIF));
  EXPECT_FALSE(kept.find(RTA_GATEWAY));
}

TEST(RouteMessage, HopsOfMultipathLoseTheStateOfTheirLinks) {
  const auto dumped = [](unsigned char flags) {
    rtmsg header{};
    header.rtm_family = AF_INET;
    header.rtm_type = RTN_UNICAST;
    AttributeWriter out(header);
    Bytes hops;
    for (const int device : {2, 3}) {
      const rtnexthop hop{sizeof(rtnexthop) + 8, flags, 1, device};
      append_plain(hops, hop);
      AttributeWriter gateway;
      gateway.put(RTA_GATEWAY, std::array<std::uint8_t, 4>{10, 0, 0, 1});
      hops.insert(hops.end(), gateway.bytes().begin(), gateway.bytes().end());
    }
    out.put_bytes(RTA_MULTIPATH, hops);
    return *parse_route(out.bytes());
  };
  const Route plain = dumped(0);
  ASSERT_EQ(plain.hops.size(), 2U);
  EXPECT_EQ(plain.hops[1].device, IfIndex{3});
  EXPECT_EQ(to_string(*plain.hops[1].gateway), "10.0.0.1");
  EXPECT_EQ(dumped(RTNH_F_DEAD | RTNH_F_LINKDOWN).message, plain.message);
  EXPECT_NE(dumped(RTNH_F_ONLINK).message, plain.message);
}

TEST(RouteMessage, IsItsOwnFixedPoint) {
  const Route route = fake_route({.prefix = "10.1.0.0/16", .gateway = "10.77.0.2", .metric = 5});
  EXPECT_EQ(parse_route(route.message)->message, route.message);
  EXPECT_EQ(to_string(route, {}), "10.1.0.0/16 via 10.77.0.2 dev #2 metric 5 proto static");
}

TEST(RouteMessage, EveryTruncationIsRefusedOrARouteStill) {
  const Bytes whole = fake_route_message({.prefix = "10.1.0.0/16", .gateway = "10.77.0.2"});
  EXPECT_FALSE(parse_route({}));
  for (std::size_t size = 0; size < sizeof(rtmsg) + 12; ++size)
    EXPECT_FALSE(parse_route(std::span(whole).first(size))) << size;  // cut before the destination
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto route = parse_route(std::span(whole).first(size));
    if (!route) EXPECT_EQ(route.error().code, ErrorCode::corrupt) << size;
  }
}

TEST(RouteMessage, OtherFamiliesAndImpossibleLengthsAreRefused) {
  Bytes message = fake_route_message({.prefix = "10.1.0.0/16", .gateway = ""});
  message[1] = std::byte{33};
  EXPECT_FALSE(parse_route(message));
  message[0] = std::byte{AF_MPLS};
  EXPECT_FALSE(parse_route(message));
}

TEST(RouteMessage, PlaceIsWhatTheKernelKeepsOneOf) {
  const Route one = fake_route({.prefix = "10.1.0.0/16", .gateway = "10.77.0.2", .metric = 5});
  EXPECT_TRUE(
      same_place(one, fake_route({.prefix = "10.1.0.0/16", .gateway = "10.77.0.3", .metric = 5})));
  EXPECT_FALSE(
      same_place(one, fake_route({.prefix = "10.1.0.0/16", .gateway = "10.77.0.2", .metric = 6})));
  EXPECT_FALSE(same_place(
      one,
      fake_route({.prefix = "10.1.0.0/16", .gateway = "10.77.0.2", .metric = 5, .table = 1000})));
}

TEST(RouteProtocols, DaemonsAreKnown) {
  EXPECT_TRUE(is_of_daemon(RTPROT_BIRD));
  EXPECT_TRUE(is_of_daemon(RTPROT_BGP));
  EXPECT_TRUE(is_of_daemon(RTPROT_DHCP));
  for (const int protocol : {RTPROT_KERNEL, RTPROT_BOOT, RTPROT_STATIC, 99})
    EXPECT_FALSE(is_of_daemon(static_cast<std::uint8_t>(protocol)));
  EXPECT_EQ(protocol_name(99), "99");
}

TEST(RuleMessage, ReadsBackAsItWasWritten) {
  for (const bool v6 : {false, true}) {
    Rule rule;
    rule.v6 = v6;
    rule.priority = 5100;
    rule.protocol = 0x51;
    rule.action = RuleAction::unreachable;
    rule.to = *parse_ip_prefix(v6 ? "fd00::/8" : "10.0.0.0/8");
    rule.from = *parse_ip_prefix(v6 ? "fe00::/8" : "11.0.0.0/8");
    const auto back = parse_rule(rule_message(rule));
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, rule);
  }
}

TEST(RuleMessage, MatchOfAnotherKindIsNotOurs) {
  Rule rule;
  rule.priority = 5100;
  rule.action = RuleAction::blackhole;
  rule.to = *parse_ip_prefix("10.0.0.0/8");
  Bytes message = rule_message(rule);
  AttributeWriter mark;
  mark.put(FRA_FWMARK, std::uint32_t{1});
  message.insert(message.end(), mark.bytes().begin(), mark.bytes().end());
  EXPECT_TRUE(parse_rule(message)->more);
  EXPECT_FALSE(parse_rule(std::span(message).first(8)));
}

TEST(RoutePrefix, ContainsAndUnmaps) {
  const auto mapped = *parse_ip_address("::ffff:10.1.2.3");
  EXPECT_EQ(to_string(unmapped(mapped)), "10.1.2.3");
  EXPECT_TRUE(contains(*parse_ip_prefix("10.1.0.0/16"), unmapped(mapped)));
  EXPECT_FALSE(contains(*parse_ip_prefix("10.1.0.0/16"), mapped));
  EXPECT_TRUE(contains(*parse_route_prefix("default"), unmapped(mapped)));
}

}  // namespace
}  // namespace firedrill::agent::kernel
