// dm-delay against a real kernel: a mounted file system under a writer that syncs, every place
// where the process could die, and a device that a crash left suspended.
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/disk_lab.hpp"

namespace firedrill::agent::test {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kMaxOperations = 100;

const Fault& dm_delay() { return *find_fault("dm-delay"); }

class DmDelayKernel : public DiskLab {
 protected:
  Params asked(Json given) {
    given.emplace("device", name_);
    return params(dm_delay(), given);
  }
  Json capture(const Params& params) {
    const auto record = dm_delay().capture(*open_host(), params);
    if (!record) ADD_FAILURE() << describe(record.error());
    return record.value_or(Json());
  }
  Json inject(Json given) {
    const Params params = asked(std::move(given));
    const Json record = capture(params);
    const auto values = dm_delay().apply(*open_host(), params, record);
    if (!values) ADD_FAILURE() << describe(values.error());
    return record;
  }
  std::string write_file(const std::string& name) {
    const std::string path = mount_ + "/" + name;
    run("dd if=/dev/zero of=" + path + " bs=64k count=4 conv=fsync status=none");
    return path;
  }
};

/// Runs `body` in a child that dies just before its `last`-th operation on the host; true when it
/// came to its end before that.
template <class Body>
bool ends_before(int last, Body body) {
  const pid_t child = fork();
  if (child == 0) {
    int count = 0;
    body([&](std::string_view) {
      if (count++ == last) _exit(1);
    });
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status) == 0;
}

TEST_F(DmDelayKernel, TenSwapsUnderAWriterThatSyncsLoseNothing) {
  const std::string before = table();
  SyncingWriter writer(mount_ + "/wal");
  ASSERT_TRUE(writer.wait_for(20));
  fmt::print("without: longest write {:.1f} ms\n", Milliseconds(writer.longest()).count());
  const Params params = asked({{"flush", "20ms"}});
  for (int round = 0; round < 10; ++round) {
    Clock::time_point resume, resumed;
    const auto host = open_host([&](std::string_view operation) {
      if (resume != Clock::time_point{} && resumed == Clock::time_point{}) resumed = Clock::now();
      if (operation == "disks.resume") resume = Clock::now();
    });
    const Json record = capture(params);
    const auto start = Clock::now();
    ASSERT_TRUE(dm_delay().apply(*host, params, record));
    const auto applied = Clock::now();
    EXPECT_NE(table(), before);
    ASSERT_TRUE(writer.wait_for(5));
    const auto longest_on = writer.longest();
    const auto undo_start = Clock::now();
    EXPECT_EQ(dm_delay().undo(*open_host(), record), UndoOutcome::restored);
    const auto undone = Clock::now();
    ASSERT_EQ(table(), before);
    ASSERT_TRUE(writer.wait_for(5));
    fmt::print(
        "swap {}: apply {:.1f} ms (still for at most {:.1f}), undo {:.1f}, longest write "
        "on {:.1f}, off {:.1f}\n",
        round, Milliseconds(applied - start).count(), Milliseconds(resumed - resume).count(),
        Milliseconds(undone - undo_start).count(), Milliseconds(longest_on).count(),
        Milliseconds(writer.longest()).count());
  }
  writer.stop();
  EXPECT_EQ(writer.error(), "");
}

TEST_F(DmDelayKernel, EachKindOfDelayIsItsOwn) {
  const std::string path = write_file("data");
  const auto read_direct = [&] {
    const auto start = Clock::now();
    run("dd if=" + path + " of=/dev/null iflag=direct bs=4k count=1 status=none");
    return Clock::now() - start;
  };
  const Json record = inject({{"read", "2s"}});
  EXPECT_GE(read_direct(), std::chrono::milliseconds(1990));
  {
    // A sync of this file needs no read: it is through long before one read would be.
    SyncingWriter writer(mount_ + "/other");
    EXPECT_TRUE(writer.wait_for(10));
  }
  undo(dm_delay(), record, UndoOutcome::restored);
}

TEST_F(DmDelayKernel, OneFileIsSlowAndItsNeighbourIsNot) {
  const std::string slow = write_file("slow");
  const std::string quick = write_file("quick");
  const std::string before = table();
  const Json record = inject({{"read", "5s"}, {"files", slow}});
  std::chrono::steady_clock::time_point slow_read;
  std::thread reader([&] {
    run("dd if=" + slow + " of=/dev/null iflag=direct bs=4k count=1 status=none");
    slow_read = Clock::now();
  });
  const auto start = Clock::now();
  run("dd if=" + quick + " of=/dev/null iflag=direct bs=4k count=1 status=none");
  const auto quick_read = Clock::now();
  reader.join();
  EXPECT_LT(quick_read, slow_read);
  EXPECT_GE(slow_read - start, std::chrono::milliseconds(4900));
  undo(dm_delay(), record, UndoOutcome::restored);
  EXPECT_EQ(table(), before);
}

TEST_F(DmDelayKernel, UndoRestoresWhereverApplyDied) {
  const std::string before = table();
  SyncingWriter writer(mount_ + "/wal");
  const Params params = asked({{"write", "20ms"}});
  const Json record = capture(params);
  bool complete = false;
  for (int last = 0; !complete && last < kMaxOperations; ++last) {
    complete = ends_before(last, [&](const OperationObserver& observer) {
      (void)dm_delay().apply(*open_host(observer), params, record);
    });
    ASSERT_TRUE(dm_delay().undo(*open_host(), record));
    ASSERT_EQ(table(), before) << "died before operation " << last;
    ASSERT_TRUE(writer.wait_for(1));
  }
  EXPECT_TRUE(complete);
  writer.stop();
  EXPECT_EQ(writer.error(), "");
}

TEST_F(DmDelayKernel, UndoRestoresWhereverAnEarlierUndoDied) {
  const std::string before = table();
  SyncingWriter writer(mount_ + "/wal");
  const Params params = asked({{"write", "20ms"}});
  const Json record = capture(params);
  bool complete = false;
  for (int last = 0; !complete && last < kMaxOperations; ++last) {
    ASSERT_TRUE(dm_delay().apply(*open_host(), params, record));
    complete = ends_before(last, [&](const OperationObserver& observer) {
      (void)dm_delay().undo(*open_host(observer), record);
    });
    ASSERT_TRUE(dm_delay().undo(*open_host(), record));
    ASSERT_EQ(table(), before) << "died before operation " << last;
    ASSERT_TRUE(writer.wait_for(1));
  }
  EXPECT_TRUE(complete);
  writer.stop();
  EXPECT_EQ(writer.error(), "");
}

TEST_F(DmDelayKernel, ProcessKilledAtRandomNeverLeavesTheDeviceSuspended) {
  const std::string before = table();
  SyncingWriter writer(mount_ + "/wal");
  const Params params = asked({{"write", "30ms"}});
  const Json record = capture(params);
  std::mt19937 random(1);
  for (int round = 0; round < 40; ++round) {
    const pid_t child = fork();
    if (child == 0) {
      const auto host = open_host();
      while (true) {
        (void)dm_delay().apply(*host, params, record);
        (void)dm_delay().undo(*host, record);
      }
    }
    usleep(std::uniform_int_distribution<useconds_t>(1000, 150'000)(random));
    kill(child, SIGKILL);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    const auto state = open_host()->disks().find(name_);
    ASSERT_TRUE(state);
    EXPECT_FALSE((*open_host()->disks().state(state->number))->suspended) << "round " << round;
    ASSERT_TRUE(dm_delay().undo(*open_host(), record));
    ASSERT_EQ(table(), before) << "round " << round;
    ASSERT_TRUE(writer.wait_for(1));
  }
  writer.stop();
  EXPECT_EQ(writer.error(), "");
}

/// What another tool, or a kernel that fails half way, can leave behind.
TEST_F(DmDelayKernel, SuspendedDeviceRunsAgainWithItsOldTable) {
  const std::string before = table();
  SyncingWriter writer(mount_ + "/wal");
  ASSERT_TRUE(writer.wait_for(5));
  const Params params = asked({{"write", "30ms"}});
  const Json record = capture(params);
  const auto host = open_host();
  ASSERT_TRUE(dm_delay().apply(*host, params, record));
  const std::string fault_table = run("dmsetup table " + name_);
  ASSERT_TRUE(dm_delay().undo(*host, record));

  const auto recover = [&](const std::string& state) {
    usleep(50'000);  // the writer runs into the suspended device
    const auto start = Clock::now();
    EXPECT_EQ(dm_delay().undo(*open_host(), record), UndoOutcome::restored) << state;
    fmt::print("{}: running again after {:.1f} ms\n", state,
               Milliseconds(Clock::now() - start).count());
    EXPECT_EQ(table(), before) << state;
    EXPECT_TRUE(writer.wait_for(1)) << state;
  };
  const std::string load = "printf '" + fault_table + "' | dmsetup load " + name_;
  run("dmsetup suspend " + name_);
  recover("suspended, nothing loaded");
  run(load + " && dmsetup suspend " + name_);
  recover("suspended, fault table loaded");
  run(load + " && dmsetup resume --noudevsync " + name_ + " && dmsetup suspend " + name_);
  recover("suspended, fault table live");
  run(load);
  recover("fault table loaded");
  writer.stop();
  EXPECT_EQ(writer.error(), "");
}

TEST_F(DmDelayKernel, RespondersTableIsLeft) {
  const std::string old = run("dmsetup table " + name_);
  const Json record = inject({{"write", "5ms"}});
  const auto swap_in = [&](const std::string& lines) {
    run("printf '" + lines + "' | dmsetup load " + name_ + " && dmsetup resume --noudevsync " +
        name_);
  };
  std::string one_piece = old.substr(0, old.find('\n'));
  one_piece.replace(0, one_piece.find(" linear"), "0 131072");
  swap_in(one_piece);
  const std::string theirs = table();
  EXPECT_EQ(dm_delay().undo(*open_host(), record), UndoOutcome::superseded);
  EXPECT_EQ(table(), theirs);
  swap_in(old);
}

TEST_F(DmDelayKernel, RefusesTheDeviceThatHoldsTheAgentsOwnFilesAndWhatIsNotDeviceMapper) {
  kernel::LinuxHostOptions options;
  options.own_paths = {mount_};
  const auto host = kernel::open_linux_host(options);
  ASSERT_TRUE(host);
  const auto own = dm_delay().capture(**host, asked({{"write", "5ms"}}));
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().code, ErrorCode::refused) << describe(own.error());
  const auto lower = (*host)->disks().lowest((*host)->disks().find(name_)->number);
  ASSERT_TRUE(lower);
  const auto raw =
      dm_delay().capture(**host, params(dm_delay(), {{"device", lower->name}, {"write", "5ms"}}));
  ASSERT_FALSE(raw);
  EXPECT_EQ(raw.error().code, ErrorCode::unsupported) << describe(raw.error());
}

TEST_F(DmDelayKernel, RampMovesTheDelayInPlace) {
  const std::string before = table();
  const Json record = inject({{"flush", "5ms"}});
  for (const char* delay : {"10ms", "40ms"}) {
    const auto values = dm_delay().adjust(*open_host(), asked({{"flush", delay}}), record);
    ASSERT_TRUE(values) << describe(values.error());
  }
  EXPECT_NE(table().find(" 40\n"), std::string::npos) << table();
  undo(dm_delay(), record, UndoOutcome::restored);
  EXPECT_EQ(table(), before);
}

}  // namespace
}  // namespace firedrill::agent::test
