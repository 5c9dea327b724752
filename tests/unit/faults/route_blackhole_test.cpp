// route-blackhole beyond the contract.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/fault.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using kernel::Rule;
using test::FakeHost;
using testing::HasSubstr;

const Fault& blackhole() { return *find_fault("route-blackhole"); }

Params params(Json given) {
  auto valid = validate_params(blackhole().schema(), given, "");
  if (!valid) ADD_FAILURE() << describe(valid.error());
  return valid.value_or(Params{});
}

const Params kPlain = params({{"prefix", "10.77.2.0/24"}});

TEST(RouteBlackhole, WrongParametersSayWhere) {
  const auto pointer = [](Json given) {
    const auto checked = blackhole().check(params(std::move(given)));
    return checked ? std::string() : checked.error().pointer;
  };
  EXPECT_EQ(pointer({{"prefix", "10.0.0.1/8"}}), "/prefix");
  EXPECT_EQ(pointer({{"prefix", "0.0.0.0/0"}}), "/prefix");
  EXPECT_EQ(pointer({{"prefix", "10.0.0.0/8"}, {"from", "x"}}), "/from");
  EXPECT_EQ(pointer({{"prefix", "10.0.0.0/8"}, {"from", "fd00::/8"}}), "/from");
  EXPECT_EQ(pointer({{"prefix", "10.0.0.0/8"}, {"from", "10.1.0.0/16"}}), "");
}

TEST(RouteBlackhole, PrefixWithTheControllerIsRefusedEvenLater) {
  FakeHost host;
  const auto record = blackhole().capture(host, kPlain);
  ASSERT_TRUE(record);
  host.peers = {{*kernel::parse_ip_address("::ffff:10.77.2.9"), 7443}};
  const std::string before = host.state();
  const auto captured = blackhole().capture(host, kPlain);
  ASSERT_FALSE(captured);
  EXPECT_EQ(captured.error().code, ErrorCode::refused);
  EXPECT_THAT(captured.error().what, HasSubstr("10.77.2.9 port 7443"));
  EXPECT_EQ(blackhole().apply(host, kPlain, *record).error().code, ErrorCode::refused);
  EXPECT_EQ(host.state(), before);
}

TEST(RouteBlackhole, GoesAheadOfEveryRuleOfTheHostAndBehindTheLocalTable) {
  FakeHost host;
  EXPECT_EQ(blackhole().capture(host, kPlain)->at("priority"), 5100);
  Rule own;
  own.priority = 100;
  host.fake_routes.rule_list.push_back(own);
  EXPECT_EQ(blackhole().capture(host, kPlain)->at("priority"), 99);
  own.priority = 1;
  host.fake_routes.rule_list.push_back(own);
  const auto refused = blackhole().capture(host, kPlain);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::conflict);
}

TEST(RouteBlackhole, TwoAreUndoneOnTheirOwn) {
  FakeHost host;
  const std::string before = host.state();
  const Params other = params({{"prefix", "10.77.3.0/24"}, {"kind", "prohibit"}});
  const auto first = blackhole().capture(host, kPlain);
  const auto second = blackhole().capture(host, other);  // both before either is applied
  ASSERT_TRUE(blackhole().apply(host, kPlain, *first));
  ASSERT_TRUE(blackhole().apply(host, other, *second));
  EXPECT_EQ(blackhole().undo(host, *first), UndoOutcome::restored);
  EXPECT_FALSE(blackhole().verify(host, *second)->clean()) << "the second is still on";
  EXPECT_EQ(blackhole().undo(host, *second), UndoOutcome::restored);
  EXPECT_EQ(host.state(), before);
}

TEST(RouteBlackhole, RuleOfTheHostsThatLooksAlikeIsLeft) {
  FakeHost host;
  const auto record = blackhole().capture(host, kPlain);
  ASSERT_TRUE(blackhole().apply(host, kPlain, *record));
  Rule theirs = host.fake_routes.rule_list[1];
  theirs.protocol = 4;
  host.fake_routes.rule_list.push_back(theirs);
  EXPECT_EQ(blackhole().undo(host, *record), UndoOutcome::restored);
  EXPECT_EQ(host.fake_routes.rule_list.back(), theirs);
}

TEST(RouteBlackhole, WithoutPrivilegeOrIpv6ItSaysSo) {
  FakeHost host;
  host.fake_routes.privileged = false;
  EXPECT_THAT(blackhole().probe_support(host).reason, HasSubstr("CAP_NET_ADMIN"));
  host.fake_routes.has_ipv6 = false;
  EXPECT_EQ(blackhole().capture(host, params({{"prefix", "fd00::/8"}})).error().code,
            ErrorCode::unsupported);
}

TEST(RouteBlackhole, DamagedRuleInTheRecordIsCorrupt) {
  FakeHost host;
  const auto record = blackhole().capture(host, kPlain);
  for (const auto& [key, value] : {std::pair<const char*, Json>("prefix", "10.0.0.1/8"),
                                   {"kind", "lookup"},
                                   {"from", "x"},
                                   {"protocol", 256}}) {
    Json damaged = *record;
    damaged[key] = value;
    EXPECT_EQ(blackhole().undo(host, damaged).error().code, ErrorCode::corrupt) << key;
  }
}

}  // namespace
}  // namespace firedrill::agent
