// What netem refuses, where its filters go, and how lanes live beside the host's own traffic
// control and beside each other.
#include <algorithm>

#include <gtest/gtest.h>
#include <netinet/in.h>

#include "agent/fault.hpp"
#include "agent/faults/netem_params.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using kernel::Filter;
using kernel::Side;
using test::FakeHost;
using test::kEth0;

const Fault& netem() { return *find_fault("netem"); }

Params params_of(const Json& given) {
  const auto params = validate_params(netem().schema(), given, "");
  if (!params) ADD_FAILURE() << describe(params.error());
  return params.value_or(Params{});
}

/// Delay on all traffic of eth0 unless told otherwise.
Params with(const Json& more = Json::object()) {
  Json given{{"device", "eth0"}, {"delay", "100ms"}};
  given.update(more);
  return params_of(given);
}

std::string pointer_of_refusal(const Json& given) {
  const auto checked = netem().check(params_of(given));
  return checked ? "accepted" : checked.error().pointer + ": " + checked.error().what;
}

struct Applied {
  Json record;
  Json values;
};

Applied apply(FakeHost& host, const Params& params) {
  const auto record = netem().capture(host, params);
  if (!record) {
    ADD_FAILURE() << describe(record.error());
    return {};
  }
  const auto values = netem().apply(host, params, *record);
  if (!values) ADD_FAILURE() << describe(values.error());
  return {*record, values.value_or(Json())};
}

std::vector<std::string> matches_at(FakeHost& host, Side side, bool redirects) {
  std::vector<std::string> out;
  for (const Filter& filter : host.kernel.filters[{kEth0, side}])
    if (filter.redirect_to.has_value() == redirects) out.push_back(to_string(filter.match));
  return out;
}

Filter foreign_filter(std::uint16_t pref) {
  Filter filter;
  filter.pref = pref;
  filter.protocol = 0x0003;
  filter.kind = "u32";
  filter.handle = 0x80000800;
  return filter;
}

TEST(NetemCheck, RefusesWhatMakesNoSense) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"device":"eth0"})", ": impairs nothing"},
      {R"({"device":"eth0","loss":"0%"})", ": impairs nothing"},
      {R"({"device":"eth0","loss":"1%","jitter":"1ms"})", "/jitter"},
      {R"({"device":"eth0","delay":"1ms","jitter":"2ms"})", "/jitter"},
      {R"({"device":"eth0","delay":"1ms","delay-correlation":"25%"})", "/delay-correlation"},
      {R"({"device":"eth0","loss":"1%","reorder":"5%"})", "/reorder"},
      {R"({"device":"eth0","delay":"1ms","gap":5})", "/gap"},
      {R"({"device":"eth0","delay":"1ms","loss-correlation":"25%"})", "/loss-correlation"},
      {R"({"device":"eth0","loss":"1%","gemodel-p":"1%"})", "/gemodel-p"},
      {R"({"device":"eth0","loss-model":"gilbert-elliott","gemodel-p":"1%"})", "/loss-model"},
      {R"({"device":"eth0","loss":"1%","loss-model":"gilbert-elliott"})", "/loss"},
      {R"({"device":"eth0","loss":"1%","destination-port":80})", "/protocol"},
      {R"({"device":"eth0","loss":"1%","protocol":"icmp","source-port":80})", "/protocol"},
      {R"({"device":"eth0","loss":"1%","protocol":"tcp","source-port":[]})", "/source-port"},
      {R"({"device":"eth0","loss":"1%","destination":[]})", "/destination"},
      {R"({"device":"eth0","loss":"1%","destination":["10.0.0.7/24"]})", "/destination/0"},
      {R"({"device":"eth0","loss":"1%","source":["10.0.0.0/8","10.1.0.0/16"]})", "/source/1"},
      {R"({"device":"eth0","loss":"1%","source":"10.0.0.1","destination":"::1"})", "/destination"},
      {R"({"device":"eth0","rate":"10.000001mbit"})", "/rate"},
      {R"({"device":"eth0","rate":"1gbit","delay":"2s"})", "/limit"},
  };
  for (const auto& [given, expected] : cases) {
    const std::string refusal = pointer_of_refusal(Json::parse(given));
    EXPECT_TRUE(refusal.starts_with(expected)) << given << " -> " << refusal;
  }
}

TEST(NetemCheck, AcceptsWhatMakesSense) {
  for (const char* given :
       {R"({"device":"eth0","loss":"100%"})", R"({"device":"eth0","duplicate":"1%"})",
        R"({"device":"eth0","rate":"10mbit","delay":"100ms"})",
        R"({"device":"eth0","delay":"60s","jitter":"2s","delay-correlation":"25%"})",
        R"({"device":"eth0","delay":"10ms","reorder":"25%","gap":5})",
        R"({"device":"eth0","loss-model":"gilbert-elliott","gemodel-p":"1%","gemodel-r":"10%"})",
        R"({"device":"eth0","corrupt":"0.1%","protocol":"udp","destination-port":[53,123]})"})
    EXPECT_EQ(pointer_of_refusal(Json::parse(given)), "accepted") << given;
}

TEST(NetemCheck, TooManyCombinationsAreRefused) {
  Json ports = Json::array();
  for (int port = 1; port <= 257; ++port) ports.push_back(port);
  EXPECT_TRUE(
      pointer_of_refusal(
          {{"device", "eth0"}, {"loss", "1%"}, {"protocol", "tcp"}, {"destination-port", ports}})
          .starts_with("/destination: 514 combinations"));
}

TEST(NetemSpecOf, DefaultsAreNeverTheKernelsThousandPackets) {
  EXPECT_EQ(netem_spec(with()).limit, 100'000U);
  const auto reorder = netem_spec(with({{"reorder", "25%"}}));
  EXPECT_EQ(reorder.gap, 1U) << "without a gap the kernel never reorders";
  const auto model = netem_spec(params_of({{"device", "eth0"},
                                           {"loss-model", "gilbert-elliott"},
                                           {"gemodel-p", "1%"},
                                           {"gemodel-r", "10%"}}));
  ASSERT_TRUE(model.gilbert_elliott);
  EXPECT_EQ(model.gilbert_elliott->loss_bad.value, 0xFFFFFFFFU);
  EXPECT_EQ(model.gilbert_elliott->loss_good.value, 0U);
}

TEST(NetemLane, WithoutAddressesTakesAllIpAndLetsDiscoveryAndSshThrough) {
  FakeHost host;
  apply(host, with());
  EXPECT_EQ(matches_at(host, Side::egress, true), (std::vector<std::string>{"ip", "ipv6"}));
  const auto exempted = matches_at(host, Side::egress, false);
  EXPECT_EQ(exempted.front(), "ip tcp sport 22");
  for (const char* match : {"ipv6 tcp sport 22", "ipv6 icmpv6 type 133", "ipv6 icmpv6 type 137"})
    EXPECT_NE(std::ranges::find(exempted, match), exempted.end()) << match;
  EXPECT_TRUE(host.kernel.filters[std::pair(kEth0, Side::ingress)].empty());
}

TEST(NetemLane, ExemptionsComeAheadOfRedirectsAndOnlyWhereTheyMeet) {
  FakeHost host;
  const auto peer = kernel::parse_ip_address("10.0.0.9");
  const auto far = kernel::parse_ip_address("192.0.2.1");
  const auto mapped = kernel::parse_ip_address("::ffff:10.0.0.8");
  ASSERT_TRUE(peer && far && mapped);
  host.peers = {{*peer, 7443}, {*far, 7443}, {*mapped, 7443}};
  apply(host, with({{"destination", "10.0.0.0/24"}, {"protect-ssh", false}}));
  EXPECT_EQ(matches_at(host, Side::egress, false),
            (std::vector<std::string>{"ip to 10.0.0.8/32 tcp dport 7443",
                                      "ip to 10.0.0.9/32 tcp dport 7443"}));
  const auto& filters = host.kernel.filters[std::pair(kEth0, Side::egress)];
  EXPECT_FALSE(filters.front().redirect_to) << "the exemption must be asked first";
  EXPECT_TRUE(filters.back().redirect_to);
  EXPECT_LT(filters.front().pref, filters.back().pref);
}

TEST(NetemLane, BothDirectionsTakeAConversationAndItsAnswersThroughTwoIfbs) {
  FakeHost host;
  apply(host, with({{"direction", "both"},
                    {"destination", "10.0.0.2"},
                    {"protocol", "tcp"},
                    {"destination-port", 2380}}));
  EXPECT_EQ(matches_at(host, Side::egress, true),
            (std::vector<std::string>{"ip to 10.0.0.2/32 tcp dport 2380"}));
  EXPECT_EQ(matches_at(host, Side::ingress, true),
            (std::vector<std::string>{"ip from 10.0.0.2/32 tcp sport 2380"}));
  const auto target = [&host](Side side) {
    return host.kernel.filters[std::pair(kEth0, side)].back().redirect_to;
  };
  EXPECT_NE(target(Side::egress), target(Side::ingress));
}

TEST(NetemLane, IngressAloneTakesPacketsByTheirOwnFields) {
  FakeHost host;
  apply(host, with({{"direction", "ingress"}, {"source", "10.0.0.2"}}));
  EXPECT_EQ(matches_at(host, Side::ingress, true),
            (std::vector<std::string>{"ip from 10.0.0.2/32"}));
}

TEST(NetemLane, ValuesAreWhatTheKernelKept) {
  FakeHost host;
  const Applied on = apply(host, with({{"loss", "5%"}}));
  EXPECT_EQ(on.values.at("netem"), "delay 100ms loss 5% limit 100000");
  EXPECT_EQ(on.values.at("redirects"), 2);
  EXPECT_EQ(on.values.at("host_filters_ahead"), 0);
}

TEST(NetemLane, KernelThatKeepsLessThanAskedIsAnErrorAndNotActive) {
  FakeHost host;
  host.kernel.forgets_loss = true;
  const std::string before = host.state();
  const Params params = with({{"loss", "5%"}});
  const auto record = netem().capture(host, params);
  const auto values = netem().apply(host, params, *record);
  ASSERT_FALSE(values);
  EXPECT_EQ(values.error().code, ErrorCode::unsupported);
  ASSERT_TRUE(netem().undo(host, *record));
  EXPECT_EQ(host.state(), before);
}

TEST(NetemLane, StandsBehindTheHostsOwnFiltersAndLeavesThemAndTheirClsact) {
  FakeHost host;
  ASSERT_TRUE(host.network().add_clsact(kEth0));
  host.kernel.filters[{kEth0, Side::egress}] = {foreign_filter(49152)};
  const std::string before = host.state();
  const Applied on = apply(host, with());
  EXPECT_EQ(host.kernel.filters[std::pair(kEth0, Side::egress)].front().kind, "u32");
  EXPECT_EQ(on.values.at("host_filters_ahead"), 1);
  EXPECT_EQ(netem().undo(host, on.record), UndoOutcome::restored);
  EXPECT_EQ(host.state(), before);
}

TEST(NetemLane, EmptyClsactOfTheHostStays) {
  FakeHost host;
  ASSERT_TRUE(host.network().add_clsact(kEth0));
  const std::string before = host.state();
  const Applied on = apply(host, with());
  EXPECT_EQ(netem().undo(host, on.record), UndoOutcome::restored);
  EXPECT_EQ(host.state(), before);
  EXPECT_TRUE(netem().verify(host, on.record)->clean());
}

TEST(NetemLane, NoPreferenceBehindTheHostsLastFilterIsAConflict) {
  FakeHost host;
  ASSERT_TRUE(host.network().add_clsact(kEth0));
  host.kernel.filters[{kEth0, Side::ingress}] = {foreign_filter(65533)};
  EXPECT_EQ(netem().capture(host, with()).error().code, ErrorCode::conflict);
}

TEST(NetemLane, LegacyIngressQdiscAllowsOnlyIngress) {
  FakeHost host;
  host.kernel.qdiscs[kEth0].push_back({"ingress", 0xFFFF0000, 0xFFFFFFF1, {}, 0});
  const std::string before = host.state();
  EXPECT_EQ(netem().capture(host, with()).error().code, ErrorCode::conflict);
  const Applied on = apply(host, with({{"direction", "ingress"}}));
  EXPECT_TRUE(netem().undo(host, on.record));
  EXPECT_EQ(host.state(), before);
}

/// Two lanes on one interface, undone in either order; each undo leaves the other as it was.
TEST(NetemCompose, TwoLanesUndoIndependentlyInEitherOrder) {
  for (const bool captured_together : {false, true})
    for (const bool first_goes_first : {true, false}) {
      FakeHost host;
      const std::string before = host.state();
      const Params a = with({{"destination", "10.0.0.1"}});
      const Params b = with({{"destination", "10.0.0.2"}, {"duplicate", "5%"}});
      const auto record_a = netem().capture(host, a);
      auto record_b = netem().capture(host, b);
      ASSERT_TRUE(netem().apply(host, a, *record_a));
      const std::string only_a = host.state();
      if (!captured_together) record_b = netem().capture(host, b);
      ASSERT_TRUE(netem().apply(host, b, *record_b));
      const auto& early = first_goes_first ? record_a : record_b;
      const auto& late = first_goes_first ? record_b : record_a;
      EXPECT_EQ(netem().undo(host, *early), UndoOutcome::restored);
      if (!first_goes_first) EXPECT_EQ(host.state(), only_a);
      EXPECT_TRUE(netem().verify(host, *early)->clean()) << "the other lane is no difference";
      EXPECT_FALSE(netem().verify(host, *late)->clean());
      EXPECT_EQ(netem().undo(host, *late), UndoOutcome::restored);
      EXPECT_EQ(host.state(), before);
      EXPECT_TRUE(netem().verify(host, *late)->clean());
    }
}

TEST(NetemCompose, SamePacketsOtherDirectionIsAnotherMatter) {
  FakeHost host;
  apply(host, with());
  EXPECT_TRUE(netem().capture(host, with({{"direction", "ingress"}})));
}

TEST(NetemUndo, LeavesWhatTheHostChangedMeanwhileAndSaysSo) {
  FakeHost host;
  const Applied on = apply(host, with());
  host.kernel.qdiscs[kEth0].front().kind = "fq";  // responders chose another root
  const auto undone = netem().undo(host, on.record);
  EXPECT_EQ(undone, UndoOutcome::superseded);
  EXPECT_EQ(host.kernel.qdiscs[kEth0].front().kind, "fq");
  EXPECT_EQ(host.kernel.links.size(), 2U) << host.state();
  const auto verified = netem().verify(host, on.record);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->differences.size(), 2U) << "the root that went and the one that came";
}

TEST(NetemUndo, ClsactThatTheHostUsesMeanwhileStays) {
  FakeHost host;
  const Applied on = apply(host, with());
  auto& list = host.kernel.filters[{kEth0, Side::egress}];
  list.insert(list.begin(), foreign_filter(7));
  EXPECT_EQ(netem().undo(host, on.record), UndoOutcome::superseded);
  EXPECT_EQ(host.kernel.filters[std::pair(kEth0, Side::egress)].size(), 1U);
}

TEST(NetemUndo, TakesRedirectsOutFirstAndTheIfbLast) {
  FakeHost host;
  const Applied on = apply(host, with({{"direction", "both"}}));
  host.kernel.log.clear();
  ASSERT_TRUE(netem().undo(host, on.record));
  const auto& log = host.kernel.log;
  const auto last_filter = std::ranges::find(log.rbegin(), log.rend(), "network.delete_filter");
  const auto drain = std::ranges::find(log, "network.drain");
  const auto first_link = std::ranges::find(log, "network.delete_link_group");
  const auto clsact = std::ranges::find(log, "network.delete_clsact");
  EXPECT_LT(last_filter.base() - log.begin(), drain - log.begin() + 1);
  EXPECT_LT(drain, first_link);
  EXPECT_LT(first_link, clsact);
  EXPECT_NE(clsact, log.end());
  EXPECT_EQ(std::ranges::count(log, "network.delete_link"), 0) << "both sides went in one go";
}

TEST(NetemUndo, DoesNotTouchAnIfbThatOnlyHasTheName) {
  FakeHost host;
  const Params params = with();
  const auto record = netem().capture(host, params);
  ASSERT_TRUE(record);
  kernel::Link look_alike;
  look_alike.index = {50};
  look_alike.kind = "ifb";
  look_alike.name = "fd1a2b3c01e";  // the fake's first token
  host.kernel.links.push_back(look_alike);
  EXPECT_FALSE(netem().apply(host, params, *record)) << "the name is taken";
  EXPECT_EQ(netem().undo(host, *record), UndoOutcome::already_gone);
  EXPECT_EQ(host.kernel.links.back().name, "fd1a2b3c01e");
}

TEST(NetemApply, ClsactThatAppearedSinceCaptureIsTheHostsAndRefused) {
  FakeHost host;
  const Params params = with();
  const auto record = netem().capture(host, params);
  ASSERT_TRUE(host.network().add_clsact(kEth0));
  const std::string before = host.state();
  EXPECT_EQ(netem().apply(host, params, *record).error().code, ErrorCode::conflict);
  EXPECT_EQ(host.state(), before);
}

TEST(NetemApply, AnotherInterfaceUnderTheNameIsRefused) {
  FakeHost host;
  const Params params = with();
  const auto record = netem().capture(host, params);
  host.kernel.links.back().index = {9};
  EXPECT_EQ(netem().apply(host, params, *record).error().code, ErrorCode::not_found);
}

TEST(NetemSupport, SaysWhatIsMissing) {
  FakeHost host;
  host.fail_call(2);  // add_netem, after links and create_ifb
  const Support support = netem().probe_support(host);
  EXPECT_FALSE(support.supported);
  EXPECT_NE(support.reason.find("sch_netem"), std::string::npos) << support.reason;
}

TEST(NetemSupport, AProbeThatIsKilledLeavesNothingOnTheHost) {
  int operations = 0;
  for (int last = 1, seen = 0; seen + 1 >= last; ++last) {
    FakeHost host;
    const std::string before = host.state();
    seen = 0;
    host.kernel.observer = [&](std::string_view) {
      if (++seen == last) throw std::runtime_error("killed");
    };
    try {
      operations = netem().probe_support(host).supported ? seen : 0;
      break;
    } catch (const std::runtime_error&) {
    }
    EXPECT_EQ(host.state(), before) << "killed before operation " << last;
  }
  EXPECT_GT(operations, 5) << "the probe never ran to its end";
}

TEST(NetemSupport, WithoutNamespacesTakesAwayWhatAKilledProbeLeft) {
  FakeHost host;
  host.has_namespaces = false;
  const std::string before = host.state();
  int seen = 0;
  host.kernel.observer = [&seen](std::string_view) {
    if (++seen == 4) throw std::runtime_error("killed");
  };
  EXPECT_THROW((void)netem().probe_support(host), std::runtime_error);
  EXPECT_NE(host.state(), before);
  host.kernel.observer = {};
  EXPECT_TRUE(netem().probe_support(host).supported);
  EXPECT_EQ(host.state(), before);
}

}  // namespace
}  // namespace firedrill::agent
