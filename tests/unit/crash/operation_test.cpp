// Which calls are points: what changes the world is, what only the process knows is not.
#include "tests/crash/operation.hpp"

#include <cstring>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/dm-ioctl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

namespace firedrill::crash {
namespace {

template <class Plain>
std::string bytes_of(const Plain& plain) {
  return {reinterpret_cast<const char*>(&plain), sizeof plain};
}

Call netlink_call(int protocol, std::uint16_t type) {
  nlmsghdr header{};
  header.nlmsg_len = sizeof header;
  header.nlmsg_type = type;
  return {SYS_sendmsg, {5}, "socket:[77]", protocol, {}, bytes_of(header)};
}

Call journal_write(const std::string& payload) {
  return {SYS_pwrite64, {7}, "/var/lib/firedrill/journal", {}, {}, "binary" + payload};
}

TEST(Operations, ChangesOfTheNetworkAreNamedAndQuestionsAreNone) {
  EXPECT_EQ(operation_of(netlink_call(NETLINK_ROUTE, RTM_NEWTFILTER)), "netlink new filter");
  EXPECT_EQ(operation_of(netlink_call(NETLINK_ROUTE, RTM_DELQDISC)), "netlink delete qdisc");
  EXPECT_EQ(operation_of(netlink_call(NETLINK_ROUTE, RTM_GETLINK)), std::nullopt);
  EXPECT_EQ(operation_of(netlink_call(NETLINK_ROUTE, RTM_GETRULE)), std::nullopt);
}

TEST(Operations, WhatAnotherNetlinkFamilyMeansIsUnknownSoItCounts) {
  EXPECT_TRUE(operation_of(netlink_call(NETLINK_GENERIC, 0x15)));
  EXPECT_TRUE(operation_of(netlink_call(NETLINK_NETFILTER, 0xa00)));
  EXPECT_FALSE(operation_of(netlink_call(NETLINK_GENERIC, NLMSG_MIN_TYPE))) << "asks for a family";
}

TEST(Operations, WritingCountsWhereOthersCanSeeIt) {
  EXPECT_EQ(operation_of({SYS_write, {9}, "/sys/fs/cgroup/db/io.max", {}, {}, "8:0 wbps=1"}),
            "write /sys/fs/cgroup/db/io.max");
  EXPECT_TRUE(operation_of({SYS_write, {9}, "pipe:[3]", {}, {}, "x"})) << "a helper waits there";
  EXPECT_FALSE(operation_of({SYS_write, {9}, "anon_inode:[eventfd]", {}, {}, "x"}));
  EXPECT_FALSE(operation_of({SYS_write, {2}, "/var/log/agent", {}, {}, "x"})) << "words for people";
}

TEST(Operations, AProcessIsOneAThreadIsNot) {
  EXPECT_TRUE(operation_of({SYS_clone, {SIGCHLD}, {}, {}, {}, {}}));
  const std::uint64_t thread = CLONE_THREAD | CLONE_VM;
  EXPECT_FALSE(operation_of({SYS_clone3, {}, {}, {}, {}, bytes_of(thread)}));
  EXPECT_TRUE(operation_of({SYS_clone3, {}, {}, {}, {}, bytes_of(std::uint64_t{0})}));
}

TEST(Operations, DeviceMapperIsAskedWithoutBeingChanged) {
  EXPECT_FALSE(operation_of({SYS_ioctl, {4, 0xc138fd07}, "/dev/mapper/control", {}, {}, {}}));
  EXPECT_TRUE(operation_of({SYS_ioctl, {4, 0xc138fd09}, "/dev/mapper/control", {}, {}, {}}))
      << "loads a table";
}

TEST(Operations, SuspendingADeviceAndResumingItAreOneCallWithTwoNames) {
  dm_ioctl header{};
  Call call{SYS_ioctl, {4, DM_DEV_SUSPEND}, "/dev/mapper/control", {}, {}, bytes_of(header)};
  EXPECT_EQ(operation_of(call), "device-mapper resume");
  header.flags = DM_SUSPEND_FLAG;
  call.bytes = bytes_of(header);
  EXPECT_EQ(operation_of(call), "device-mapper suspend");
  call.args[1] = DM_TABLE_LOAD;
  EXPECT_EQ(operation_of(call), "device-mapper load table");
}

TEST(Operations, OpeningIsOneOnlyWhereItMakesAFile) {
  EXPECT_FALSE(operation_of({SYS_openat, {0, 0, O_RDONLY}, {}, {}, "/etc/passwd", {}}));
  EXPECT_EQ(operation_of({SYS_openat, {0, 0, O_RDWR | O_CREAT}, {}, {}, "/run/lock", {}}),
            "openat /run/lock");
}

TEST(Operations, AConnectionToAProgramIsOne) {
  sockaddr_un bird{};
  bird.sun_family = AF_UNIX;
  std::strcpy(bird.sun_path, "/run/bird.ctl");
  EXPECT_EQ(operation_of({SYS_connect, {4}, {}, {}, {}, bytes_of(bird)}), "connect /run/bird.ctl");
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  EXPECT_FALSE(operation_of({SYS_bind, {4}, {}, {}, {}, bytes_of(kernel)}));
}

TEST(Operations, ASystemCallThatNobodyKnowsCounts) {
  constexpr long kFromTheFuture = 9999;
  EXPECT_EQ(operation_of({kFromTheFuture, {}, {}, {}, {}, {}}), "system call 9999");
}

TEST(Points, PhasesFollowTheJournal) {
  PointCounter counter;
  const Call other = netlink_call(NETLINK_ROUTE, RTM_NEWTFILTER);
  EXPECT_EQ(counter.next(other), (Point{Phase::before, 1}));
  EXPECT_EQ(counter.next(journal_write(R"({"state":"prepared","type":"prepared"})")),
            (Point{Phase::apply, 1}));
  EXPECT_EQ(counter.next(other), (Point{Phase::apply, 2}));
  EXPECT_EQ(counter.next(journal_write(R"({"state":"active"})")), (Point{Phase::apply, 3}));
  EXPECT_EQ(counter.next(other), (Point{Phase::undo, 1}));
  EXPECT_EQ(counter.next(journal_write(R"({"state":"undone"})")), (Point{Phase::undo, 2}));
}

TEST(Points, AreWrittenAsTheyAreRead) {
  EXPECT_EQ(parse_point("apply:7"), (Point{Phase::apply, 7}));
  EXPECT_EQ(to_string(Point{Phase::undo, 12}), "undo:12");
  for (const char* wrong : {"", "apply", "apply:", "apply:0", "apply:7x", "later:1"})
    EXPECT_FALSE(parse_point(wrong)) << wrong;
}

}  // namespace
}  // namespace firedrill::crash
