// A disk of our own: a file in memory behind a loop device behind a linear device-mapper device,
// with ext4 on it, mounted. And somebody who writes to it and syncs, all the time.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "agent/fault.hpp"
#include "agent/host_disk.hpp"
#include "agent/kernel/linux_host.hpp"
#include "tests/kernel/network_lab.hpp"

namespace firedrill::agent::test {

/// Writes 4 KiB and syncs, in a loop, until it is destroyed.
class SyncingWriter {
 public:
  explicit SyncingWriter(std::string path);
  ~SyncingWriter() { stop(); }
  void stop();
  [[nodiscard]] int writes() const { return writes_; }
  /// The first that failed, as words; empty: none did. Valid once stopped.
  [[nodiscard]] const std::string& error() const { return error_; }
  /// The longest write since the last call.
  [[nodiscard]] std::chrono::microseconds longest() { return longest_.exchange({}); }
  /// Returns once so many more writes have completed, or nothing has for a minute: false.
  [[nodiscard]] bool wait_for(int more) const;

 private:
  void run();

  std::string path_;
  std::string error_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> writes_ = 0;
  std::atomic<std::chrono::microseconds> longest_{};
  std::thread thread_;
};

class DiskLab : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  [[nodiscard]] static std::unique_ptr<Host> open_host(OperationObserver observer = {});
  [[nodiscard]] static Params params(const Fault& fault, const Json& given);
  /// Undoes in a fresh host and verifies.
  static void undo(const Fault& fault, const Json& record, UndoOutcome expected);
  /// As dmsetup sees it: live table and state.
  [[nodiscard]] std::string table() const;

  std::string name_;   ///< of device-mapper
  std::string mount_;  ///< where it is mounted

 private:
  std::string image_;
  std::string loop_;
};

}  // namespace firedrill::agent::test
