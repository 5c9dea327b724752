// Where the SSH server can be reached, out of a /proc of the test's own.
#include "agent/kernel/ssh_ports.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace firedrill::agent::kernel {
namespace {

using testing::ElementsAre;
namespace fs = std::filesystem;

class SshPorts : public testing::Test {
 protected:
  SshPorts() {
    std::string pattern = (fs::temp_directory_path() / "firedrill-proc-XXXXXX").string();
    proc_ = ::mkdtemp(pattern.data());
    fs::create_directories(proc_ / "net");
  }
  ~SshPorts() override { fs::remove_all(proc_); }

  void process(int pid, const std::string& name, int parent, std::vector<int> inodes = {}) {
    const fs::path folder = proc_ / std::to_string(pid);
    fs::create_directories(folder / "fd");
    std::ofstream(folder / "stat") << pid << " (" << name << ") S " << parent << " 0 0\n";
    for (std::size_t i = 0; i < inodes.size(); ++i)
      fs::create_symlink("socket:[" + std::to_string(inodes[i]) + "]",
                         folder / "fd" / std::to_string(i));
  }
  void table(const std::string& name, const std::string& lines) {
    std::ofstream(proc_ / "net" / name) << "  sl  local_address rem_address st …\n" << lines;
  }
  static std::string line(const std::string& local, int inode) {
    return "   0: " + local + " 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0" +
           "        0 " + std::to_string(inode) + " 1 0000 100 0 0 10 0\n";
  }

  fs::path proc_;
};

TEST_F(SshPorts, Port22WhereNothingIsKnown) {
  EXPECT_THAT(ssh_server_ports(proc_), ElementsAre(22));
}

TEST_F(SshPorts, EveryPortOnWhichTheServerListensOfEitherFamily) {
  process(1, "systemd", 0);
  process(70, "sshd", 1, {501, 502});
  process(80, "nginx", 1, {503});
  table("tcp", line("00000000:08AE", 501) + line("00000000:0050", 503));
  table("tcp6", line("00000000000000000000000000000000:08AF", 502));
  EXPECT_THAT(ssh_server_ports(proc_), ElementsAre(22, 2222, 2223));
}

TEST_F(SshPorts, WhatASessionForwardsIsNotTheWayIn) {
  process(1, "systemd", 0);
  process(70, "sshd", 1, {501});
  process(71, "sshd", 70, {504});
  table("tcp", line("00000000:08AE", 501) + line("0100007F:1F90", 504));
  EXPECT_THAT(ssh_server_ports(proc_), ElementsAre(22, 2222));
}

TEST_F(SshPorts, AServerThatASocketUnitStartedIsReachedWhereItsSessionIs) {
  process(1, "systemd", 0, {501});
  process(90, "sshd", 1, {505});
  table("tcp", line("00000000:08AE", 501) + line("0A000001:08AE", 505));
  EXPECT_THAT(ssh_server_ports(proc_), ElementsAre(22, 2222));
}

TEST_F(SshPorts, AWildNameAndBrokenTablesAreNoTrouble) {
  process(70, "a) S 1 (sshd", 1, {501});
  fs::create_directories(proc_ / "71");
  table("tcp", "garbage\n 1: zz\n" + line("00000000:ZZZZ", 501));
  EXPECT_THAT(ssh_server_ports(proc_), ElementsAre(22));
}

}  // namespace
}  // namespace firedrill::agent::kernel
