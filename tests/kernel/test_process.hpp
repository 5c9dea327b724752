// A process that a test makes to be leaked into, and cgroups with a memory controller.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "agent/fault.hpp"
#include "agent/kernel/linux_host.hpp"

namespace firedrill::agent::test {

/// What a test's process tells the test, in memory that both share.
struct Told {
  std::atomic<std::uint64_t> rounds;
  std::atomic<std::uint64_t> interrupted;  ///< waits that ended with EINTR
  std::atomic<std::uint64_t> wrong;        ///< results that cannot be
  std::atomic<int> go;                     ///< the test sets it
  std::atomic<pid_t> child;                ///< of the process
};

/// Runs `body` in a child until it is killed, at the latest with this object.
class TestProcess {
 public:
  TestProcess(const std::string& name, const std::function<void(Told&)>& body);
  TestProcess(const TestProcess&) = delete;
  ~TestProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] Told& told() const { return *told_; }
  [[nodiscard]] bool alive() const;
  /// Waits until it has gone round `more` times; false when it has not within 20 s.
  [[nodiscard]] bool goes_round(std::uint64_t more = 1) const;
  /// The same, until it has gone round more often than that.
  [[nodiscard]] bool comes_past(std::uint64_t rounds) const;
  /// Waits until its state (R, S, T, D …) is that one; false when it is not within 5 s.
  [[nodiscard]] bool comes_to(char state) const;
  void kill() const;
  /// The lines of its maps without those of its heap and stack, which move by themselves.
  [[nodiscard]] std::string maps() const;
  /// "Rss", "Pss", … of smaps_rollup, in bytes: exact, unlike VmRSS.
  [[nodiscard]] std::uint64_t memory(const std::string& field) const;

 private:
  Told* told_;
  pid_t pid_ = 0;
};

/// Runs `body` in a child of its own, as an agent that may die in the middle; true when it ended by
/// itself, false when it was killed.
bool in_a_process(const std::function<void()>& body);

/// A cgroup of either version with a memory controller, removed with this object. `directory` is
/// empty where there is none to be had.
class TestCgroup {
 public:
  TestCgroup();
  TestCgroup(const TestCgroup&) = delete;
  ~TestCgroup();
  void limit(std::uint64_t bytes) const;
  void add(pid_t pid) const;
  [[nodiscard]] std::uint64_t current() const;
  [[nodiscard]] std::uint64_t oom_kills() const;

  std::string directory;

 private:
  bool version1_ = false;
};

/// Params, hosts and the usual course, for faults that take a process.
class MemoryLab : public testing::Test {
 protected:
  void SetUp() override;
  std::unique_ptr<Host> open_host(OperationObserver observer = {});
  /// With rate 64MiB and limit 64MiB unless said otherwise.
  static Params params(Json given);
  /// Captures and applies.
  Json inject(const Params& params);
  /// Undoes twice in fresh hosts, and verifies.
  void undo(const Json& record);
  /// Step by step, as the agent does, until a step adds nothing or the target is dead.
  Json advance(const Params& params, const Json& record, Duration active);
  /// The same; bytes filled then.
  std::uint64_t grow(const Params& params, const Json& record, Duration active);

  static const Fault& leak() { return *find_fault("memory-leak"); }
};

}  // namespace firedrill::agent::test
