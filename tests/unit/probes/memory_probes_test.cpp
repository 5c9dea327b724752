// process-memory, cgroup-memory and pressure, over trees of files and this very process.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/probes/kinds.hpp"
#include "agent/probes/trend.hpp"

namespace firedrill::agent {
namespace {

namespace fs = std::filesystem;
using testing::DoubleNear;
using testing::HasSubstr;
using testing::Optional;
using testing::Pair;
using testing::UnorderedElementsAre;
using namespace std::chrono_literals;

constexpr const char* kPressure =
    "some avg10=1.25 avg60=0.50 avg300=0.10 total=123\n"
    "full avg10=0.75 avg60=0.00 avg300=0.00 total=45\n";

class Tree : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "firedrill-tree-" + std::to_string(::getpid());
    fs::remove_all(root_);
    put("/proc/self/mountinfo",
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "30 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n");
    put("/proc/1/cgroup", "0::/init.scope\n");
    put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n");
    put("/sys/fs/cgroup/a.slice/b/memory.current", "1000\n");
    put("/sys/fs/cgroup/a.slice/b/memory.max", "max\n");
    events(0, 0);
  }
  void TearDown() override { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  void events(int high, int kills) const {
    put("/sys/fs/cgroup/a.slice/b/memory.events",
        "low 0\nhigh " + std::to_string(high) + "\nmax 7\noom " + std::to_string(kills) +
            "\noom_kill " + std::to_string(kills) + "\noom_group_kill 0\n");
  }
  Result<std::unique_ptr<ProbeSession>> open_cgroup(const std::string& path) const {
    const auto probe = make_cgroup_memory_probe(root_);
    const auto params = validate_params(probe->schema(), {{"cgroup", path}}, "");
    return probe->open(*params);
  }

  std::string root_;
};

TEST_F(Tree, CgroupGivesSizesAndWhatHappenedInTheWindow) {
  events(5, 2);
  const auto session = open_cgroup("a.slice/b");
  ASSERT_TRUE(session) << describe(session.error());
  events(9, 3);
  put("/sys/fs/cgroup/a.slice/b/memory.current", "3000\n");
  const auto sample = (*session)->sample(1ms);
  ASSERT_TRUE(sample);
  EXPECT_THAT(sample->values, UnorderedElementsAre(Pair("current_bytes", 3000), Pair("high", 4),
                                                   Pair("oom", 1), Pair("oom_kills", 1)));
}

TEST_F(Tree, CgroupGivesLimitPressureAndRefaultsWhereTheKernelDoes) {
  put("/sys/fs/cgroup/a.slice/b/memory.max", "65536\n");
  put("/sys/fs/cgroup/a.slice/b/memory.pressure", kPressure);
  put("/sys/fs/cgroup/a.slice/b/memory.stat",
      "anon 5\nworkingset_refault_anon 10\nworkingset_refault_file 100\n");
  const auto session = open_cgroup("/sys/fs/cgroup/a.slice/b/");
  ASSERT_TRUE(session) << describe(session.error());
  put("/sys/fs/cgroup/a.slice/b/memory.stat",
      "anon 5\nworkingset_refault_anon 11\nworkingset_refault_file 150\n");
  const auto sample = (*session)->sample(1ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->values.at("max_bytes"), 65536);
  EXPECT_EQ(sample->values.at("some_avg10"), 1.25);
  EXPECT_EQ(sample->values.at("full_avg10"), 0.75);
  EXPECT_EQ(sample->values.at("refaults"), 51);
}

TEST_F(Tree, CgroupThatIsNotThereOrDoesNotAccountIsRefused) {
  EXPECT_EQ(open_cgroup("a.slice/c").error().code, ErrorCode::not_found);
  EXPECT_EQ(open_cgroup("../etc").error().code, ErrorCode::not_found);
  const Error bare = open_cgroup("a.slice").error();
  EXPECT_EQ(bare.code, ErrorCode::unsupported);
  EXPECT_THAT(bare.what, HasSubstr("cgroup.subtree_control"));
  put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu\n");
  EXPECT_FALSE(make_cgroup_memory_probe(root_)->probe_support().supported);
}

TEST_F(Tree, CgroupOfVersionOne) {
  put("/proc/self/mountinfo",
      "31 22 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "32 22 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  put("/sys/fs/cgroup/unified/cgroup.controllers", "\n");
  put("/sys/fs/cgroup/memory/x/memory.usage_in_bytes", "2000\n");
  put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n");
  put("/sys/fs/cgroup/memory/x/memory.oom_control",
      "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n");
  const auto session = open_cgroup("x");
  ASSERT_TRUE(session) << describe(session.error());
  EXPECT_THAT((*session)->sample(1ms)->values,
              UnorderedElementsAre(Pair("current_bytes", 2000), Pair("oom_kills", 0)));
  put("/sys/fs/cgroup/memory/x/memory.limit_in_bytes", "4096\n");
  EXPECT_EQ((*session)->sample(1ms)->values.at("max_bytes"), 4096);
}

TEST_F(Tree, PressureOfTheHost) {
  const auto probe = make_pressure_probe(root_);
  const Support without = probe->probe_support();
  EXPECT_FALSE(without.supported);
  EXPECT_THAT(without.reason, HasSubstr("psi=1"));
  for (const char* resource : {"memory", "io"})
    put(std::string("/proc/pressure/") + resource, kPressure);
  put("/proc/pressure/cpu", "some avg10=9.00 avg60=0.50 avg300=0.10 total=123\n");
  EXPECT_TRUE(probe->probe_support().supported);
  const auto session = probe->open(Params{});
  ASSERT_TRUE(session);
  EXPECT_THAT((*session)->sample(0ms)->values,
              UnorderedElementsAre(Pair("cpu_some_avg10", 9), Pair("memory_some_avg10", 1.25),
                                   Pair("memory_full_avg10", 0.75), Pair("io_some_avg10", 1.25),
                                   Pair("io_full_avg10", 0.75)));
}

TEST(Trend, FindsTheSlopeThroughNoise) {
  Trend trend(60s);
  EXPECT_FALSE(trend.slope_per_second());
  for (int i = 0; i < 100; ++i) trend.add(i * 500ms, 1e9 + i * 512.0 + (i % 2 == 0 ? 300 : -300));
  EXPECT_THAT(trend.slope_per_second(), Optional(DoubleNear(1024, 2)));
}

TEST(Trend, ForgetsWhatIsOlderThanItsSpan) {
  Trend trend(10s);
  for (int i = 0; i <= 30; ++i) trend.add(i * 1s, i < 20 ? 1000.0 * i : 20'000.0);
  EXPECT_THAT(trend.slope_per_second(), Optional(DoubleNear(0, 1e-6)));
  trend.clear();
  EXPECT_FALSE(trend.slope_per_second());
}

TEST(Trend, TwoInstantsOrOneSayNothing) {
  Trend trend(10s);
  for (int i = 0; i < 5; ++i) trend.add(1s, i);
  EXPECT_FALSE(trend.slope_per_second()) << "all at the same time";
}

TEST(Forecast, OnlyForWhatGrows) {
  EXPECT_FALSE(seconds_to_exhaustion(std::nullopt, 1e9));
  EXPECT_FALSE(seconds_to_exhaustion(-1e6, 1e9));
  EXPECT_FALSE(seconds_to_exhaustion(100, 1e9));
  EXPECT_THAT(seconds_to_exhaustion(1e6, 6e7), Optional(60));
}

TEST(ProcessMemory, ThisProcessGrowsAndIsForeseenToEnd) {
  const auto session = open_probe("process-memory", {{"pid", ::getpid()}, {"pss", true}});
  ASSERT_TRUE(session) << describe(session.error());
  std::vector<std::vector<char>> grown;
  for (int i = 0; i < 4; ++i) {
    grown.emplace_back(8 << 20, 'x');
    ASSERT_TRUE((*session)->sample(20ms));
  }
  const auto sample = (*session)->sample(20ms);
  ASSERT_TRUE(sample);
  EXPECT_GT(sample->values.at("rss_bytes"), 32 << 20);
  EXPECT_GT(sample->values.at("pss_bytes"), 32 << 20);
  EXPECT_GT(sample->values.at("rss_slope_bytes_per_s"), 1e6);
  EXPECT_GT(sample->values.at("limit_bytes"), 32 << 20);
  EXPECT_GT(sample->values.at("seconds_to_exhaustion"), 0);
}

TEST(ProcessMemory, RefusesWhatIsNotOneProcess) {
  EXPECT_EQ(open_probe("process-memory", Json::object()).error().code, ErrorCode::invalid_input);
  EXPECT_EQ(open_probe("process-memory", {{"process", "no-such-process"}}).error().code,
            ErrorCode::not_found);
  EXPECT_EQ(open_probe("process-memory", {{"pid", 4194304}}).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace firedrill::agent
