// io-throttle against a real kernel: direct writes of a process in a cgroup of its own, and io.max
// before and after, byte for byte.
#include <csignal>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/disk_lab.hpp"

namespace firedrill::agent::test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

const Fault& io_throttle() { return *find_fault("io-throttle"); }

class IoThrottleKernel : public DiskLab {
 protected:
  void SetUp() override {
    DiskLab::SetUp();
    if (IsSkipped()) return;
    group_ = fmt::format("firedrill-test-{}", getpid());
    directory_ = "/sys/fs/cgroup/" + group_;
    run("echo +io >/sys/fs/cgroup/cgroup.subtree_control && mkdir " + directory_);
  }
  void TearDown() override {
    if (!directory_.empty()) run("rmdir " + directory_);
    DiskLab::TearDown();
  }

  Json asked_json(Json given) {
    if (!given.contains("pid")) given.emplace("cgroup", group_);
    given.emplace("device", mount_);
    return given;
  }
  Json inject(const Json& given) {
    const Params asked = params(io_throttle(), asked_json(given));
    const auto host = open_host();
    const auto record = io_throttle().capture(*host, asked);
    if (!record) {
      ADD_FAILURE() << describe(record.error());
      return {};
    }
    const auto values = io_throttle().apply(*host, asked, *record);
    if (!values) ADD_FAILURE() << describe(values.error());
    return *record;
  }
  [[nodiscard]] std::string io_max() const { return run("cat " + directory_ + "/io.max"); }
  /// How long a process of the cgroup takes to write `count` blocks, past the page cache.
  Clock::duration write_direct(const std::string& block, int count) {
    const auto start = Clock::now();
    run(
        fmt::format("echo 0 >{}/cgroup.procs; exec dd if=/dev/zero of={}/data oflag=direct bs={} "
                    "count={} status=none",
                    directory_, mount_, block, count));
    return Clock::now() - start;
  }

  std::string group_;
  std::string directory_;
};

TEST_F(IoThrottleKernel, LimitsBytesAndRestoresAnAbsentLine) {
  const std::string before = io_max();
  const Json record = inject({{"write-rate", "256KiB"}});
  EXPECT_NE(io_max().find("wbps=262144"), std::string::npos) << io_max();
  EXPECT_GE(write_direct("64k", 16), 3s) << "1 MiB at 256 KiB a second";
  undo(io_throttle(), record, UndoOutcome::restored);
  EXPECT_EQ(io_max(), before);
}

TEST_F(IoThrottleKernel, LimitsOperationsAndRestoresTheEarlierLine) {
  const auto device = open_host()->disks().find(mount_);
  ASSERT_TRUE(device);
  run(fmt::format("echo '{} rbps=5000000 wiops=900' >{}/io.max", to_string(device->number),
                  directory_));
  const std::string before = io_max();
  const Json record = inject({{"write-iops", 10}, {"write-rate", "100MiB"}});
  EXPECT_GE(write_direct("4k", 30), 2s) << "30 writes at 10 a second";
  undo(io_throttle(), record, UndoOutcome::restored);
  EXPECT_EQ(io_max(), before);
}

TEST_F(IoThrottleKernel, UndoRestoresWhereverApplyOrARampDied) {
  const std::string before = io_max();
  const Params first = params(io_throttle(), asked_json({{"write-rate", "8MiB"}}));
  const Params second = params(io_throttle(), asked_json({{"write-rate", "1MiB"}}));
  const auto record = io_throttle().capture(*open_host(), first);
  ASSERT_TRUE(record) << describe(record.error());
  for (int last = 0; last < 40; ++last) {
    const pid_t child = fork();
    if (child == 0) {
      int count = 0;
      const auto host = open_host([&](std::string_view) {
        if (count++ == last) _exit(1);
      });
      (void)io_throttle().apply(*host, first, *record);
      (void)io_throttle().adjust(*host, second, *record);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 0) {
      EXPECT_NE(io_max().find("wbps=1048576"), std::string::npos) << io_max();
    }
    const auto undone = io_throttle().undo(*open_host(), *record);
    ASSERT_TRUE(undone) << describe(undone.error());
    EXPECT_NE(*undone, UndoOutcome::superseded);
    ASSERT_EQ(io_max(), before) << "died before operation " << last;
    EXPECT_TRUE(io_throttle().verify(*open_host(), *record)->clean());
    if (WEXITSTATUS(status) == 0) return;
  }
  FAIL() << "apply never came to its end";
}

TEST_F(IoThrottleKernel, RespondersLimitIsLeft) {
  const Json record = inject({{"write-rate", "1MiB"}});
  const auto device = open_host()->disks().find(mount_);
  run(fmt::format("echo '{} wbps=77777777' >{}/io.max", to_string(device->number), directory_));
  const std::string theirs = io_max();
  EXPECT_EQ(io_throttle().undo(*open_host(), record), UndoOutcome::superseded);
  EXPECT_EQ(io_max(), theirs);
}

TEST_F(IoThrottleKernel, RefusesACgroupWithoutTheControllerOrWithOurselvesInside) {
  run("mkdir " + directory_ + "/bare");
  const auto bare = io_throttle().capture(
      *open_host(),
      params(io_throttle(), asked_json({{"cgroup", group_ + "/bare"}, {"write-iops", 10}})));
  run("rmdir " + directory_ + "/bare");
  ASSERT_FALSE(bare);
  EXPECT_EQ(bare.error().code, ErrorCode::unsupported) << describe(bare.error());

  const std::string home = run("sed -n 's/^0:://p' /proc/self/cgroup");
  run(fmt::format("echo {} >{}/cgroup.procs", getpid(), directory_));
  const auto ourselves = io_throttle().capture(
      *open_host(), params(io_throttle(), asked_json({{"pid", getpid()}, {"write-iops", 10}})));
  run(fmt::format("echo {} >/sys/fs/cgroup{}/cgroup.procs", getpid(),
                  home.substr(0, home.find('\n'))));
  ASSERT_FALSE(ourselves);
  EXPECT_EQ(ourselves.error().code, ErrorCode::refused) << describe(ourselves.error());
}

/// FIREDRILL_TEST_UNIT names a running unit of the systemd that manages this place.
class IoThrottleUnitKernel : public DiskLab {
 protected:
  void SetUp() override {
    const char* name = std::getenv("FIREDRILL_TEST_UNIT");
    if (name == nullptr) GTEST_SKIP() << "FIREDRILL_TEST_UNIT names no unit";
    unit_ = name;
    DiskLab::SetUp();
    if (IsSkipped()) return;
    const auto device = open_host()->disks().find(name_);
    ASSERT_TRUE(device);
    const auto lowest = open_host()->disks().lowest(device->number);
    ASSERT_TRUE(lowest);
    node_ = "/dev/" + lowest->name;
  }
  Params asked(const std::string& rate) {
    return params(io_throttle(), {{"unit", unit_}, {"device", mount_}, {"write-rate", rate}});
  }
  /// The kernel's limits, systemd's properties, and every run-time drop-in with its content.
  [[nodiscard]] std::string everything() const {
    return run("cat /sys/fs/cgroup/$(systemctl show -P ControlGroup " + unit_ +
               ")/io.max 2>/dev/null || true") +
           run("systemctl show -p IOReadBandwidthMax,IOWriteBandwidthMax,IOReadIOPSMax," +
               std::string("IOWriteIOPSMax ") + unit_) +
           run("find /run/systemd/system.control -type f -exec grep -H . {} + 2>/dev/null || true");
  }
  Json inject() {
    const auto host = open_host();
    const auto record = io_throttle().capture(*host, asked("8MiB"));
    if (!record) {
      ADD_FAILURE() << describe(record.error());
      return {};
    }
    const auto values = io_throttle().apply(*host, asked("8MiB"), *record);
    if (!values) ADD_FAILURE() << describe(values.error());
    return *record;
  }

  std::string unit_;
  std::string node_;
};

TEST_F(IoThrottleUnitKernel, LimitSurvivesDaemonReloadAndIsTakenBackWhole) {
  const std::string before = everything();
  const Json record = inject();
  EXPECT_NE(everything().find("wbps=8388608"), std::string::npos) << everything();
  run("systemctl daemon-reload");
  EXPECT_NE(everything().find("wbps=8388608"), std::string::npos) << everything();
  ASSERT_TRUE(io_throttle().adjust(*open_host(), asked("2MiB"), record));
  EXPECT_NE(everything().find("wbps=2097152"), std::string::npos) << everything();
  undo(io_throttle(), record, UndoOutcome::restored);
  // That io was once controlled leaves an io.max of no limits, at most.
  EXPECT_EQ(everything(), before);
}

TEST_F(IoThrottleUnitKernel, EarlierRunTimePropertyComesBackExactly) {
  run("systemctl set-property --runtime " + unit_ + " 'IOWriteBandwidthMax=" + node_ + " 5000000'");
  const std::string before = everything();
  EXPECT_NE(before.find("wbps=5000000"), std::string::npos) << before;
  const Json record = inject();
  EXPECT_NE(everything(), before);
  undo(io_throttle(), record, UndoOutcome::restored);
  EXPECT_EQ(everything(), before);
  run("systemctl set-property --runtime " + unit_ + " IOWriteBandwidthMax=");
  run("rm -r /run/systemd/system.control && systemctl daemon-reload");
}

TEST_F(IoThrottleUnitKernel, UnitThatIsNotThereIsSaidSo) {
  const auto refused = io_throttle().capture(
      *open_host(),
      params(io_throttle(),
             {{"unit", "no-such-thing.service"}, {"device", mount_}, {"write-iops", 10}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::not_found) << describe(refused.error());
}

}  // namespace
}  // namespace firedrill::agent::test
