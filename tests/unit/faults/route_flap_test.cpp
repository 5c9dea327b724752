// route-flap beyond the contract: what it refuses, what it leaves alone, what it warns of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/fault.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using test::fake_route;
using test::FakeHost;
using testing::HasSubstr;
using namespace std::chrono_literals;

const Fault& flap() { return *find_fault("route-flap"); }

Params params(Json given) {
  auto valid = validate_params(flap().schema(), given, "");
  if (!valid) ADD_FAILURE() << describe(valid.error());
  return valid.value_or(Params{});
}

Params to_prefix(Json more = Json::object()) {
  more["prefix"] = "10.77.2.0/24";
  return params(std::move(more));
}

std::string refusal(FakeHost& host, const Params& given, ErrorCode code) {
  const auto record = flap().capture(host, given);
  if (record) ADD_FAILURE() << "captured " << record->dump();
  if (record) return {};
  EXPECT_EQ(record.error().code, code) << describe(record.error());
  return describe(record.error());
}

TEST(RouteFlap, PatternIsDownFirst) {
  const auto pattern = flap().pattern(to_prefix({{"period", "10s"}, {"down-share", "30%"}}));
  ASSERT_TRUE(pattern);
  EXPECT_EQ(pattern->on, 3s);
  EXPECT_EQ(pattern->off, 7s);
}

TEST(RouteFlap, WrongParametersSayWhere) {
  const auto pointer = [](Json given) {
    const auto checked = flap().check(params(std::move(given)));
    return checked ? std::string() : checked.error().pointer;
  };
  EXPECT_EQ(pointer({{"prefix", "10.77.2.7/24"}}), "/prefix");
  EXPECT_EQ(pointer({{"prefix", "all"}}), "/prefix");
  EXPECT_EQ(pointer({{"prefix", "default"}, {"via", "router1"}}), "/via");
  EXPECT_EQ(pointer({{"prefix", "default"}, {"period", "200ms"}, {"down-share", "1%"}}),
            "/down-share");
  EXPECT_EQ(pointer({{"prefix", "default"}}), "");
  for (const Json& wrong : {Json{{"period", "199ms"}}, Json{{"period", "25h"}},
                            Json{{"down-share", "100%"}}, Json{{"table", 0}}}) {
    Json given = wrong;
    given["prefix"] = "default";
    EXPECT_FALSE(validate_params(flap().schema(), given, "")) << given;
  }
}

TEST(RouteFlap, OnePrefixIsHeldByOneInjectionHoweverItIsWritten) {
  EXPECT_EQ(flap().exclusive_resources(params({{"prefix", "default"}})),
            flap().exclusive_resources(params({{"prefix", "0.0.0.0/0"}})));
  EXPECT_NE(flap().exclusive_resources(to_prefix()),
            flap().exclusive_resources(to_prefix({{"table", 100}})));
}

TEST(RouteFlap, MissingRouteIsRefusedWithTheNearest) {
  FakeHost host;
  EXPECT_THAT(refusal(host, params({{"prefix", "10.77.0.128/25"}}), ErrorCode::not_found),
              HasSubstr("nearest: 10.77.0.0/24 dev eth0 proto kernel"));
  EXPECT_THAT(refusal(host, to_prefix({{"table", 7}}), ErrorCode::not_found),
              HasSubstr("table 7 has no route to 10.77.2.0/24; none there shares an address"));
  EXPECT_THAT(refusal(host, to_prefix({{"via", "10.77.0.99"}}), ErrorCode::not_found),
              HasSubstr("there is: 10.77.2.0/24 via 10.77.0.2 dev eth0 proto static"));
  EXPECT_THAT(refusal(host, to_prefix({{"device", "eth9"}}), ErrorCode::not_found),
              HasSubstr("no interface 'eth9'"));
  host.fake_routes.has_ipv6 = false;
  EXPECT_THAT(refusal(host, params({{"prefix", "2001:db8::/32"}}), ErrorCode::unsupported),
              HasSubstr("IPv6 is off"));
}

TEST(RouteFlap, RouteOfTheControlConnectionIsRefused) {
  FakeHost host;
  host.peers = {{*kernel::parse_ip_address("::ffff:10.77.2.9"), 7443}};
  EXPECT_THAT(refusal(host, to_prefix(), ErrorCode::refused), HasSubstr("10.77.2.9 port 7443"));
  // The one that the kernel does not take at present may go.
  EXPECT_TRUE(flap().capture(host, to_prefix({{"via", "10.77.0.3"}})));
  host.peers = {{*kernel::parse_ip_address("192.0.2.1"), 7443}};
  EXPECT_TRUE(flap().capture(host, to_prefix()));
  EXPECT_THAT(refusal(host, params({{"prefix", "default"}}), ErrorCode::refused),
              HasSubstr("192.0.2.1"));
  // A more specific route carries it now.
  host.fake_routes.list.push_back(fake_route({.prefix = "192.0.2.0/24", .gateway = "10.77.0.8"}));
  EXPECT_TRUE(flap().capture(host, params({{"prefix", "default"}})));
}

TEST(RouteFlap, RouteThatTheControlConnectionHasComeToIsNotWithdrawn) {
  FakeHost host;
  const auto record = flap().capture(host, to_prefix());
  host.peers = {{*kernel::parse_ip_address("10.77.2.9"), 7443}};
  const std::string before = host.state();
  const auto applied = flap().apply(host, to_prefix(), *record);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::refused);
  EXPECT_EQ(host.state(), before);
}

TEST(RouteFlap, RoutesThatCannotBePutBackAsTheyWereAreRefused) {
  FakeHost host;
  host.fake_routes.list.push_back(
      fake_route({.prefix = "::/0", .gateway = "fe80::1", .protocol = 9, .expires = 1800}));
  EXPECT_THAT(refusal(host, params({{"prefix", "::/0"}}), ErrorCode::unsupported),
              HasSubstr("lifetime"));
  host.fake_routes.list.push_back(
      fake_route({.prefix = "10.77.0.1/32", .gateway = "", .table = 255, .type = 2}));
  EXPECT_THAT(
      refusal(host, params({{"prefix", "10.77.0.1/32"}, {"table", 255}}), ErrorCode::unsupported),
      HasSubstr("address of this host"));
}

TEST(RouteFlap, PicksByGatewayAndLeavesTheOthers) {
  FakeHost host;
  const Params given = to_prefix({{"via", "10.77.0.3"}, {"device", "eth0"}});
  const auto record = flap().capture(host, given);
  ASSERT_TRUE(record);
  const auto values = flap().apply(host, given, *record);
  ASSERT_TRUE(values) << describe(values.error());
  EXPECT_EQ(values->at("withdrawn").size(), 1U);
  EXPECT_THAT(values->at("left").dump(), HasSubstr("via 10.77.0.2"));
  EXPECT_EQ(flap().undo(host, *record), UndoOutcome::restored);
}

TEST(RouteFlap, WarnsOfDaemonsAndOfTheKernelsOwnRoutes) {
  FakeHost host;
  EXPECT_THAT(flap().capture(host, to_prefix())->at("warnings").dump(), HasSubstr("'bird'"));
  EXPECT_THAT(flap().capture(host, params({{"prefix", "10.77.0.0/24"}}))->at("warnings").dump(),
              HasSubstr("with an address"));
  EXPECT_TRUE(flap().capture(host, to_prefix({{"via", "10.77.0.2"}}))->at("warnings").empty());
}

TEST(RouteFlap, RouteThatADaemonKeepsIsNotReportedAsWithdrawn) {
  FakeHost host;
  const auto record = flap().capture(host, to_prefix());
  host.fake_routes.daemon_watches = true;
  const auto applied = flap().apply(host, to_prefix(), *record);
  ASSERT_FALSE(applied);
  EXPECT_THAT(describe(applied.error()), HasSubstr("there again at once"));
}

TEST(RouteFlap, RespondersRouteInItsPlaceIsLeft) {
  FakeHost host;
  const auto record = flap().capture(host, to_prefix());
  ASSERT_TRUE(flap().apply(host, to_prefix(), *record));
  host.fake_routes.list.insert(host.fake_routes.list.begin(),
                               fake_route({.prefix = "10.77.2.0/24", .gateway = "10.77.0.50"}));
  EXPECT_EQ(flap().undo(host, *record), UndoOutcome::superseded);
  const std::string state = host.state();
  EXPECT_EQ(flap().undo(host, *record), UndoOutcome::superseded);
  EXPECT_EQ(host.state(), state);
  const auto verified = flap().verify(host, *record);
  ASSERT_TRUE(verified);
  ASSERT_EQ(verified->differences.size(), 1U);
  EXPECT_THAT(verified->differences.front(), HasSubstr("but 10.77.2.0/24 via 10.77.0.50"));
  // The next round of the flap must not take the responder's away either.
  const auto again = flap().apply(host, to_prefix(), *record);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  EXPECT_EQ(host.state(), state);
}

TEST(RouteFlap, PinnedRouteOfAnotherMetricIsNoObstacle) {
  FakeHost host;
  const auto record = flap().capture(host, to_prefix());
  ASSERT_TRUE(flap().apply(host, to_prefix(), *record));
  host.fake_routes.list.push_back(
      fake_route({.prefix = "10.77.2.0/24", .gateway = "10.77.0.50", .metric = 5}));
  EXPECT_EQ(flap().undo(host, *record), UndoOutcome::restored);
  EXPECT_TRUE(flap().verify(host, *record)->clean());
  EXPECT_EQ(host.fake_routes.list.size(), 5U);
}

TEST(RouteFlap, RouteThatHasGoneMeanwhileIsNotWithdrawn) {
  FakeHost host;
  const auto record = flap().capture(host, to_prefix());
  std::erase_if(host.fake_routes.list, [](const kernel::Route& one) { return one.metric == 32; });
  const std::string state = host.state();
  const auto applied = flap().apply(host, to_prefix(), *record);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::conflict);
  EXPECT_EQ(host.state(), state) << "the other one stays too";
}

TEST(RouteFlap, RouteWhoseInterfaceHasGoneOrIsDownWentWithIt) {
  for (const bool gone : {true, false}) {
    FakeHost host;
    const auto record = flap().capture(host, to_prefix());
    ASSERT_TRUE(flap().apply(host, to_prefix(), *record));
    if (gone) host.kernel.links.pop_back();
    else host.kernel.links.back().up = false;
    EXPECT_EQ(flap().undo(host, *record), UndoOutcome::already_gone);
    EXPECT_TRUE(flap().verify(host, *record)->clean());
  }
}

TEST(RouteFlap, PutBackOtherwiseThanItWasIsAFailure) {
  FakeHost host;
  const auto record = flap().capture(host, to_prefix({{"via", "10.77.0.2"}}));
  ASSERT_TRUE(flap().apply(host, to_prefix(), *record));
  host.fake_routes.loses_metrics = true;
  const auto undone = flap().undo(host, *record);
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().code, ErrorCode::io_failed);
}

TEST(RouteFlap, DamagedRoutesInTheRecordAreCorrupt) {
  FakeHost host;
  const auto record = flap().capture(host, to_prefix());
  const std::string hex = record->at("routes")[0];
  const auto other = flap().capture(host, params({{"prefix", "10.77.0.0/24"}}));
  for (const Json& routes :
       {Json::array(), Json{"zz"}, Json{hex + "0"}, Json{hex.substr(0, hex.size() - 2)},
        Json{hex.substr(0, 16) + "ffffffff" + hex.substr(24)}, Json{hex, other->at("routes")[0]}}) {
    Json damaged = *record;
    damaged["routes"] = routes;
    const auto undone = flap().undo(host, damaged);
    ASSERT_FALSE(undone) << routes;
    EXPECT_EQ(undone.error().code, ErrorCode::corrupt) << routes;
  }
}

TEST(RouteFlap, WithoutPrivilegeItIsNotSupported) {
  FakeHost host;
  host.fake_routes.privileged = false;
  const Support support = flap().probe_support(host);
  EXPECT_FALSE(support.supported);
  EXPECT_THAT(support.reason, HasSubstr("CAP_NET_ADMIN"));
}

}  // namespace
}  // namespace firedrill::agent
