// Two controllers on one store: a run that goes on is not taken for one whose controller died.
#include "controller/runner/run_lock.hpp"

#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

namespace firedrill {
namespace {

class RunLockTest : public testing::Test {
 protected:
  RunLockTest() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "firedrill-lock-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~RunLockTest() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] bool nobody() const {
    RunLock lock;
    return lock.nobody(folder_);
  }
  std::filesystem::path folder_;
};

TEST_F(RunLockTest, SeesRunsAsLongAsTheyGoOn) {
  EXPECT_TRUE(nobody());
  {
    RunLock one, another;
    one.hold(folder_);
    another.hold(folder_);
    EXPECT_FALSE(nobody());
  }
  EXPECT_TRUE(nobody());
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "it leaves no file";
}

TEST_F(RunLockTest, WithoutAFolderThePortsWordIsAllThereIs) {
  RunLock lock;
  lock.hold(folder_ / "missing");
  EXPECT_TRUE(lock.nobody(folder_ / "missing"));
}

}  // namespace
}  // namespace firedrill
