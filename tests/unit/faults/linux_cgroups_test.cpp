// The real cgroups room on trees that look like those of version 2, of version 1, and of both.
#include "agent/kernel/linux_cgroups.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

namespace firedrill::agent::kernel {
namespace {

namespace fs = std::filesystem;

constexpr DeviceNumber kDisk{8, 0};
constexpr const char* kV1Files[] = {
    "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
    "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"};

class LinuxCgroupsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "firedrill-cgroups-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root = name;
  }
  void TearDown() override { fs::remove_all(root); }

  void put(const fs::path& path, const std::string& text) {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << text;
  }
  std::string get(const fs::path& path) {
    std::ostringstream text;
    text << std::ifstream(root / path).rdbuf();
    return text.str();
  }
  void make_v2(const fs::path& at) {
    put(at / "cgroup.controllers", "cpu io memory\n");
    put(at / "cgroup.procs", "1\n");
    put(at / "app/cgroup.procs", "");
    put(at / "app/io.max", "8:0 rbps=max wbps=1000 riops=max wiops=max\n");
    put(at / "bare/cgroup.procs", "");
  }
  void make_v1() {
    put("blkio/cgroup.procs", "1\n");
    put("blkio/app/cgroup.procs", "");
    for (const char* file : kV1Files) put(fs::path("blkio/app") / file, "");
  }
  LinuxCgroups cgroups() { return LinuxCgroups({}, root); }

  fs::path root;
};

TEST_F(LinuxCgroupsTest, FindsVersionTwoByEitherPath) {
  make_v2("");
  for (const std::string& path :
       {std::string("app"), std::string("/app"), std::string("/app/"), (root / "app").string()}) {
    const auto found = cgroups().find(path);
    ASSERT_TRUE(found) << path << describe(found.error());
    EXPECT_EQ(found->path, "/app");
    EXPECT_TRUE(found->limits_io);
    EXPECT_FALSE(found->version_one);
    EXPECT_NE(found->inode, 0U);
  }
  EXPECT_FALSE(cgroups().find("bare")->limits_io);
  EXPECT_EQ(cgroups().find("/")->path, "/");
  EXPECT_EQ(cgroups().find("../..")->path, "/") << "nothing above the root is reached";
  EXPECT_EQ(cgroups().find("nosuch").error().code, ErrorCode::not_found);
}

TEST_F(LinuxCgroupsTest, ReadsAndWritesOnlyWhatIsMeant) {
  make_v2("");
  auto real = cgroups();
  const auto app = real.find("app");
  EXPECT_EQ(real.io_limits(*app, kDisk).value(), (IoLimits{{}, 1000, {}, {}}));
  EXPECT_EQ(real.io_limits(*app, {8, 16}).value(), IoLimits{});
  put("app/io.max", "");
  ASSERT_TRUE(real.set_io_limits(*app, kDisk, {5, 6, {}, 8},
                                 {IoLimit::read_bytes, IoLimit::read_operations}));
  EXPECT_EQ(get("app/io.max"), "8:0 rbps=5 riops=max");
}

TEST_F(LinuxCgroupsTest, UsesVersionTwoBesideVersionOneOnlyWhereItHasTheController) {
  make_v1();
  put("unified/cgroup.controllers", "\n");
  EXPECT_TRUE(cgroups().find("app")->version_one);
  make_v2("unified");
  EXPECT_FALSE(cgroups().find("app")->version_one);
}

TEST_F(LinuxCgroupsTest, VersionOneHasOneFileALimit) {
  make_v1();
  auto real = cgroups();
  const auto app = real.find("/app");
  ASSERT_TRUE(app) << describe(app.error());
  EXPECT_TRUE(app->limits_io);
  put("blkio/app/blkio.throttle.write_bps_device", "8:16 77\n8:0 4096\n");
  EXPECT_EQ(real.io_limits(*app, kDisk).value(), (IoLimits{{}, 4096, {}, {}}));
  put("blkio/app/blkio.throttle.write_bps_device", "");
  ASSERT_TRUE(real.set_io_limits(*app, kDisk, {{}, 4096, {}, 20},
                                 {IoLimit::write_bytes, IoLimit::write_operations}));
  EXPECT_EQ(get("blkio/app/blkio.throttle.write_bps_device"), "8:0 4096");
  EXPECT_EQ(get("blkio/app/blkio.throttle.write_iops_device"), "8:0 20");
  EXPECT_EQ(get("blkio/app/blkio.throttle.read_bps_device"), "");
  put("blkio/app/blkio.throttle.write_iops_device", "");
  ASSERT_TRUE(real.set_io_limits(*app, kDisk, {}, {IoLimit::write_operations}));
  EXPECT_EQ(get("blkio/app/blkio.throttle.write_iops_device"), "8:0 0") << "0 removes";
}

TEST_F(LinuxCgroupsTest, WithoutCgroupsItSaysSo) {
  const auto found = cgroups().find("app");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::unsupported);
}

TEST_F(LinuxCgroupsTest, ProtectedProcessesAreFoundInChildrenToo) {
  make_v2("");
  auto real = cgroups();
  EXPECT_EQ(real.protected_member(*real.find("app")).value(), std::nullopt);
  put("app/deep/er/cgroup.procs", std::to_string(getpid()) + "\n");
  const auto member = real.protected_member(*real.find("app"));
  ASSERT_TRUE(member && *member);
  EXPECT_NE((*member)->find(std::to_string(getpid())), std::string::npos);
  ASSERT_TRUE(*real.protected_member(*real.find("/"))) << "process 1";
}

TEST_F(LinuxCgroupsTest, WhatTheOwnerProtectsIsFoundByUnitAndByProcess) {
  make_v2("");
  put("system.slice/db.service/worker/cgroup.procs", "");
  put("system.slice/db.service/cgroup.procs", "");
  put("system.slice/cgroup.procs", "");
  const auto member = [this](OwnerProtected owner, const char* path) {
    LinuxCgroups real({}, root, std::move(owner));
    return real.protected_member(*real.find(path)).value().value_or("");
  };
  OwnerProtected unit;
  unit.units = {"db.service"};
  for (const char* path :
       {"system.slice/db.service", "system.slice", "system.slice/db.service/worker"})
    EXPECT_NE(member(unit, path).find("'db.service'"), std::string::npos) << path;
  EXPECT_EQ(member(unit, "app"), "");
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  put("app/cgroup.procs", std::to_string(child) + "\n");
  std::string comm;
  std::ifstream("/proc/" + std::to_string(child) + "/comm") >> comm;
  OwnerProtected process;
  EXPECT_EQ(member(process, "app"), "");
  process.processes = {comm};
  EXPECT_NE(member(process, "app").find("owner protects"), std::string::npos);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST_F(LinuxCgroupsTest, ProcessThatIsGoneIsNotFound) {
  make_v2("");
  EXPECT_EQ(cgroups().of_process(4194304 + 1).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace firedrill::agent::kernel
