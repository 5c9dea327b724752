// nic-ring: what it refuses, rounding drivers, and values that responders set meanwhile.
#include "agent/faults/nic_ring.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "agent/fault.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using test::FakeHost;
using test::kEth0;

const Fault& nic_ring() { return *find_fault("nic-ring"); }

Params with(Json more) {
  Json given{{"device", "eth0"}};
  given.update(more);
  const auto params = validate_params(nic_ring().schema(), given, "");
  if (!params) ADD_FAILURE() << describe(params.error());
  return params.value_or(Params{});
}

Json apply(FakeHost& host, const Params& params) {
  const auto record = nic_ring().capture(host, params);
  if (!record) {
    ADD_FAILURE() << describe(record.error());
    return {};
  }
  const auto values = nic_ring().apply(host, params, *record);
  if (!values) ADD_FAILURE() << describe(values.error());
  return *record;
}

TEST(NicRing, NeedsARingToChange) {
  EXPECT_FALSE(nic_ring().check(with(Json::object())));
  EXPECT_TRUE(nic_ring().check(with({{"tx", 64}})));
}

TEST(NicRing, BeyondTheMaximumOrWithoutChangeIsRefusedWithThePlace) {
  FakeHost host;
  const auto beyond = nic_ring().capture(host, with({{"rx", 4097}}));
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().pointer, "/rx");
  const auto same = nic_ring().capture(host, with({{"rx", 1024}}));
  ASSERT_FALSE(same);
  EXPECT_EQ(same.error().code, ErrorCode::invalid_input);
}

TEST(NicRing, InterfaceWithoutRingsIsUnsupported) {
  FakeHost host;
  Json given{{"device", "lo"}, {"rx", 64}};
  const auto params = validate_params(nic_ring().schema(), given, "");
  EXPECT_EQ(nic_ring().capture(host, *params).error().code, ErrorCode::unsupported);
}

TEST(NicRing, SupportListsInterfacesThatHaveRings) {
  FakeHost host;
  const Support support = nic_ring().probe_support(host);
  EXPECT_TRUE(support.supported);
  EXPECT_EQ(support.reason, "eth0 (rx 1024 of 4096, tx 512 of 4096)");
  host.kernel.rings.clear();
  EXPECT_FALSE(nic_ring().probe_support(host).supported);
}

TEST(NicRing, OneInjectionPerInterface) {
  EXPECT_EQ(nic_ring().exclusive_resources(with({{"rx", 64}})),
            std::vector<std::string>{"nic-ring:eth0"});
}

TEST(NicRing, ReportsSizesReadBackAndTheFlap) {
  FakeHost host;
  host.kernel.flaps = true;
  host.kernel.ring_multiple = 8;
  const Params params = with({{"rx", 50}});
  const auto record = nic_ring().capture(host, params);
  const auto values = nic_ring().apply(host, params, *record);
  ASSERT_TRUE(values) << describe(values.error());
  EXPECT_EQ(values->at("rx_slots"), 56);
  EXPECT_EQ(values->at("tx_slots"), 512);
  EXPECT_EQ(values->at("carrier_changes_before"), 0);
  EXPECT_EQ(values->at("carrier_changes_after"), 2);
  EXPECT_EQ(nic_ring().undo(host, *record), UndoOutcome::restored);
  EXPECT_EQ(host.kernel.rings.at(kEth0).rx, 1024U);
}

TEST(NicRing, RoundingNobodyWouldRecogniseIsPutBackAndRefused) {
  FakeHost host;
  host.kernel.ring_multiple = 512;
  const std::string before = host.state();
  const Params params = with({{"rx", 64}});
  const auto record = nic_ring().capture(host, params);
  EXPECT_EQ(nic_ring().apply(host, params, *record).error().code, ErrorCode::unsupported);
  EXPECT_EQ(host.state(), before);
}

TEST(NicRing, RoundingBackToWhatWasThereIsNoInjection) {
  FakeHost host;
  host.kernel.rings[kEth0].rx = 64;
  host.kernel.ring_multiple = 64;
  const Params params = with({{"rx", 50}});
  const auto record = nic_ring().capture(host, params);
  EXPECT_EQ(nic_ring().apply(host, params, *record).error().code, ErrorCode::unsupported);
}

TEST(NicRing, KeptSizesThatCountAsOurs) {
  EXPECT_TRUE(may_be_kept_for(64, 64));
  EXPECT_TRUE(may_be_kept_for(48, 1));
  EXPECT_TRUE(may_be_kept_for(128, 100));
  EXPECT_FALSE(may_be_kept_for(512, 64));
  EXPECT_FALSE(may_be_kept_for(129, 100));
  EXPECT_FALSE(may_be_kept_for(32, 64));
}

TEST(NicRingUndo, LeavesTheRespondersValueAndSaysSo) {
  FakeHost host;
  const Json record = apply(host, with({{"rx", 64}}));
  host.kernel.rings[kEth0].rx = 2048;
  EXPECT_EQ(nic_ring().undo(host, record), UndoOutcome::superseded);
  EXPECT_EQ(host.kernel.rings.at(kEth0).rx, 2048U);
  const auto verified = nic_ring().verify(host, record);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->differences,
            std::vector<std::string>{"'eth0': rx ring has 2048 slots, had 1024"});
}

TEST(NicRingUndo, RespondersWhoPutTheOldValueBackLeaveNothingToDo) {
  FakeHost host;
  const Json record = apply(host, with({{"rx", 64}}));
  host.kernel.rings[kEth0].rx = 1024;
  const auto calls = std::ranges::count(host.kernel.log, "ethtool.set_ring");
  EXPECT_EQ(nic_ring().undo(host, record), UndoOutcome::already_gone);
  EXPECT_EQ(std::ranges::count(host.kernel.log, "ethtool.set_ring"), calls)
      << "a needless change would take the link down once more";
}

TEST(NicRingUndo, RestoresTheRingThatIsOursThoughTheOtherWasSuperseded) {
  FakeHost host;
  const Json record = apply(host, with({{"rx", 64}, {"tx", 64}}));
  host.kernel.rings[kEth0].tx = 256;
  EXPECT_EQ(nic_ring().undo(host, record), UndoOutcome::superseded);
  EXPECT_EQ(host.kernel.rings.at(kEth0).rx, 1024U);
  EXPECT_EQ(host.kernel.rings.at(kEth0).tx, 256U);
}

TEST(NicRingUndo, RingThatWasNotAskedForIsNobodysBusiness) {
  FakeHost host;
  const Json record = apply(host, with({{"rx", 64}}));
  host.kernel.rings[kEth0].tx = 256;
  EXPECT_EQ(nic_ring().undo(host, record), UndoOutcome::restored);
  EXPECT_EQ(host.kernel.rings.at(kEth0).tx, 256U);
  EXPECT_TRUE(nic_ring().verify(host, record)->clean());
}

TEST(NicRingUndo, DriverThatDoesNotGoBackIsAnError) {
  FakeHost host;
  host.kernel.rings[kEth0].rx = 1000;
  const Json record = apply(host, with({{"rx", 64}}));
  host.kernel.ring_multiple = 64;  // 1000 becomes 1024
  const auto undone = nic_ring().undo(host, record);
  ASSERT_FALSE(undone);
  EXPECT_EQ(undone.error().code, ErrorCode::io_failed);
}

class ControlLink : public testing::Test {
 protected:
  void SetUp() override {
    const auto controller = kernel::parse_ip_address("192.0.2.1");
    ASSERT_TRUE(controller);
    host.peers = {{*controller, 7443}};
    host.kernel.routes[*controller] = kEth0;
  }
  FakeHost host;
};

TEST_F(ControlLink, IsRefusedUnlessAllowed) {
  const auto refused = nic_ring().capture(host, with({{"rx", 64}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_TRUE(nic_ring().capture(host, with({{"rx", 64}, {"allow-control-link", true}})));
}

TEST_F(ControlLink, IsSeenThroughVlanAndBond) {
  kernel::Link bond;
  bond.index = {10};
  kernel::Link vlan;
  vlan.index = {11};
  vlan.lower = bond.index;
  host.kernel.links.back().master = bond.index;
  host.kernel.links.push_back(bond);
  host.kernel.links.push_back(vlan);
  host.kernel.routes.begin()->second = vlan.index;
  EXPECT_EQ(nic_ring().capture(host, with({{"rx", 64}})).error().code, ErrorCode::refused);
}

TEST_F(ControlLink, AnotherInterfaceIsFree) {
  host.kernel.routes.begin()->second = {1};
  EXPECT_TRUE(nic_ring().capture(host, with({{"rx", 64}})));
  host.kernel.routes.clear();
  EXPECT_TRUE(nic_ring().capture(host, with({{"rx", 64}})));
}

/// From the 1024 slots that are there to 64, in 15 steps of 64.
struct Shrinking {
  explicit Shrinking(FakeHost& host) {
    const Ramp ramp{"rx", "1024", std::chrono::seconds(15), 15};
    start = *validate_ramp(nic_ring().schema(), Json{{"device", "eth0"}, {"rx", 64}}, ramp, "");
    record = *nic_ring().capture(host, peak);
    record["ramp"] = ramp_member(ramp, start, peak);
  }
  [[nodiscard]] Params at(int step) const { return ramped(start, peak, "rx", step, 15); }
  Params peak = with({{"rx", 64}});
  Params start;
  Json record;
};

TEST(NicRingRamp, BeginsAtWhatIsThereAndShrinksStepByStep) {
  FakeHost host;
  const Shrinking ramp(host);
  ASSERT_TRUE(nic_ring().apply(host, ramp.at(0), ramp.record));
  EXPECT_EQ(host.kernel.rings.at(kEth0).rx, 1024U);
  for (int step = 1; step <= 15; ++step) {
    const auto values = nic_ring().adjust(host, ramp.at(step), ramp.record);
    ASSERT_TRUE(values) << describe(values.error());
    EXPECT_EQ(values->at("rx_slots"), 1024 - 64 * step);
  }
  EXPECT_EQ(nic_ring().undo(host, ramp.record), UndoOutcome::restored);
  EXPECT_EQ(host.kernel.rings.at(kEth0).rx, 1024U);
}

TEST(NicRingRamp, ValueBetweenTwoStepsIsSomebodyElses) {
  FakeHost host;
  const Shrinking ramp(host);
  ASSERT_TRUE(nic_ring().apply(host, ramp.at(0), ramp.record));
  ASSERT_TRUE(nic_ring().adjust(host, ramp.at(8), ramp.record));
  host.kernel.rings.at(kEth0).rx = 1000;
  const auto adjusted = nic_ring().adjust(host, ramp.at(9), ramp.record);
  ASSERT_FALSE(adjusted);
  EXPECT_EQ(adjusted.error().code, ErrorCode::conflict);
  EXPECT_EQ(nic_ring().undo(host, ramp.record), UndoOutcome::superseded);
  EXPECT_EQ(host.kernel.rings.at(kEth0).rx, 1000U);
}

TEST(NicRingRamp, DriverThatRoundsEachStepIsStillRecognised) {
  FakeHost host;
  host.kernel.ring_multiple = 32;
  const Ramp ramp{"rx", "1000", std::chrono::seconds(7), 7};
  const Params peak = with({{"rx", 64}});
  const auto start =
      validate_ramp(nic_ring().schema(), Json{{"device", "eth0"}, {"rx", 64}}, ramp, "");
  Json record = *nic_ring().capture(host, peak);
  record["ramp"] = ramp_member(ramp, *start, peak);
  ASSERT_TRUE(nic_ring().apply(host, *start, record));
  for (int step = 1; step < 7; ++step) {
    ASSERT_TRUE(nic_ring().adjust(host, ramped(*start, peak, "rx", step, 7), record)) << step;
    Json copy = record;
    EXPECT_NE(nic_ring().undo(host, copy), UndoOutcome::superseded) << step;
    ASSERT_TRUE(nic_ring().apply(host, ramped(*start, peak, "rx", step, 7), record)) << step;
  }
}

TEST(NicRingRamp, DamagedRampInTheRecordIsCorrupt) {
  FakeHost host;
  const Shrinking ramp(host);
  ASSERT_TRUE(nic_ring().apply(host, ramp.at(3), ramp.record));
  std::vector<Json> damages{Json(1), Json::object(), Json{{"parameter", "rx"}, {"from", "x"}}};
  for (const Json& steps : {Json(0), Json(2'000'000'000), Json(1.7e23)}) {
    damages.push_back(ramp.record.at("ramp"));
    damages.back()["steps"] = steps;
  }
  for (const Json& damage : damages) {
    Json damaged = ramp.record;
    damaged["ramp"] = damage;
    const auto undone = nic_ring().undo(host, damaged);
    ASSERT_FALSE(undone) << damage.dump();
    EXPECT_EQ(undone.error().code, ErrorCode::corrupt);
  }
}

}  // namespace
}  // namespace firedrill::agent
