// fsync, disk and kernel-log: the arithmetic, and the probes on whatever this machine has.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include "agent/probes/disk_values.hpp"
#include "agent/probes/fsync_transport.hpp"

namespace firedrill::agent {
namespace {

using kernel::BlockCounters;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using namespace std::chrono_literals;

TEST(DiskValues, AreWhatIostatWouldShow) {
  const auto before = kernel::parse_block_counters("100 3 800 50 200 4 1600 400 0 300 450 0 0");
  const auto now = kernel::parse_block_counters("110 3 960 150 240 4 2240 800 2 800 950 0 0");
  ASSERT_TRUE(before && now);
  EXPECT_THAT(disk_values(*before, *now, Duration{2'000'000}),
              ElementsAre(Pair("await_ms", 10), Pair("in_flight", 2), Pair("read_await_ms", 10),
                          Pair("read_bytes_per_s", 40960), Pair("read_per_s", 5),
                          Pair("util_pct", 25), Pair("write_await_ms", 10),
                          Pair("write_bytes_per_s", 163840), Pair("write_per_s", 20)));
}

TEST(DiskValues, WithoutOperationsThereIsNoWaitingTime) {
  const BlockCounters idle{.reads = 5, .writes = 5};
  const auto values = disk_values(idle, idle, Duration{1'000'000});
  EXPECT_FALSE(values.contains("await_ms"));
  EXPECT_EQ(values.at("util_pct"), 0);
}

TEST(DiskValues, DeviceMadeAnewGivesNoRates) {
  EXPECT_THAT(disk_values(BlockCounters{.reads = 5}, BlockCounters{.reads = 4, .in_flight = 1},
                          Duration{1'000'000}),
              ElementsAre(Pair("in_flight", 1)));
  EXPECT_THAT(disk_values({}, {}, {}), ElementsAre(Pair("in_flight", 0)));
}

TEST(BlockCounters, OfAnyKernelReadAndRubbishDoesNot) {
  EXPECT_TRUE(kernel::parse_block_counters("1 2 3 4 5 6 7 8 9 10 11\n"));
  EXPECT_FALSE(kernel::parse_block_counters("1 2 3 4 5 6 7 8 9"));
  EXPECT_FALSE(kernel::parse_block_counters(""));
}

TEST(MountSource, IsTheWordAfterTheType) {
  const std::string text =
      "22 1 0:20 / /proc rw - proc proc rw\n"
      "36 35 0:35 /sub /srv rw,noatime master:1 shared:2 - btrfs /dev/dm-3 rw,subvol=/\n";
  EXPECT_EQ(kernel::mount_source(text, {0, 35}), "/dev/dm-3");
  EXPECT_EQ(kernel::mount_source(text, {0, 36}), "");
}

TEST(KernelErrors, AreTheKernelsOwnOfLevelErrorOrWorse) {
  const std::string text = "EXT4-fs error (device dm-0): bad";
  EXPECT_TRUE(is_kernel_error("3,12,345,-;" + text, ""));
  EXPECT_TRUE(is_kernel_error("0,12,345,-;" + text, "EXT4-fs"));
  EXPECT_FALSE(is_kernel_error("3,12,345,-;" + text, "XFS"));
  EXPECT_FALSE(is_kernel_error("4,12,345,-;" + text, "")) << "a warning";
  EXPECT_FALSE(is_kernel_error("11,12,345,-;" + text, "")) << "written by a program";
  for (const char* bad : {"", "3", "x,1,2,-;a", "3,1,2,-", " SUBSYSTEM=block"})
    EXPECT_FALSE(is_kernel_error(bad, "")) << bad;
}

class FsyncProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "firedrill-fsync-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory); }
  std::filesystem::path directory;
};

TEST_F(FsyncProbeTest, MeasuresAndLeavesNoFileEvenWhileItRuns) {
  const auto session = open_probe("fsync", {{"path", directory.string()}, {"rate", 100}});
  ASSERT_TRUE(session) << describe(session.error());
  const auto sample = (*session)->sample(200ms);
  ASSERT_TRUE(sample) << describe(sample.error());
  EXPECT_EQ(sample->count, 20U);
  EXPECT_EQ(sample->errors, 0U) << sample->error;
  for (const char* name : {"p50_ms", "p95_ms", "p99_ms", "max_ms"})
    EXPECT_GT(sample->values.at(name), 0) << name;
  EXPECT_TRUE(std::filesystem::is_empty(directory));
}

TEST_F(FsyncProbeTest, OneMeasurementIsOneSync) {
  const auto session = open_probe("fsync", {{"path", directory.string()}});
  ASSERT_TRUE(session);
  const auto sample = (*session)->sample(Duration{});
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->count, 1U);
}

TEST_F(FsyncProbeTest, CancelledSessionReturnsAtOnce) {
  const auto session = open_probe("fsync", {{"path", directory.string()}});
  ASSERT_TRUE(session);
  (*session)->cancel();
  EXPECT_TRUE((*session)->sample(std::chrono::hours(1)));
}

TEST_F(FsyncProbeTest, AbandonedOperationIsNeverReportedInItsSlotsNextOne) {
  auto transport = make_fsync_transport(directory.string());
  ASSERT_TRUE(transport);
  ASSERT_TRUE((*transport)->begin(0));
  (*transport)->abandon(0);
  ASSERT_TRUE((*transport)->begin(0));
  int ended = 0;
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (ended == 0 && std::chrono::steady_clock::now() < deadline) {
    (*transport)->work(std::chrono::steady_clock::now() + 1s);
    while ((*transport)->next_ended()) ++ended;
  }
  (*transport)->work(std::chrono::steady_clock::now() + 50ms);
  while ((*transport)->next_ended()) ++ended;
  EXPECT_EQ(ended, 1);
}

TEST(FsyncProbe, NeedsADirectory) {
  const auto missing = open_probe("fsync", {{"path", "/nosuch/place"}});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_FALSE(open_probe("fsync", {{"path", "/proc"}})) << "nothing can be written there";
}

TEST(DiskProbe, NamesWhatItDoesNotFind) {
  const auto missing = open_probe("disk", {{"device", "nosuchdisk"}});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().what, HasSubstr("nosuchdisk"));
  const auto memory = open_probe("disk", {{"device", "/proc"}});
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().code, ErrorCode::unsupported) << describe(memory.error());
}

TEST(DiskProbe, ReadsAnyDeviceOfThisMachine) {
  std::error_code error;
  const auto first = std::filesystem::directory_iterator("/sys/block", error);
  if (error || first == std::filesystem::directory_iterator()) GTEST_SKIP() << "no block device";
  const auto session = open_probe("disk", {{"device", first->path().filename().string()}});
  ASSERT_TRUE(session) << describe(session.error());
  const auto sample = (*session)->sample(10ms);
  ASSERT_TRUE(sample) << describe(sample.error());
  EXPECT_TRUE(sample->values.contains("util_pct"));
}

}  // namespace
}  // namespace firedrill::agent
