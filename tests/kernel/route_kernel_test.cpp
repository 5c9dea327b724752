// route-flap and route-blackhole against a real kernel: routes of every kind come back byte for
// byte, whenever the process dies; a refused prefix is refused as it was asked.
#include <cerrno>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "agent/host_routes.hpp"
#include "tests/kernel/route_lab.hpp"

namespace firedrill::agent::test {
namespace {

using testing::HasSubstr;

constexpr int kMaxOperations = 60;

/// A kind of route: how people would make it, and what flaps it.
struct Kind {
  const char* name;
  const char* make;  ///< after "ip "
  const char* prefix;
  int table = 254;
};

// Each stands for an attribute or a mechanism that a way of putting routes back has lost.
constexpr Kind kKinds[] = {
    {"plain", "route add 10.1.0.0/24 via 10.77.0.2", "10.1.0.0/24"},
    {"locked_mtu", "route add 10.1.0.0/24 via 10.77.0.2 metric 100 mtu lock 1400", "10.1.0.0/24"},
    {"congestion_control", "route add 10.1.0.0/24 via 10.77.0.2 congctl reno", "10.1.0.0/24"},
    {"windows", "route add 10.1.0.0/24 via 10.77.0.2 initcwnd 20 initrwnd 30 advmss 1200",
     "10.1.0.0/24"},
    {"timers", "route add 10.1.0.0/24 via 10.77.0.2 rto_min 300ms quickack 1 features ecn",
     "10.1.0.0/24"},
    {"realm", "route add 10.1.0.0/24 via 10.77.0.2 realm 5/7", "10.1.0.0/24"},
    {"source_hint", "route add 10.1.0.0/24 dev data0 scope link src 10.77.0.1", "10.1.0.0/24"},
    {"weights",
     "route add 10.1.0.0/24 nexthop via 10.77.0.2 dev data0 weight 3 nexthop via 10.78.0.2 dev "
     "data1 weight 5",
     "10.1.0.0/24"},
    {"onlink_hop",
     "route add 10.1.0.0/24 nexthop via 192.0.2.1 dev data0 onlink nexthop via 10.78.0.2 dev data1",
     "10.1.0.0/24"},
    {"onlink_table_tos", "route add 10.1.0.0/24 tos 0x10 via 192.0.2.1 dev data0 onlink table 100",
     "10.1.0.0/24", 100},
    {"big_table", "route add 10.1.0.0/24 via 10.77.0.2 table 70000", "10.1.0.0/24", 70000},
    {"nexthop_object",
     "nexthop add id 1 via 10.77.0.2 dev data0 && ip route add 10.1.0.0/24 nhid 1", "10.1.0.0/24"},
    {"nexthop_group",
     "nexthop add id 21 via 10.77.0.2 dev data0 && ip nexthop add id 22 via 10.78.0.2 dev data1 "
     "&& ip nexthop add id 20 group 21,3/22,5 && ip route add 10.1.0.0/24 nhid 20 metric 7",
     "10.1.0.0/24"},
    {"via_inet6", "route add 10.1.0.0/24 via inet6 fd77::2 dev data0", "10.1.0.0/24"},
    {"blackhole", "route add blackhole 10.1.0.0/24", "10.1.0.0/24"},
    {"unreachable", "route add unreachable 10.1.0.0/24 metric 4278198272", "10.1.0.0/24"},
    {"prohibit", "route add prohibit 10.1.0.0/24", "10.1.0.0/24"},
    {"throw", "route add throw 10.1.0.0/24 table 100", "10.1.0.0/24", 100},
    {"two_metrics",
     "route add 10.1.0.0/24 via 10.77.0.2 metric 10 && ip route add 10.1.0.0/24 via 10.78.0.2 "
     "metric 20 proto 99",
     "10.1.0.0/24"},
    {"appended", "route add 10.1.0.0/24 via 10.77.0.2 && ip route append 10.1.0.0/24 via 10.78.0.2",
     "10.1.0.0/24"},
    {"tos_beside_plain",
     "route add 10.1.0.0/24 via 10.77.0.2 && ip route add 10.1.0.0/24 tos 0x08 via 10.78.0.2",
     "10.1.0.0/24"},
    {"default_route", "route add default via 10.77.0.2", "default"},
    {"connected", "route show", "10.77.0.0/24"},
    {"v6_plain", "-6 route add 2001:db8::/48 via fd77::2", "2001:db8::/48"},
    {"v6_preference", "-6 route add 2001:db8::/48 via fd77::2 pref high", "2001:db8::/48"},
    {"v6_from", "-6 route add 2001:db8::/48 from fd77::/64 via fd77::2", "2001:db8::/48"},
    {"v6_multipath",
     "-6 route add 2001:db8::/48 nexthop via fd77::2 dev data0 weight 2 nexthop via fd78::2 dev "
     "data1",
     "2001:db8::/48"},
    {"v6_metrics", "-6 route add 2001:db8::/48 via fd77::2 mtu 1400 hoplimit 9 metric 77",
     "2001:db8::/48"},
    {"v6_nexthop_object",
     "nexthop add id 6 via fd77::2 dev data0 && ip -6 route add 2001:db8::/48 nhid 6",
     "2001:db8::/48"},
    {"v6_unreachable", "-6 route add unreachable 2001:db8::/48", "2001:db8::/48"},
    {"v6_prohibit", "-6 route add prohibit 2001:db8::/48 table 100", "2001:db8::/48", 100},
    {"v6_connected", "route show", "fd77::/64"},
    {"v6_default", "-6 route add default via fd78::2 dev data1", "::/0"},
};

const Fault& flap() { return *find_fault("route-flap"); }
const Fault& blackhole() { return *find_fault("route-blackhole"); }

/// `text` with the prefix of every kind made one of this kind's own, so that all can be there at
/// once.
std::string own_prefix(std::string text, std::size_t number) {
  const auto replace = [&text](std::string_view from, const std::string& to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, from.size(), to);
  };
  replace("10.1.0.0/24", fmt::format("10.{}.0.0/24", 100 + number));
  replace("2001:db8::/48", fmt::format("2001:db8:{}::/48", number));
  return text;
}

class RouteKernel : public RouteLab {};

TEST_F(RouteKernel, EveryKindIsWithdrawnAndComesBackByteForByte) {
  for (std::size_t i = 0; i < std::size(kKinds); ++i) run("ip " + own_prefix(kKinds[i].make, i));
  const std::string before = routes_and_rules();
  for (std::size_t i = 0; i < std::size(kKinds); ++i) {
    SCOPED_TRACE(kKinds[i].name);
    const std::string prefix = own_prefix(kKinds[i].prefix, i);
    const auto table = static_cast<std::uint32_t>(kKinds[i].table);
    const Params asked = params_of(flap(), {{"prefix", prefix}, {"table", table}});
    const auto record = flap().capture(*open_host(), asked);
    ASSERT_TRUE(record) << describe(record.error());
    ASSERT_EQ(routes_and_rules(), before);
    for (const int round : {1, 2, 3}) {
      const auto values = flap().apply(*open_host(), asked, *record);
      ASSERT_TRUE(values) << describe(values.error());
      const auto left = open_host()->routes().routes(*kernel::parse_route_prefix(prefix), table);
      ASSERT_TRUE(left);
      EXPECT_TRUE(left->empty()) << "round " << round;
      EXPECT_NE(routes_and_rules(), before);
      undo(flap(), *record);
      ASSERT_EQ(routes_and_rules(), before) << "round " << round;
    }
  }
}

TEST_F(RouteKernel, ProcessKilledAtAnyOperationLeavesWhatAnotherPutsBack) {
  run("ip route add 10.1.0.0/24 via 10.77.0.2 metric 10 mtu lock 1400");
  run("ip route add 10.1.0.0/24 metric 20 nexthop via 10.77.0.2 weight 2 nexthop via 10.78.0.2");
  run("ip route add 10.1.0.0/24 via 10.78.0.2 metric 30");
  const std::string before = routes_and_rules();
  const Params asked = params_of(flap(), {{"prefix", "10.1.0.0/24"}});
  const auto record = flap().capture(*open_host(), asked);
  ASSERT_TRUE(record) << describe(record.error());
  bool whole = false;
  int deaths = 0;
  for (int at = 0; !whole; ++at) {
    ASSERT_LT(at, kMaxOperations);
    whole = die_at(at, [&](Host& host) { return flap().apply(host, asked, *record).has_value(); });
    undo(flap(), *record);
    ASSERT_EQ(routes_and_rules(), before) << "killed at operation " << at << " of apply";
    ++deaths;
  }
  whole = false;
  for (int at = 0; !whole; ++at) {
    ASSERT_LT(at, kMaxOperations);
    ASSERT_TRUE(flap().apply(*open_host(), asked, *record));
    whole = die_at(at, [&](Host& host) { return flap().undo(host, *record).has_value(); });
    undo(flap(), *record);
    ASSERT_EQ(routes_and_rules(), before) << "killed at operation " << at << " of undo";
    ++deaths;
  }
  EXPECT_GT(deaths, 12) << "fewer operations than three routes take";
}

TEST_F(RouteKernel, RespondersRouteInItsPlaceIsLeft) {
  run("ip route add 10.1.0.0/24 via 10.77.0.2");
  const Params asked = params_of(flap(), {{"prefix", "10.1.0.0/24"}});
  const Json record = inject(flap(), asked);
  run("ip route add 10.1.0.0/24 via 10.78.0.2");
  const std::string theirs = routes_and_rules();
  EXPECT_EQ(flap().undo(*open_host(), record), UndoOutcome::superseded);
  EXPECT_EQ(routes_and_rules(), theirs);
}

TEST_F(RouteKernel, RouteWhoseLinkWentDownIsNotMissed) {
  run("ip route add 10.1.0.0/24 via 10.78.0.2");
  const Params asked = params_of(flap(), {{"prefix", "10.1.0.0/24"}});
  const Json record = inject(flap(), asked);
  run("ip link set data1 down");
  EXPECT_EQ(flap().undo(*open_host(), record), UndoOutcome::already_gone);
  EXPECT_TRUE(flap().verify(*open_host(), record)->clean());
}

TEST_F(RouteKernel, RouteOfTheControllerIsFoundByTheKernelsOwnChoice) {
  run("ip route add 10.1.0.0/16 via 10.77.0.2");
  run("ip route add 10.1.1.0/24 via 10.78.0.2 metric 5");
  run("ip route add 10.1.1.0/24 via 10.77.0.2 metric 9");
  protected_peers_ = {{*kernel::parse_ip_address("::ffff:10.1.1.7"), 7443}};
  const auto code = [this](const Json& given) {
    const auto record = flap().capture(*open_host(), params_of(flap(), given));
    return record ? std::string("captured") : std::string(to_string(record.error().code));
  };
  EXPECT_EQ(code({{"prefix", "10.1.1.0/24"}}), "refused");
  EXPECT_EQ(code({{"prefix", "10.1.1.0/24"}, {"via", "10.77.0.2"}}), "captured");
  EXPECT_EQ(code({{"prefix", "10.1.0.0/16"}}), "captured") << "a longer one serves it";
  run("ip rule add to 10.1.1.0/24 lookup 77 && ip route add 10.1.0.0/20 via 10.77.0.2 table 77");
  EXPECT_EQ(code({{"prefix", "10.1.0.0/20"}, {"table", 77}}), "refused");
  EXPECT_EQ(code({{"prefix", "10.1.1.0/24"}}), "captured") << "the rule leads elsewhere";

  run("ip -6 route add 2001:db8::/48 via fd77::2 && ip -6 route add default via fd78::2");
  protected_peers_ = {{*kernel::parse_ip_address("2001:db8::7"), 7443}};
  EXPECT_EQ(code({{"prefix", "2001:db8::/48"}}), "refused");
  EXPECT_EQ(code({{"prefix", "::/0"}}), "captured");
}

TEST_F(RouteKernel, MissingRouteAndOwnAddressAreRefused) {
  const auto words = [this](const Json& given) {
    const auto record = flap().capture(*open_host(), params_of(flap(), given));
    return record ? std::string("captured") : describe(record.error());
  };
  EXPECT_THAT(words({{"prefix", "10.77.0.128/25"}}), HasSubstr("nearest: 10.77.0.0/24 dev data0"));
  EXPECT_THAT(words({{"prefix", "10.9.0.0/24"}, {"table", 4711}}), HasSubstr("none there shares"));
  EXPECT_THAT(words({{"prefix", "10.77.0.1/32"}, {"table", 255}}), HasSubstr("this host itself"));
  EXPECT_TRUE(flap().probe_support(*open_host()).supported);
}

TEST_F(RouteKernel, BlackholeRefusesAsAskedAndLeavesOthers) {
  const Descriptor listener = peer_listener("10.77.0.2", 7001);
  const Descriptor other = peer_listener("10.77.0.3", 7001);
  const std::string before = routes_and_rules();
  for (const auto& [kind, error] :
       {std::pair("blackhole", EINVAL), {"unreachable", ENETUNREACH}, {"prohibit", EACCES}}) {
    const Params asked = params_of(blackhole(), {{"prefix", "10.77.0.2"}, {"kind", kind}});
    const Json record = inject(blackhole(), asked);
    EXPECT_EQ(connect_error("10.77.0.2", 7001), error) << kind;
    EXPECT_EQ(connect_error("10.77.0.3", 7001), 0) << kind;
    undo(blackhole(), record);
    EXPECT_EQ(connect_error("10.77.0.2", 7001), 0) << kind;
    ASSERT_EQ(routes_and_rules(), before) << kind;
  }
  const Params v6 = params_of(blackhole(), {{"prefix", "fd77::2"}, {"kind", "unreachable"}});
  const Json record = inject(blackhole(), v6);
  EXPECT_EQ(connect_error("fd77::2", 7001), ENETUNREACH);
  undo(blackhole(), record);
  EXPECT_EQ(connect_error("fd77::2", 7001), ECONNREFUSED) << "reached, and nobody listens";
}

TEST_F(RouteKernel, BlackholeGoesAheadOfTheHostsRulesAndMatchesOnlyItsSource) {
  run("ip rule add priority 100 to 10.77.0.0/24 lookup main");
  const Descriptor listener = peer_listener("10.77.0.2", 7001);
  const Json ahead =
      inject(blackhole(), params_of(blackhole(), {{"prefix", "10.77.0.2"}, {"kind", "prohibit"}}));
  EXPECT_EQ(ahead.at("priority"), 99);
  EXPECT_EQ(connect_error("10.77.0.2", 7001), EACCES);
  undo(blackhole(), ahead);
  const Json elsewhere = inject(
      blackhole(), params_of(blackhole(), {{"prefix", "10.77.0.2"}, {"from", "192.0.2.0/24"}}));
  EXPECT_EQ(connect_error("10.77.0.2", 7001), 0);
  undo(blackhole(), elsewhere);
}

TEST_F(RouteKernel, BlackholeOfAKilledProcessIsUndoneByAnother) {
  const std::string before = routes_and_rules();
  const Params asked = params_of(blackhole(), {{"prefix", "10.1.0.0/24"}});
  bool whole = false;
  for (int at = 0; !whole; ++at) {
    ASSERT_LT(at, kMaxOperations);
    const auto record = blackhole().capture(*open_host(), asked);
    ASSERT_TRUE(record);
    whole =
        die_at(at, [&](Host& host) { return blackhole().apply(host, asked, *record).has_value(); });
    undo(blackhole(), *record);
    ASSERT_EQ(routes_and_rules(), before) << "killed at operation " << at;
  }
}

}  // namespace
}  // namespace firedrill::agent::test
