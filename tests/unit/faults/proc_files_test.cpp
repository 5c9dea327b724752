// The parsers of /proc/PID, the place for a mapping, and the room that cgroups leave.
#include "agent/kernel/proc_files.hpp"

#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/kernel/memory_files.hpp"

namespace firedrill::agent::kernel {
namespace {

namespace fs = std::filesystem;

TEST(ProcFiles, NameInStatMayHoldAnything) {
  const auto stat = parse_stat(
      "4242 (a) R (b)) S 1 4242 4242 0 -1 4194560 11 0 0 0 1 2 0 0 20 0 7 0 88213 1 2 3\n");
  ASSERT_TRUE(stat) << describe(stat.error());
  EXPECT_EQ(stat->id, (ProcessId{4242, 88213}));
  EXPECT_EQ(stat->name, "a) R (b)");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_FALSE(stat->kernel_thread);
  EXPECT_TRUE(parse_stat("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 9 0 0")
                  ->kernel_thread);
  for (const char* text : {"", "4242", "4242 (x", "4242 (x) S 1 2", "x (y) S 1 4242 4242 0 -1 4 1"})
    EXPECT_FALSE(parse_stat(text)) << text;
}

TEST(ProcFiles, StatusNumbersAndMasks) {
  const char* status =
      "Name:\tVmRSS:\nVmRSS:\t    1024 kB\nSeccomp:\t2\nCapEff:\t0000000000080001\n";
  EXPECT_EQ(status_number(status, "VmRSS"), 1024U * 1024);
  EXPECT_EQ(status_number(status, "Seccomp"), 2U);
  EXPECT_EQ(status_number(status, "VmSwap"), std::nullopt);
  EXPECT_EQ(status_number(status, "Name"), std::nullopt);
  EXPECT_EQ(status_mask(status, "CapEff"), 0x80001U);
}

TEST(ProcFiles, SoftLimits) {
  const char* limits =
      "Limit                     Soft Limit           Hard Limit           Units     \n"
      "Max data size             unlimited            unlimited            bytes     \n"
      "Max address space         1073741824           unlimited            bytes     \n";
  EXPECT_EQ(soft_limit(limits, "Max address space"), 1U << 30);
  EXPECT_EQ(soft_limit(limits, "Max data size"), std::nullopt);
  EXPECT_EQ(soft_limit(limits, "Max stack size"), std::nullopt);
}

TEST(ProcFiles, MapsWithFilesNamesAndNothing) {
  const auto maps = parse_maps(
      "00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/a b (deleted)\n"
      "7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n"
      "7ffd0000-7ffe0000 rw-p 00000000 00:00 0                          [stack]\n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]\n");
  ASSERT_TRUE(maps) << describe(maps.error());
  ASSERT_EQ(maps->size(), 3U) << "only user space";
  EXPECT_EQ((*maps)[0], (Mapping{0x400000, 0x452000, "r-xp", 173521, "/usr/bin/a b (deleted)"}));
  EXPECT_EQ((*maps)[1], (Mapping{0x7f0000000000, 0x7f0000001000, "rw-p", 0, ""}));
  EXPECT_EQ((*maps)[2].path, "[stack]");
  EXPECT_EQ(parse_maps("rubbish\n").error().code, ErrorCode::corrupt);
}

TEST(ProcFiles, CgroupPathOfEitherVersion) {
  const char* text = "4:memory,hugetlb:/m/x\n1:name=systemd:/s\n0::/unified/y:z\n";
  EXPECT_EQ(cgroup_path(text, "memory"), "/m/x");
  EXPECT_EQ(cgroup_path(text, ""), "/unified/y:z");
  EXPECT_EQ(cgroup_path(text, "pids"), std::nullopt);
}

TEST(ProcFiles, ThreadsThatMindAStopLeast) {
  EXPECT_EQ(thread_rest('S', std::to_string(SYS_futex) + " 0x1 0x2"), ThreadRest::restarts);
  EXPECT_EQ(thread_rest('S', std::to_string(SYS_epoll_pwait) + " 0x1"), ThreadRest::may_show);
  EXPECT_EQ(thread_rest('R', "running\n"), ThreadRest::runs);
  EXPECT_EQ(thread_rest('S', "-1 0x7ff 0x55"), ThreadRest::runs);
  EXPECT_EQ(thread_rest('D', "running"), ThreadRest::unstoppable);
  EXPECT_LT(ThreadRest::restarts, ThreadRest::runs);
  EXPECT_LT(ThreadRest::runs, ThreadRest::may_show);
}

TEST(ChooseRegion, LeavesRoomOnBothSidesWhateverTheToken) {
  const std::vector<Mapping> maps{{0x400000, 0x500000, "r-xp", 1, "/a"},
                                  {0x7f0000000000, 0x7f0000200000, "r-xp", 2, "/b"}};
  std::mt19937 random(1);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t length = (random() % 1024 + 1) * (1ULL << 30);
    const auto region = choose_region(maps, length, static_cast<std::uint32_t>(random()));
    ASSERT_TRUE(region);
    EXPECT_EQ(region->length, length);
    EXPECT_EQ(region->address % kPageSize, 0U);
    EXPECT_GE(region->address, 0x500000U + (64U << 20));
    EXPECT_LE(region->end() + (64U << 20), 0x7f0000000000U);
  }
  EXPECT_NE(choose_region(maps, 4096, 1), choose_region(maps, 4096, 2));
}

TEST(ChooseRegion, NoneWhereNoGapIsWideEnough) {
  const std::vector<Mapping> maps{{0x10000, 0x7ffff0000000, "rw-p", 0, ""}};
  EXPECT_FALSE(choose_region(maps, 200ULL << 20, 1));
  EXPECT_TRUE(choose_region(maps, 4096, 1));
  EXPECT_FALSE(choose_region({}, 0, 1));
  EXPECT_FALSE(choose_region({}, 1ULL << 47, 1));
}

class Room : public testing::Test {
 protected:
  void SetUp() override {
    root_ = testing::TempDir() + "firedrill-room-" + std::to_string(::getpid());
    fs::remove_all(root_);
    put("/proc/self/mountinfo", "30 22 0:26 /outer /cg rw - cgroup2 cgroup2 rw\n");
    put("/cg/cgroup.controllers", "memory\n");
    put("/proc/meminfo",
        "MemTotal: 1000 kB\nMemAvailable: 800 kB\nCommitLimit: 500 kB\nCommitted_AS: 400 kB\n");
    put("/proc/7/cgroup", "0::/outer/a/b\n");
    level("/cg/a", "300000", "max");
    level("/cg/a/b", "100000", "max");
  }
  void TearDown() override { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  void level(const std::string& path, const std::string& current, const std::string& max) const {
    put(path + "/memory.current", current + "\n");
    put(path + "/memory.max", max + "\n");
    put(path + "/memory.stat", "anon 1\ninactive_file 10000\n");
  }
  MemoryRoom room(Reserve reserve = Reserve::none) const {
    const MemoryFiles files(root_);
    const auto directory = files.cgroup_of(7);
    EXPECT_EQ(directory, "/cg/a/b") << "the mount shows only what is below /outer";
    return files.room(*directory, reserve).value_or(MemoryRoom{});
  }
  std::string root_;
};

TEST_F(Room, WithoutLimitsTheHostIsTheBound) {
  EXPECT_EQ(room().bytes, 800U * 1024);
  EXPECT_EQ(room().level, "");
  EXPECT_EQ(room(Reserve::kept).bytes, 750U * 1024) << "a twentieth is kept";
  EXPECT_EQ(room().mappable, std::nullopt);
}

TEST_F(Room, TheLevelThatLeavesLeastCounts) {
  level("/cg/a", "300000", "400000");
  level("/cg/a/b", "100000", "600000");
  EXPECT_EQ(room().level, "/cg/a");
  EXPECT_EQ(room().bytes, 110000U) << "old page cache would go first";
  EXPECT_EQ(room().max, 400000U);
  EXPECT_EQ(room().used, 290000U);
  level("/cg/a/b", "100000", "50000");
  EXPECT_EQ(room().level, "/cg/a/b");
  EXPECT_EQ(room().bytes, 0U) << "above its limit already";
}

TEST_F(Room, StrictOvercommitCountsMappings) {
  put("/proc/sys/vm/overcommit_memory", "2\n");
  EXPECT_EQ(room().mappable, 100U * 1024);
}

}  // namespace
}  // namespace firedrill::agent::kernel
