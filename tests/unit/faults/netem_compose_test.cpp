// Several lanes that take the same packets: each packet goes through the netem of every lane that
// asks for it, whatever came first and whatever goes first.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "agent/fault.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using kernel::Filter;
using kernel::FlowMatch;
using kernel::Qdisc;
using kernel::Side;
using test::FakeHost;
using test::kEth0;
using testing::HasSubstr;

const Fault& netem() { return *find_fault("netem"); }

Params params_of(const Json& given) {
  Json all{{"device", "eth0"}};
  all.update(given);
  const auto params = validate_params(netem().schema(), all, "");
  if (!params) ADD_FAILURE() << describe(params.error());
  return params.value_or(Params{});
}

Json capture(FakeHost& host, const Json& given) {
  const auto record = netem().capture(host, params_of(given));
  if (!record) ADD_FAILURE() << describe(record.error());
  return record.value_or(Json());
}

Json put_on(FakeHost& host, const Json& given) {
  const Json record = capture(host, given);
  const auto values = netem().apply(host, params_of(given), record);
  if (!values) ADD_FAILURE() << describe(values.error());
  return record;
}

std::string refusal(FakeHost& host, const Json& given) {
  const auto record = netem().capture(host, params_of(given));
  if (record) return "accepted";
  EXPECT_EQ(record.error().code, ErrorCode::conflict);
  return record.error().what;
}

/// One whole packet: every field that a filter may ask for.
FlowMatch packet(const std::string& to, std::uint8_t protocol = IPPROTO_UDP,
                 std::uint16_t port = 5000, std::uint16_t from_port = 40000) {
  FlowMatch out;
  out.destination = *kernel::parse_ip_prefix(to);
  out.v6 = out.destination->address.v6;
  out.source = *kernel::parse_ip_prefix(out.v6 ? "fd77::99" : "10.9.9.9");
  out.protocol = protocol;
  out.source_port = from_port;
  out.destination_port = port;
  return out;
}

/// What happens to the packet on its way out, as the kernel would do it: delays in milliseconds, in
/// no order. Nothing: it passes. The filter's ifb must be there.
std::multiset<int> fate(const FakeHost& host, const FlowMatch& one, Side side = Side::egress) {
  std::multiset<int> out;
  const auto list = host.kernel.filters.find({kEth0, side});
  if (list == host.kernel.filters.end()) return out;
  for (const Filter& filter : list->second) {
    if (intersection(filter.match, one) != one) continue;
    if (!filter.redirect_to) return out;
    const auto qdiscs = host.kernel.qdiscs.find(*filter.redirect_to);
    if (qdiscs == host.kernel.qdiscs.end()) {
      ADD_FAILURE() << "black hole";
      return out;
    }
    for (const Qdisc& qdisc : qdiscs->second) {
      const auto spec = kernel::parse_netem(qdisc.options);
      if (spec && spec->delay.count() > 0) out.insert(static_cast<int>(spec->delay.count() / 1000));
    }
    return out;
  }
  return out;
}

using Delays = std::multiset<int>;

TEST(NetemCompose, BothActOnTheSamePacketsAndEachGoesAlone) {
  for (const bool first_goes_first : {true, false}) {
    FakeHost host;
    const std::string before = host.state();
    const Json first = put_on(host, {{"delay", "10ms"}});
    const Json second = put_on(host, {{"delay", "20ms"}});
    EXPECT_EQ(fate(host, packet("10.0.0.1")), (Delays{10, 20}));
    EXPECT_EQ(fate(host, packet("fd77::1")), (Delays{10, 20}));
    EXPECT_EQ(fate(host, packet("10.0.0.1", IPPROTO_TCP, 9000, 22)), Delays{}) << "SSH passes";
    EXPECT_EQ(netem().undo(host, first_goes_first ? first : second), UndoOutcome::restored);
    EXPECT_EQ(fate(host, packet("10.0.0.1")), (first_goes_first ? Delays{20} : Delays{10}));
    EXPECT_TRUE(netem().verify(host, first_goes_first ? first : second)->clean());
    EXPECT_FALSE(netem().verify(host, first_goes_first ? second : first)->clean());
    EXPECT_EQ(netem().undo(host, first_goes_first ? second : first), UndoOutcome::restored);
    EXPECT_EQ(host.state(), before);
    EXPECT_TRUE(host.kernel.black_holes.empty());
  }
}

TEST(NetemCompose, UndoingTheLaterOneLeavesTheKernelAsTheFirstHadIt) {
  FakeHost host;
  put_on(host, {{"destination", "10.0.0.0/24"}, {"delay", "10ms"}});
  const std::string only_first = host.state();
  const Json second = put_on(host, {{"destination", "10.0.0.7"}, {"delay", "20ms"}});
  ASSERT_TRUE(netem().undo(host, second));
  EXPECT_EQ(host.state(), only_first);
}

TEST(NetemCompose, APartOfTheFirstOnesPacketsHasBoth) {
  FakeHost host;
  const Json wide = put_on(host, {{"destination", "10.0.0.0/24"}, {"delay", "10ms"}});
  put_on(host, {{"destination", {"10.0.0.7", "10.1.0.0/16"}}, {"delay", "20ms"}});
  EXPECT_EQ(fate(host, packet("10.0.0.7")), (Delays{10, 20}));
  EXPECT_EQ(fate(host, packet("10.0.0.8")), (Delays{10}));
  EXPECT_EQ(fate(host, packet("10.1.0.1")), (Delays{20}));
  EXPECT_EQ(fate(host, packet("10.2.0.1")), Delays{});
  ASSERT_TRUE(netem().undo(host, wide));
  EXPECT_EQ(fate(host, packet("10.0.0.7")), (Delays{20}));
  EXPECT_EQ(fate(host, packet("10.0.0.8")), Delays{});
}

TEST(NetemCompose, ALaneThatGoesAndComesAgainFindsItsPlace) {
  FakeHost host;
  const std::string before = host.state();
  const Json patterned = {{"delay", "10ms"}};
  const Json first = put_on(host, patterned);
  const Json second = put_on(host, {{"delay", "20ms"}});
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(netem().undo(host, first));
    EXPECT_EQ(fate(host, packet("10.0.0.1")), (Delays{20}));
    const auto again = netem().apply(host, params_of(patterned), first);
    ASSERT_TRUE(again) << describe(again.error());
    EXPECT_EQ(fate(host, packet("10.0.0.1")), (Delays{10, 20}));
  }
  ASSERT_TRUE(netem().undo(host, second));
  EXPECT_EQ(fate(host, packet("10.0.0.1")), (Delays{10}));
  ASSERT_TRUE(netem().undo(host, first));
  EXPECT_EQ(host.state(), before);
}

TEST(NetemCompose, ARampMovesWhereverItsLaneActs) {
  FakeHost host;
  const Json first = put_on(host, {{"delay", "10ms"}});
  const Json second = put_on(host, {{"destination", "10.0.0.7"}, {"delay", "20ms"}});
  const auto moved = netem().adjust(host, params_of({{"delay", "15ms"}}), first);
  ASSERT_TRUE(moved) << describe(moved.error());
  EXPECT_EQ(fate(host, packet("10.0.0.7")), (Delays{15, 20}));
  EXPECT_EQ(fate(host, packet("10.0.0.8")), (Delays{15}));
  ASSERT_TRUE(
      netem().adjust(host, params_of({{"destination", "10.0.0.7"}, {"delay", "25ms"}}), second));
  EXPECT_EQ(fate(host, packet("10.0.0.7")), (Delays{15, 25}));
}

TEST(NetemCompose, WhatCannotBeComposedIsRefusedAndTheFirstIsUndisturbed) {
  const std::tuple<Json, Json, std::string> cases[] = {
      {{{"delay", "1ms"}}, {{"duplicate", "1%"}}, "duplicates"},
      {{{"duplicate", "1%"}}, {{"delay", "1ms"}}, "duplicates"},
      {{{"rate", "1mbit"}}, {{"destination", "10.0.0.7"}, {"delay", "1ms"}}, "limits the rate"},
      {{{"destination", "10.0.0.7"}, {"delay", "1ms"}}, {{"rate", "1mbit"}}, "cannot be shared"},
      {{{"delay", "1ms"}, {"protect-ssh", false}}, {{"delay", "1ms"}}, "'protect-ssh'"}};
  for (const auto& [first, second, why] : cases) {
    FakeHost host;
    put_on(host, first);
    const std::string during = host.state();
    EXPECT_THAT(refusal(host, second), HasSubstr(why));
    EXPECT_EQ(host.state(), during);
  }
}

TEST(NetemCompose, RatesComposeWhereNeitherIsParted) {
  for (const auto& [first, second] :
       {std::pair<Json, Json>{{{"rate", "1mbit"}}, {{"delay", "1ms"}}},
        std::pair<Json, Json>{{{"delay", "1ms"}}, {{"destination", "10.0.0.7"}, {"rate", "1mbit"}}},
        std::pair<Json, Json>{{{"destination", "10.0.0.7"}, {"rate", "1mbit"}},
                              {{"delay", "1ms"}}}}) {
    FakeHost host;
    put_on(host, first);
    EXPECT_EQ(refusal(host, second), "accepted") << first.dump() << second.dump();
  }
}

TEST(NetemCompose, FourLanesOnTheSamePacketsAreTheMost) {
  FakeHost host;
  const std::string before = host.state();
  std::vector<Json> records;
  Delays all;
  for (const int delay : {1, 2, 4, 8}) {
    records.push_back(put_on(host, {{"delay", std::to_string(delay) + "ms"}}));
    all.insert(delay);
    EXPECT_EQ(fate(host, packet("10.0.0.1")), all);
  }
  for (const Json& record : records) ASSERT_TRUE(netem().undo(host, record));
  EXPECT_EQ(host.state(), before);
}

/// The lanes of the property test, by what they take and how long they delay.
struct Drawn {
  Json given;
  Json record;
  bool on = false;
  int delay = 0;
};

bool takes(const Drawn& lane, const std::string& to, int port) {
  if (lane.given.contains("destination-port") && lane.given["destination-port"] != port)
    return false;
  if (!lane.given.contains("destination")) return true;
  return overlaps(*kernel::parse_ip_prefix(lane.given["destination"].get<std::string>()),
                  *kernel::parse_ip_prefix(to));
}

/// Any lanes, on and off in any order: each packet has what every lane that takes it does to it.
TEST(NetemCompose, EachPacketHasExactlyTheLanesThatTakeIt) {
  const std::vector<std::string> places{"", "10.0.0.0/24", "10.0.0.7", "10.0.0.0/16",
                                        "10.0.1.0/24"};
  const std::vector<std::string> addresses{"10.0.0.7", "10.0.0.8", "10.0.1.1", "10.0.2.1",
                                           "10.9.0.1"};
  std::mt19937 random(42);
  const auto below = [&random](std::size_t n) { return random() % n; };
  for (int round = 0; round < 300; ++round) {
    FakeHost host;
    const std::string before = host.state();
    std::vector<Drawn> lanes(3);
    for (std::size_t i = 0; i < lanes.size(); ++i) {
      lanes[i].delay = 1 << i;
      lanes[i].given = {{"delay", std::to_string(lanes[i].delay) + "ms"}};
      if (const auto& place = places[below(places.size())]; !place.empty())
        lanes[i].given["destination"] = place;
      if (below(3) == 0) {
        lanes[i].given["protocol"] = "udp";
        lanes[i].given["destination-port"] = below(2) == 0 ? 5000 : 6000;
      }
    }
    for (int act = 0; act < 12; ++act) {
      Drawn& lane = lanes[below(lanes.size())];
      if (lane.on) ASSERT_TRUE(netem().undo(host, lane.record));
      else if (lane.record.is_null()) lane.record = put_on(host, lane.given);
      else ASSERT_TRUE(netem().apply(host, params_of(lane.given), lane.record));
      lane.on = !lane.on;
      for (const std::string& to : addresses)
        for (const std::uint16_t port : {5000, 6000, 7000}) {
          Delays expected;
          for (const Drawn& one : lanes)
            if (one.on && takes(one, to, port)) expected.insert(one.delay);
          ASSERT_EQ(fate(host, packet(to, IPPROTO_UDP, port)), expected)
              << to << " " << port << " round " << round;
        }
    }
    for (Drawn& lane : lanes)
      if (lane.on) ASSERT_TRUE(netem().undo(host, lane.record));
    ASSERT_EQ(host.state(), before) << "round " << round;
    ASSERT_TRUE(host.kernel.black_holes.empty());
  }
}

/// Killed at any operation of applying the second or undoing the first: undo of the second, and of
/// the first, still leave nothing; and the other one acts all the while.
TEST(NetemCompose, AnyOperationMayBeTheLast) {
  struct Killed {};
  for (const bool kill_undo : {false, true})
    for (int operation = 0;; ++operation) {
      FakeHost host;
      const std::string before = host.state();
      const Json first = put_on(host, {{"destination", "10.0.0.0/24"}, {"delay", "10ms"}});
      const Json given = {{"delay", "20ms"}};
      const Json second = capture(host, given);
      if (kill_undo) ASSERT_TRUE(netem().apply(host, params_of(given), second));
      int seen = 0;
      host.kernel.observer = [&](std::string_view) {
        if (seen++ == operation) throw Killed{};
      };
      bool whole = false;
      try {
        if (kill_undo) (void)netem().undo(host, first);
        else (void)netem().apply(host, params_of(given), second);
        whole = true;
      } catch (const Killed&) {
      }
      host.kernel.observer = {};
      const Delays now = fate(host, packet("10.0.0.7"));
      if (kill_undo) EXPECT_TRUE(now.contains(20)) << operation;
      else EXPECT_TRUE(now.contains(10)) << operation;
      for (int again = 0; again < 2; ++again)
        ASSERT_TRUE(netem().undo(host, kill_undo ? first : second));
      EXPECT_EQ(fate(host, packet("10.0.0.7")), (kill_undo ? Delays{20} : Delays{10})) << operation;
      ASSERT_TRUE(netem().undo(host, kill_undo ? second : first));
      ASSERT_EQ(host.state(), before) << operation;
      ASSERT_TRUE(host.kernel.black_holes.empty());
      if (whole) break;
    }
}

}  // namespace
}  // namespace firedrill::agent
