// io-throttle: what it refuses and why, exact restoring, values that responders set meanwhile, and
// units of systemd.
#include "agent/faults/io_throttle.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using kernel::DeviceNumber;
using kernel::IoLimits;
using test::FakeHost;

constexpr DeviceNumber kData{253, 0};
constexpr std::uint64_t kMiB = 1 << 20;

const Fault& io_throttle() { return *find_fault("io-throttle"); }

Params valid(const Json& given) {
  const auto params = validate_params(io_throttle().schema(), given, "");
  if (!params) ADD_FAILURE() << describe(params.error());
  return params.value_or(Params{});
}

/// Of /db-1/etcd on its disk, unless `more` says otherwise.
Params with(Json more) {
  Json given{{"device", "/srv/db-1"}};
  if (!more.contains("pid") && !more.contains("unit")) given["cgroup"] = "db-1/etcd";
  given.update(more);
  return valid(given);
}

Json apply(FakeHost& host, const Params& params) {
  const auto record = io_throttle().capture(host, params);
  if (!record) {
    ADD_FAILURE() << describe(record.error());
    return {};
  }
  const auto values = io_throttle().apply(host, params, *record);
  if (!values) ADD_FAILURE() << describe(values.error());
  return *record;
}

IoLimits& limits(FakeHost& host) { return host.fake_cgroups.groups["/db-1/etcd"].limits[kData]; }

TEST(IoThrottleCheck, NeedsOneTargetAndALimit) {
  EXPECT_FALSE(io_throttle().check(with(Json::object())));
  EXPECT_FALSE(io_throttle().check(with({{"pid", 42}, {"cgroup", "a"}, {"read-iops", 20}})));
  EXPECT_FALSE(io_throttle().check(valid({{"device", "x"}, {"read-iops", 20}})));
  EXPECT_TRUE(io_throttle().check(with({{"read-iops", 20}})));
  EXPECT_EQ(io_throttle().check(with({{"unit", "etcd"}, {"read-iops", 20}})).error().pointer,
            "/unit");
}

TEST(IoThrottleCheck, ValuesThatTheKernelWouldRefuseAreRefusedFirst) {
  for (const Json& more : {Json{{"write-iops", 1}}, Json{{"read-iops", 4294967295}},
                           Json{{"read-rate", "1B"}}, Json{{"write-rate", "0B"}}}) {
    Json given{{"device", "x"}, {"cgroup", "y"}};
    given.update(more);
    EXPECT_FALSE(validate_params(io_throttle().schema(), given, "")) << more.dump();
  }
}

TEST(IoThrottle, SetsWhatIsAskedAndLeavesTheRest) {
  FakeHost host;
  limits(host).read_bytes = 7 * kMiB;
  const std::string before = host.state();
  const Json record = apply(host, with({{"write-rate", "1MiB"}, {"read-iops", 20}}));
  EXPECT_EQ(limits(host), (IoLimits{7 * kMiB, kMiB, 20, {}}));
  EXPECT_EQ(io_throttle().undo(host, record), UndoOutcome::restored);
  EXPECT_EQ(host.state(), before);
}

TEST(IoThrottle, EarlierLimitComesBackExactly) {
  FakeHost host;
  limits(host) = {1000, 2000, 30, 40};
  const std::string before = host.state();
  const Json record = apply(host, with({{"write-rate", "1MiB"}, {"write-iops", 2}}));
  EXPECT_EQ(io_throttle().undo(host, record), UndoOutcome::restored);
  EXPECT_EQ(host.state(), before);
}

TEST(IoThrottle, ProcessMeansItsCgroup) {
  FakeHost host;
  apply(host, with({{"pid", 42}, {"write-rate", "1MiB"}}));
  EXPECT_EQ(limits(host).write_bytes, kMiB);
}

TEST(IoThrottle, PartitionIsLimitedAsItsDisk) {
  FakeHost host;
  apply(host, with({{"device", "/dev/sda1"}, {"write-rate", "1MiB"}}));
  EXPECT_TRUE(host.fake_cgroups.groups["/db-1/etcd"].limits.contains({8, 0}));
}

void expect_refused(FakeHost& host, Json more, ErrorCode code, std::string_view words) {
  const std::string before = host.state();
  const auto refused = io_throttle().capture(host, with(std::move(more)));
  ASSERT_FALSE(refused) << words;
  EXPECT_EQ(refused.error().code, code) << describe(refused.error());
  EXPECT_NE(refused.error().what.find(words), std::string::npos) << describe(refused.error());
  EXPECT_EQ(host.state(), before);
}

TEST(IoThrottleRefuses, CgroupsWithoutTheIoController) {
  FakeHost host;
  expect_refused(host, {{"cgroup", "db-1/bare"}, {"read-iops", 20}}, ErrorCode::unsupported,
                 "cgroup.subtree_control");
}

TEST(IoThrottleRefuses, TheRootAndWhateverHoldsWhatMustLive) {
  FakeHost host;
  expect_refused(host, {{"cgroup", "/"}, {"read-iops", 20}}, ErrorCode::refused, "root cgroup");
  for (const char* member :
       {"process 1 (init)", "process 77 (sshd)", "process 9 (firedrill-agent)"}) {
    host.fake_cgroups.groups["/db-1/etcd"].protects = member;
    expect_refused(host, {{"read-iops", 20}}, ErrorCode::refused, member);
    expect_refused(host, {{"pid", 42}, {"read-iops", 20}}, ErrorCode::refused, member);
  }
}

TEST(IoThrottleRefuses, WhatIsNotThere) {
  FakeHost host;
  expect_refused(host, {{"cgroup", "nosuch"}, {"read-iops", 20}}, ErrorCode::not_found, "nosuch");
  expect_refused(host, {{"pid", 7}, {"read-iops", 20}}, ErrorCode::not_found, "process");
  expect_refused(host, {{"device", "nosuch"}, {"read-iops", 20}}, ErrorCode::not_found, "nosuch");
}

TEST(IoThrottleRefuses, AChangeThatChangesNothing) {
  FakeHost host;
  limits(host).read_operations = 20;
  expect_refused(host, {{"read-iops", 20}}, ErrorCode::invalid_input, "has these limits already");
}

TEST(IoThrottleRefuses, ASecondLimitOfOursUnderWhateverName) {
  FakeHost host;
  apply(host, with({{"read-iops", 20}}));
  expect_refused(host, {{"pid", 42}, {"write-iops", 20}}, ErrorCode::conflict, "already");
}

TEST(IoThrottleApply, LimitThatChangedSincePrepareIsNotTouched) {
  FakeHost host;
  const Params params = with({{"read-iops", 20}});
  const auto record = io_throttle().capture(host, params);
  limits(host).read_operations = 500;
  const std::string before = host.state();
  EXPECT_EQ(io_throttle().apply(host, params, *record).error().code, ErrorCode::conflict);
  EXPECT_EQ(host.state(), before);
}

TEST(IoThrottleUndo, LeavesTheRespondersValueAndSaysSo) {
  FakeHost host;
  const Json record = apply(host, with({{"write-rate", "1MiB"}, {"write-iops", 20}}));
  limits(host).write_bytes = 50 * kMiB;
  EXPECT_EQ(io_throttle().undo(host, record), UndoOutcome::superseded);
  EXPECT_EQ(limits(host), (IoLimits{{}, 50 * kMiB, {}, {}}));
  EXPECT_TRUE(host.fake_cgroups.groups["/db-1/etcd"].marks.empty());
  EXPECT_FALSE(io_throttle().verify(host, record)->clean());
}

TEST(IoThrottleUndo, LimitThatRespondersLiftedLeavesNothingToPutBack) {
  FakeHost host;
  const std::string before = host.state();
  const Json record = apply(host, with({{"write-rate", "1MiB"}}));
  host.fake_cgroups.groups["/db-1/etcd"].limits.clear();
  ASSERT_TRUE(io_throttle().undo(host, record));
  EXPECT_EQ(host.state(), before);
  EXPECT_EQ(std::ranges::count(host.kernel.log, "cgroups.set_io_limits"), 1);
}

TEST(IoThrottleUndo, CgroupMadeAnewUnderTheSameNameIsNotTouched) {
  FakeHost host;
  const Json record = apply(host, with({{"write-rate", "1MiB"}}));
  host.fake_cgroups.groups["/db-1/etcd"].cgroup.inode = 999;
  const std::string before = host.state();
  EXPECT_EQ(io_throttle().undo(host, record), UndoOutcome::already_gone);
  EXPECT_EQ(host.state(), before);
  host.fake_cgroups.groups.erase("/db-1/etcd");
  EXPECT_EQ(io_throttle().undo(host, record), UndoOutcome::already_gone);
  EXPECT_TRUE(io_throttle().verify(host, record)->clean());
}

TEST(IoThrottleAdjust, UndoKnowsEveryStepOfARampAsOursWhereverItBreaks) {
  for (int fail_at = 0;; ++fail_at) {
    ASSERT_LT(fail_at, 50);
    for (const bool after : {false, true}) {
      FakeHost host;
      limits(host).write_bytes = 900 * kMiB;
      const std::string before = host.state();
      const Json record = apply(host, with({{"write-rate", "64MiB"}}));
      ASSERT_TRUE(io_throttle().adjust(host, with({{"write-rate", "8MiB"}}), record));
      EXPECT_EQ(limits(host).write_bytes, 8 * kMiB);
      host.fail_call(fail_at, after);
      const bool done =
          io_throttle().adjust(host, with({{"write-rate", "2MiB"}}), record).has_value();
      host.heal();
      EXPECT_EQ(io_throttle().undo(host, record), UndoOutcome::restored);
      EXPECT_EQ(host.state(), before) << "call " << fail_at;
      if (done && after) return;
    }
  }
}

TEST(IoThrottleAdjust, StopsWhereRespondersHaveTakenOver) {
  FakeHost host;
  const Json record = apply(host, with({{"write-rate", "64MiB"}}));
  limits(host).write_bytes = 500 * kMiB;
  EXPECT_EQ(io_throttle().adjust(host, with({{"write-rate", "8MiB"}}), record).error().code,
            ErrorCode::conflict);
  EXPECT_EQ(limits(host).write_bytes, 500 * kMiB);
}

TEST(IoThrottleVersionOne, WorksWithoutNotesButDoesNotRamp) {
  FakeHost host;
  host.fake_cgroups.keeps_marks = false;
  const std::string before = host.state();
  const Json record = apply(host, with({{"write-rate", "64MiB"}}));
  EXPECT_FALSE(io_throttle().adjust(host, with({{"write-rate", "8MiB"}}), record));
  EXPECT_EQ(limits(host).write_bytes, 64 * kMiB);
  EXPECT_EQ(io_throttle().undo(host, record), UndoOutcome::restored);
  EXPECT_EQ(host.state(), before);
}

class IoThrottleUnit : public testing::Test {
 protected:
  void SetUp() override { host.fake_cgroups.systemd = true; }
  test::FakeCgroups::Unit& unit() { return host.fake_cgroups.units["etcd.service"]; }
  FakeHost host;
  const Params params = with({{"unit", "etcd.service"}, {"write-rate", "1MiB"}});
};

TEST_F(IoThrottleUnit, GoesThroughSystemdToTheDiskBelow) {
  apply(host, params);
  EXPECT_EQ(unit().limits.at("/dev/loop0").write_bytes, kMiB);
  EXPECT_EQ(std::ranges::count(host.kernel.log, "cgroups.set_io_limits"), 0);
}

TEST_F(IoThrottleUnit, DropInsComeBackOrGo) {
  for (const std::optional<std::string>& earlier :
       {std::optional<std::string>{}, std::optional<std::string>{"[Service]\nIOWrite…=/dev/x 5\n"},
        std::optional<std::string>{""}}) {
    unit().drop_ins[1] = earlier;
    const std::string before = host.state();
    const Json record = apply(host, params);
    EXPECT_NE(host.state(), before);
    EXPECT_EQ(io_throttle().undo(host, record), UndoOutcome::restored);
    EXPECT_EQ(host.state(), before);
    EXPECT_TRUE(io_throttle().verify(host, record)->clean());
  }
}

TEST_F(IoThrottleUnit, UndoCompletesWhereverItWasInterrupted) {
  for (int fail_at = 0;; ++fail_at) {
    ASSERT_LT(fail_at, 50);
    const std::string before = host.state();
    const Json record = apply(host, params);
    host.fail_call(fail_at, true);
    const bool done = io_throttle().undo(host, record).has_value();
    host.heal();
    ASSERT_TRUE(io_throttle().undo(host, record));
    ASSERT_EQ(host.state(), before) << "call " << fail_at;
    if (done) return;
  }
}

TEST_F(IoThrottleUnit, RestartedUnitIsStillUndone) {
  const std::string before = host.state();
  const Json record = apply(host, params);
  host.fake_cgroups.groups["/system.slice/etcd.service"].cgroup.inode = 777;
  EXPECT_EQ(io_throttle().undo(host, record), UndoOutcome::restored);
  host.fake_cgroups.groups["/system.slice/etcd.service"].cgroup.inode = 5;
  EXPECT_EQ(host.state(), before);
}

TEST_F(IoThrottleUnit, IsRefusedWhereSystemdDoesNotRunOrTheUnitDoesNot) {
  unit().cgroup.clear();
  expect_refused(host, {{"unit", "etcd.service"}, {"read-iops", 20}}, ErrorCode::refused,
                 "start it");
  expect_refused(host, {{"unit", "no.service"}, {"read-iops", 20}}, ErrorCode::not_found,
                 "no.service");
  host.fake_cgroups.systemd = false;
  expect_refused(host, {{"unit", "etcd.service"}, {"read-iops", 20}}, ErrorCode::unsupported,
                 "systemd does not run here");
}

TEST_F(IoThrottleUnit, ProtectsSshdByItsUnitToo) {
  host.fake_cgroups.groups["/system.slice/etcd.service"].protects = "process 77 (sshd)";
  expect_refused(host, {{"unit", "etcd.service"}, {"read-iops", 20}}, ErrorCode::refused, "sshd");
}

TEST(IoMax, ParsesOneDevicesLine) {
  const std::string file =
      "8:0 rbps=max wbps=1048576 riops=max wiops=20\n8:16 rbps=5 wbps=max riops=max wiops=max\n";
  EXPECT_EQ(kernel::parse_io_max(file, {8, 0}).value(), (IoLimits{{}, kMiB, {}, 20}));
  EXPECT_EQ(kernel::parse_io_max(file, {8, 16}).value(), (IoLimits{5, {}, {}, {}}));
  EXPECT_EQ(kernel::parse_io_max(file, {8, 1}).value(), IoLimits{});
  EXPECT_FALSE(kernel::parse_io_max("8:0 rbps=many\n", {8, 0}));
  EXPECT_EQ(to_string(IoLimits{{}, kMiB, {}, 20}), "rbps=max wbps=1048576 riops=max wiops=20");
}

}  // namespace
}  // namespace firedrill::agent
