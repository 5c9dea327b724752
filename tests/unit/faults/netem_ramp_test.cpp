// netem that changes while it is on, and how its interfaces go.
#include <algorithm>

#include <gtest/gtest.h>

#include "agent/fault.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using test::FakeHost;

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

/// Captured and applied.
struct Lane {
  Lane(FakeHost& host, const Params& params) {
    const auto captured = netem().capture(host, params);
    if (captured) record = *captured;
    else ADD_FAILURE() << describe(captured.error());
    const auto applied = netem().apply(host, params, record);
    if (!applied) ADD_FAILURE() << describe(applied.error());
  }
  Json record;
};

TEST(NetemRamp, MayStartFromNothingButNotFromNonsense) {
  const Params nothing = params_of({{"device", "eth0"}, {"loss", "0%"}});
  EXPECT_FALSE(netem().check(nothing));
  EXPECT_TRUE(netem().check_step(nothing));
  EXPECT_FALSE(
      netem().check_step(params_of({{"device", "eth0"}, {"delay", "1ms"}, {"jitter", "2ms"}})));
}

TEST(NetemRamp, ChangesTheLaneInPlaceAndReadsBack) {
  FakeHost host;
  const Lane lane(host, with({{"direction", "both"}}));
  const auto operations = host.kernel.log.size();
  const auto values =
      netem().adjust(host, with({{"direction", "both"}, {"delay", "50ms"}}), lane.record);
  ASSERT_TRUE(values) << describe(values.error());
  EXPECT_EQ(values->at("netem"), "delay 50ms limit 100000");
  for (std::size_t i = operations; i < host.kernel.log.size(); ++i)
    EXPECT_TRUE(host.kernel.log[i] != "network.add_filter" &&
                host.kernel.log[i] != "network.delete_link" &&
                host.kernel.log[i] != "network.create_ifb")
        << host.kernel.log[i];
  EXPECT_EQ(std::ranges::count(host.kernel.log, "network.change_netem"), 2);
}

TEST(NetemRamp, KernelThatKeepsLessThanAskedIsNoSuccess) {
  FakeHost host;
  const Lane lane(host, with());
  host.kernel.forgets_loss = true;
  const auto adjusted = netem().adjust(host, with({{"loss", "5%"}}), lane.record);
  ASSERT_FALSE(adjusted);
  EXPECT_EQ(adjusted.error().code, ErrorCode::unsupported);
}

TEST(NetemRamp, LaneThatSomebodyRemovedIsNotRebuilt) {
  FakeHost host;
  const Lane lane(host, with());
  ASSERT_TRUE(netem().undo(host, lane.record));
  const std::string before = host.state();
  const auto adjusted = netem().adjust(host, with(), lane.record);
  ASSERT_FALSE(adjusted);
  EXPECT_EQ(adjusted.error().code, ErrorCode::conflict);
  EXPECT_EQ(host.state(), before);
}

TEST(NetemUndo, AnInterfaceThatSomebodyPutIntoTheLanesGroupStays) {
  FakeHost host;
  const Lane on(host, with({{"direction", "both"}}));
  kernel::Link theirs;
  theirs.index = {60};
  theirs.name = "theirs";
  theirs.group = host.kernel.links.back().group;
  ASSERT_NE(theirs.group, 0U);
  host.kernel.links.push_back(theirs);
  EXPECT_EQ(netem().undo(host, on.record), UndoOutcome::restored);
  EXPECT_EQ(std::ranges::count(host.kernel.log, "network.delete_link_group"), 0);
  EXPECT_EQ(host.kernel.links.back().name, "theirs");
  EXPECT_TRUE(netem().verify(host, on.record)->clean());
}

TEST(NetemUndo, IfbsOfAnAgentThatKnewNoGroupsGoOneByOne) {
  FakeHost host;
  const Lane on(host, with({{"direction", "both"}}));
  for (kernel::Link& link : host.kernel.links) link.group = 0;
  EXPECT_EQ(netem().undo(host, on.record), UndoOutcome::restored);
  EXPECT_EQ(std::ranges::count(host.kernel.log, "network.delete_link"), 2);
  EXPECT_TRUE(netem().verify(host, on.record)->clean());
}

}  // namespace
}  // namespace firedrill::agent
