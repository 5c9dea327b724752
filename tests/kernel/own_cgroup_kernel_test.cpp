// A process moves into a cgroup of its own: a sibling, or a scope of systemd's.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/kernel/own_cgroup.hpp"

namespace firedrill::agent::kernel {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

std::string cgroup_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
  std::string line;
  while (std::getline(file, line))
    if (line.starts_with("0::")) return line.substr(3);
  return {};
}

/// A child that entered a cgroup of its own, until it is told to leave it.
class Child {
 public:
  Child() {
    EXPECT_EQ(::pipe(ready_), 0);
    EXPECT_EQ(::pipe(leave_), 0);
    pid_ = ::fork();
    if (pid_ == 0) be_child();
    ::close(leave_[0]);
    EXPECT_EQ(::read(ready_[0], &word_, 1), 1);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }

  void end() {
    if (pid_ <= 0) return;
    ::close(leave_[1]);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  [[nodiscard]] bool entered() const { return word_ == 'R'; }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  [[noreturn]] void be_child() {
    ::close(leave_[1]);
    {
      const auto own = OwnCgroup::enter("firedrill-test");
      const char word = own ? 'R' : 'x';
      if (!own) std::fprintf(stderr, "%s\n", own.error().what.c_str());
      char rest = 0;
      if (::write(ready_[1], &word, 1) != 1 || ::read(leave_[0], &rest, 1) != 0) ::_exit(1);
    }
    ::_exit(0);
  }

  int ready_[2] = {-1, -1}, leave_[2] = {-1, -1};
  pid_t pid_ = 0;
  char word_ = 0;
};

TEST(OwnCgroupKernel, IsASiblingThatIsGoneAfterwards) {
  if (fs::exists("/run/systemd/system")) GTEST_SKIP() << "systemd is the manager here";
  if (::access("/sys/fs/cgroup/cgroup.procs", W_OK) != 0) GTEST_SKIP() << "no cgroups to make";
  Child child;
  ASSERT_TRUE(child.entered());
  const std::string own = sibling_cgroup(cgroup_of(::getpid()), "firedrill-test");
  EXPECT_EQ(cgroup_of(child.pid()), own);
  child.end();
  EXPECT_FALSE(fs::exists("/sys/fs/cgroup" + own));
}

TEST(OwnCgroupUnitKernel, IsAScopeUnderSystemd) {
  if (!fs::exists("/run/systemd/system")) GTEST_SKIP() << "no systemd";
  const Child child;
  ASSERT_TRUE(child.entered());
  const std::string wanted = "firedrill-test-" + std::to_string(child.pid()) + ".scope";
  const auto late = std::chrono::steady_clock::now() + 10s;
  while (!cgroup_of(child.pid()).ends_with(wanted) && std::chrono::steady_clock::now() < late)
    std::this_thread::sleep_for(20ms);
  EXPECT_TRUE(cgroup_of(child.pid()).ends_with(wanted)) << cgroup_of(child.pid());
}

TEST(SiblingCgroup, LiesBesideThePresentOne) {
  EXPECT_EQ(sibling_cgroup("/db-1/agent", "g"), "/db-1/g");
  EXPECT_EQ(sibling_cgroup("/agent", "g"), "/g");
  EXPECT_EQ(sibling_cgroup("/", "g"), "/g");
}

}  // namespace
}  // namespace firedrill::agent::kernel
