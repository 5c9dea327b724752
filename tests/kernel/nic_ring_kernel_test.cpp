// nic-ring against a real driver: FIREDRILL_TEST_NIC names a card that may be disturbed.
#include <cstdlib>

#include "agent/kernel/facts.hpp"
#include "tests/kernel/network_lab.hpp"

namespace firedrill::agent::test {
namespace {

const Fault& nic_ring() { return *find_fault("nic-ring"); }

class NicRingKernel : public testing::Test {
 protected:
  void SetUp() override {
    const char* name = std::getenv("FIREDRILL_TEST_NIC");
    if (name == nullptr) GTEST_SKIP() << "FIREDRILL_TEST_NIC names no card";
    device_ = name;
    auto host = kernel::open_linux_host({});
    ASSERT_TRUE(host) << describe(host.error());
    host_ = std::move(*host);
  }

  Params params(Json given) {
    given.emplace("device", device_);
    auto valid = validate_params(nic_ring().schema(), given, "");
    if (!valid) ADD_FAILURE() << describe(valid.error());
    return valid.value_or(Params{});
  }

  std::string device_;
  std::unique_ptr<Host> host_;
};

TEST_F(NicRingKernel, ShrinksReadsBackAndRestoresExactly) {
  const auto before = kernel::read_ring(device_);
  ASSERT_TRUE(before) << describe(before.error());
  const Params asked = params({{"rx", 64}});
  const auto record = nic_ring().capture(*host_, asked);
  ASSERT_TRUE(record) << describe(record.error());
  const auto values = nic_ring().apply(*host_, asked, *record);
  ASSERT_TRUE(values) << describe(values.error());
  const auto during = kernel::read_ring(device_);
  EXPECT_EQ(values->at("rx_slots"), during->rx);
  EXPECT_LE(during->rx, 64U);
  EXPECT_FALSE(nic_ring().verify(*host_, *record)->clean());

  EXPECT_EQ(nic_ring().undo(*host_, *record), UndoOutcome::restored);
  EXPECT_EQ(nic_ring().undo(*host_, *record), UndoOutcome::already_gone);
  EXPECT_TRUE(nic_ring().verify(*host_, *record)->clean());
  EXPECT_EQ(*kernel::read_ring(device_), *before);
}

TEST_F(NicRingKernel, RespondersValueIsLeft) {
  const auto before = kernel::read_ring(device_);
  ASSERT_TRUE(before);
  const Params asked = params({{"rx", 64}});
  const auto record = nic_ring().capture(*host_, asked);
  ASSERT_TRUE(nic_ring().apply(*host_, asked, *record));
  run("ethtool -G " + device_ + " rx 512");
  EXPECT_EQ(nic_ring().undo(*host_, *record), UndoOutcome::superseded);
  EXPECT_EQ(kernel::read_ring(device_)->rx, 512U);
  run("ethtool -G " + device_ + " rx " + std::to_string(before->rx));
}

TEST_F(NicRingKernel, MoreThanTheMaximumIsRefusedBeforeAnythingChanges) {
  const auto before = kernel::read_ring(device_);
  ASSERT_TRUE(before);
  const auto refused = nic_ring().capture(*host_, params({{"rx", before->rx_max + 1}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().pointer, "/rx");
}

TEST_F(NicRingKernel, DriversCountersAreReadByName) {
  const auto counters = kernel::read_nic_counters(device_);
  ASSERT_TRUE(counters) << describe(counters.error());
  EXPECT_TRUE(counters->contains("dev.rx_drop"));
  EXPECT_GT(counters->size(), 16U) << "the driver's own are missing";
}

class NicRingVirtual : public NetworkLab {};

TEST_F(NicRingVirtual, VethHasNoRingsAndSaysSo) {
  const auto host = open_host();
  const auto refused = nic_ring().capture(*host, params(nic_ring(), {{"rx", 64}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unsupported);
  const Support support = nic_ring().probe_support(*host);
  EXPECT_FALSE(support.supported) << "only lo and veth are here";
}

}  // namespace
}  // namespace firedrill::agent::test
