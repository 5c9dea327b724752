// A controller that runs on loopback, and the lines that it says of peers.
#pragma once

#include "controller/runner/runner.hpp"
#include "tests/unit/link/support.hpp"

namespace firedrill::link_test {

class RunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Observers observers;
    observers.notice = [this](std::string_view line) {
      const std::scoped_lock lock{mutex_};
      notices_.emplace_back(line);
    };
    RunnerConfig config;
    config.address = "127.0.0.1";
    config.port = 0;
    config.home = home();
    auto opened = Runner::open(config, observers);
    ASSERT_TRUE(opened) << describe(opened.error());
    runner_ = std::move(*opened);
  }
  std::filesystem::path dir() const { return authority_.dir(); }
  std::filesystem::path home() const { return dir().parent_path(); }
  std::vector<std::string> notices() const {
    const std::scoped_lock lock{mutex_};
    return notices_;
  }

  Authority authority_;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> notices_;

 protected:
  std::unique_ptr<Runner> runner_;  ///< last: until its threads have ended they say what they see
};

}  // namespace firedrill::link_test
