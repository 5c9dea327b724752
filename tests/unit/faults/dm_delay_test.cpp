// dm-delay: what it refuses and why, one file's sectors, every half-done state that a crash leaves,
// and tables that responders loaded meanwhile.
#include "agent/faults/dm_delay.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using kernel::DeviceNumber;
using kernel::DmState;
using kernel::DmTable;
using test::FakeHost;

constexpr DeviceNumber kData{253, 0};

const Fault& dm_delay() { return *find_fault("dm-delay"); }

Params with(Json more) {
  Json given{{"device", "db-1-data"}};
  given.update(more);
  const auto params = validate_params(dm_delay().schema(), given, "");
  if (!params) ADD_FAILURE() << describe(params.error());
  return params.value_or(Params{});
}

struct Applied {
  Params params;
  Json record;
  DmTable before;
  DmTable during;
};

Applied apply(FakeHost& host, Json more) {
  Applied out{with(std::move(more)), {}, host.fake_disks.mapper[kData].live, {}};
  const auto record = dm_delay().capture(host, out.params);
  if (!record) {
    ADD_FAILURE() << describe(record.error());
    return out;
  }
  out.record = *record;
  const auto values = dm_delay().apply(host, out.params, *record);
  if (!values) ADD_FAILURE() << describe(values.error());
  out.during = host.fake_disks.mapper[kData].live;
  return out;
}

TEST(DmDelayCheck, NeedsADelayInWholeMilliseconds) {
  EXPECT_FALSE(dm_delay().check(with(Json::object())));
  EXPECT_FALSE(dm_delay().check(with({{"write", "0ms"}})));
  EXPECT_EQ(dm_delay().check(with({{"write", "1500us"}})).error().pointer, "/write");
  EXPECT_TRUE(dm_delay().check(with({{"read", "0ms"}, {"flush", "1ms"}})));
  EXPECT_FALSE(validate_params(dm_delay().schema(), {{"device", "x"}, {"read", "61s"}}, ""));
}

TEST(DmDelayCheck, FilesAreAbsolute) {
  EXPECT_EQ(dm_delay().check(with({{"read", "5ms"}, {"files", {"/a", "b"}}})).error().pointer,
            "/files/1");
  EXPECT_TRUE(dm_delay().check(with({{"read", "5ms"}, {"files", "/a"}})));
}

TEST(DmDelay, ThreeKindsOfDelayAreApart) {
  FakeHost host;
  const Applied on = apply(host, {{"read", "1ms"}, {"flush", "1s"}});
  ASSERT_EQ(on.during.size(), 2U);
  EXPECT_EQ(on.during[0].params, "7:0 2048 1 7:0 2048 0 7:0 2048 1000");
  EXPECT_EQ(on.during[1].params, "7:0 8192 1 7:0 8192 0 7:0 8192 1000");
}

TEST(DmDelay, DeviceIsFoundByNamePathAndMountPoint) {
  for (const char* name : {"db-1-data", "/dev/mapper/db-1-data", "/dev/dm-0", "/srv/db-1"}) {
    FakeHost host;
    EXPECT_EQ(apply(host, {{"device", name}, {"write", "5ms"}}).record.at("minor"), 0) << name;
  }
}

TEST(DmDelay, OnlyTheFilesSectorsAreSlow) {
  FakeHost host;
  const Applied on = apply(host, {{"write", "50ms"}, {"files", "/srv/db-1/wal"}});
  ASSERT_EQ(on.during.size(), 4U);
  EXPECT_EQ(to_string(on.during[1]), "100 50 delay 7:0 2148 0 7:0 2148 50 7:0 2148 0");
  EXPECT_EQ(to_string(on.during[2]), "150 850 linear 7:0 2198");
  EXPECT_EQ(dm_delay().undo(host, on.record), UndoOutcome::restored);
  EXPECT_EQ(host.fake_disks.mapper[kData].live, on.before);
}

TEST(DmDelay, SwapsInOneStepWithNothingThatCanFailAfterIt) {
  FakeHost host;
  apply(host, {{"write", "5ms"}});
  const auto& log = host.kernel.log;
  const auto resume = std::ranges::find(log, "disks.resume");
  ASSERT_NE(resume, log.end());
  EXPECT_EQ(std::count(log.begin(), resume, "disks.load"), 1);
  EXPECT_EQ(std::vector<std::string>(resume + 1, log.end()),
            std::vector<std::string>{"disks.state"});
}

void expect_refused(FakeHost& host, Json more, ErrorCode code, std::string_view words) {
  const std::string before = host.state();
  const auto refused = dm_delay().capture(host, with(std::move(more)));
  ASSERT_FALSE(refused) << words;
  EXPECT_EQ(refused.error().code, code) << describe(refused.error());
  EXPECT_NE(refused.error().what.find(words), std::string::npos) << describe(refused.error());
  EXPECT_EQ(host.state(), before);
}

TEST(DmDelayRefuses, WhatIsNotDeviceMapperAndNamesTheOtherFault) {
  FakeHost host;
  expect_refused(host, {{"device", "/dev/sda1"}, {"read", "5ms"}}, ErrorCode::unsupported,
                 "io-throttle");
  expect_refused(host, {{"device", "nosuch"}, {"read", "5ms"}}, ErrorCode::not_found, "nosuch");
}

TEST(DmDelayRefuses, DevicesThatCarryTheRootOrTheJournal) {
  for (const char* what : {"the root file system", "the agent's own directory '/var/lib/firedrill'",
                           "swap space '/dev/dm-0'"}) {
    FakeHost host;
    host.fake_disks.places.push_back({what, {{7, 1}, kData}});
    expect_refused(host, {{"read", "5ms"}}, ErrorCode::refused, what);
  }
}

TEST(DmDelayRefuses, TargetsOtherThanLinear) {
  FakeHost host;
  host.fake_disks.mapper[kData].live[1] = {1000, 1000, "crypt", "aes 00 0 7:0 8192"};
  expect_refused(host, {{"read", "5ms"}}, ErrorCode::unsupported, "'crypt' cannot be carried over");
}

TEST(DmDelayRefuses, DevicesThatSomebodyIsChanging) {
  FakeHost host;
  host.fake_disks.mapper[kData].suspended = true;
  expect_refused(host, {{"read", "5ms"}}, ErrorCode::conflict, "is suspended");
  host.fake_disks.mapper[kData].suspended = false;
  host.fake_disks.mapper[kData].inactive = DmTable{{0, 2000, "error", ""}};
  expect_refused(host, {{"read", "5ms"}}, ErrorCode::conflict, "has a table loaded");
}

TEST(DmDelayRefuses, ReadOnlyDevices) {
  FakeHost host;
  host.fake_disks.mapper[kData].read_only = true;
  expect_refused(host, {{"read", "5ms"}}, ErrorCode::unsupported, "read-only");
}

TEST(DmDelayRefuses, ASecondDelayUnderWhateverName) {
  FakeHost host;
  apply(host, {{"write", "5ms"}});
  expect_refused(host, {{"device", "/srv/db-1"}, {"read", "5ms"}}, ErrorCode::conflict,
                 "carries a delay already");
  EXPECT_EQ(dm_delay().exclusive_resources(with({{"read", "5ms"}})),
            std::vector<std::string>{"dm-delay:db-1-data"});
}

TEST(DmDelayRefuses, FilesElsewhereOrWithoutSectors) {
  FakeHost host;
  expect_refused(host, {{"read", "5ms"}, {"files", "/etc/passwd"}}, ErrorCode::invalid_input,
                 "lies on device 8:1");
  expect_refused(host, {{"read", "5ms"}, {"files", "/srv/db-1/empty"}}, ErrorCode::invalid_input,
                 "no sectors yet");
  expect_refused(host, {{"read", "5ms"}, {"files", "/srv/db-1/nosuch"}}, ErrorCode::not_found,
                 "nosuch");
  auto& wal = host.fake_disks.files["/srv/db-1/wal"].ranges;
  wal.clear();
  for (std::uint64_t i = 0; i < 5000; ++i) wal.push_back({i * 2, 1});
  expect_refused(host, {{"read", "5ms"}, {"files", "/srv/db-1/wal"}}, ErrorCode::invalid_input,
                 "5000 pieces");
}

TEST(DmDelaySupport, NeedsTheTarget) {
  FakeHost host;
  host.fake_disks.has_delay = false;
  const Support support = dm_delay().probe_support(host);
  EXPECT_FALSE(support.supported);
  EXPECT_NE(support.reason.find("CONFIG_DM_DELAY"), std::string::npos);
}

TEST(DmDelayApply, TableThatChangedSincePrepareIsNotTouched) {
  FakeHost host;
  const Params params = with({{"read", "5ms"}});
  const auto record = dm_delay().capture(host, params);
  host.fake_disks.mapper[kData].live[0].params = "7:0 4096";
  const std::string before = host.state();
  EXPECT_EQ(dm_delay().apply(host, params, *record).error().code, ErrorCode::conflict);
  EXPECT_EQ(host.state(), before);
}

TEST(DmDelayApply, TableThatTheKernelTakesOtherwiseIsNeverSwappedIn) {
  FakeHost host;
  host.fake_disks.rewrites_tables = true;
  const std::string before = host.state();
  const Params params = with({{"read", "5ms"}});
  const auto record = dm_delay().capture(host, params);
  EXPECT_EQ(dm_delay().apply(host, params, *record).error().code, ErrorCode::io_failed);
  EXPECT_EQ(host.state(), before);
  EXPECT_EQ(std::ranges::count(host.kernel.log, "disks.resume"), 0);
}

TEST(DmDelayApply, DeviceThatASwapLeftSuspendedRunsAgainBeforeApplyReturns) {
  FakeHost host;
  host.fake_disks.swap_fails = true;
  const std::string before = host.state();
  const Params params = with({{"read", "5ms"}});
  const auto record = dm_delay().capture(host, params);
  EXPECT_FALSE(dm_delay().apply(host, params, *record));
  EXPECT_EQ(host.state(), before);
}

TEST(DmDelayAdjust, MovesTheDelayAndUndoStillKnowsItAsOurs) {
  FakeHost host;
  const Applied on = apply(host, {{"flush", "10ms"}});
  const auto values = dm_delay().adjust(host, with({{"flush", "70ms"}}), on.record);
  ASSERT_TRUE(values) << describe(values.error());
  EXPECT_EQ(values->at("flush_ms"), 70);
  EXPECT_NE(host.fake_disks.mapper[kData].live, on.during);
  EXPECT_EQ(dm_delay().undo(host, on.record), UndoOutcome::restored);
  EXPECT_EQ(host.fake_disks.mapper[kData].live, on.before);
  EXPECT_FALSE(dm_delay().adjust(host, with({{"flush", "90ms"}}), on.record));
}

/// Every state between "nothing done" and "undone", of live table, loaded table and suspension.
TEST(DmDelayUndo, RestoresFromEveryHalfDoneState) {
  FakeHost reference;
  const Applied on = apply(reference, {{"write", "5ms"}});
  for (const DmTable& live : {on.before, on.during})
    for (const std::optional<DmTable>& loaded :
         {std::optional<DmTable>{}, std::optional(on.before), std::optional(on.during)})
      for (const bool suspended : {false, true}) {
        FakeHost host;
        const std::string before = host.state();
        DmState& state = host.fake_disks.mapper[kData];
        state.live = live;
        state.inactive = loaded;
        state.suspended = suspended;
        const bool untouched = host.state() == before;
        EXPECT_EQ(dm_delay().undo(host, on.record),
                  untouched ? UndoOutcome::already_gone : UndoOutcome::restored);
        EXPECT_EQ(host.state(), before);
        EXPECT_TRUE(dm_delay().verify(host, on.record)->clean());
        EXPECT_EQ(dm_delay().undo(host, on.record), UndoOutcome::already_gone);
      }
}

TEST(DmDelayUndo, NeverSwapsAFaultTableInByResumingADeviceThatHasItLoaded) {
  FakeHost host;
  const Applied on = apply(host, {{"write", "5ms"}});
  DmState& state = host.fake_disks.mapper[kData];
  state = {state.name, state.uuid, true, false, on.before, on.during};
  host.kernel.log.clear();
  ASSERT_TRUE(dm_delay().undo(host, on.record));
  const auto& log = host.kernel.log;
  EXPECT_LT(std::ranges::find(log, "disks.clear"), std::ranges::find(log, "disks.resume"));
}

TEST(DmDelayUndo, LeavesTheRespondersTableAndSaysSo) {
  FakeHost host;
  const Applied on = apply(host, {{"write", "5ms"}});
  host.fake_disks.mapper[kData].live = {{0, 2000, "linear", "7:7 0"}};
  const std::string before = host.state();
  EXPECT_EQ(dm_delay().undo(host, on.record), UndoOutcome::superseded);
  EXPECT_EQ(host.state(), before);
  EXPECT_FALSE(dm_delay().verify(host, on.record)->clean());
}

TEST(DmDelayUndo, RespondersWhoPutTheOldTableBackLeaveNothingToDo) {
  FakeHost host;
  const Applied on = apply(host, {{"write", "5ms"}});
  host.fake_disks.mapper[kData].live = on.before;
  EXPECT_EQ(dm_delay().undo(host, on.record), UndoOutcome::already_gone);
}

TEST(DmDelayUndo, DoesNotReplaceATableThatSomebodyElseHasJustLoaded) {
  FakeHost host;
  const Applied on = apply(host, {{"write", "5ms"}});
  host.fake_disks.mapper[kData].inactive = DmTable{{0, 2000, "linear", "7:7 0"}};
  const std::string before = host.state();
  EXPECT_EQ(dm_delay().undo(host, on.record).error().code, ErrorCode::conflict);
  EXPECT_EQ(host.state(), before);
}

TEST(DmDelayUndo, AnotherDeviceOfThatNumberIsNotTouched) {
  FakeHost host;
  const Applied on = apply(host, {{"write", "5ms"}});
  host.fake_disks.mapper[kData] = {"other", "", true, false, {{0, 8, "linear", "7:9 0"}}, {}};
  const std::string before = host.state();
  EXPECT_EQ(dm_delay().undo(host, on.record), UndoOutcome::already_gone);
  EXPECT_TRUE(dm_delay().verify(host, on.record)->clean());
  EXPECT_EQ(host.state(), before);
  host.fake_disks.mapper.clear();
  EXPECT_EQ(dm_delay().undo(host, on.record), UndoOutcome::already_gone);
}

TEST(DmDelayUndo, ARenamedDeviceIsStillTheSame) {
  FakeHost host;
  const Applied on = apply(host, {{"write", "5ms"}});
  host.fake_disks.mapper[kData].name = "renamed";
  EXPECT_EQ(dm_delay().undo(host, on.record), UndoOutcome::restored);
  EXPECT_EQ(host.fake_disks.mapper[kData].live, on.before);
}

}  // namespace
}  // namespace firedrill::agent
