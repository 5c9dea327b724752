// An engine over a fake world and a real journal, which can be "killed" and started again.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/executor/fakes.hpp"

namespace firedrill::agent::testing {

inline constexpr const char* kBootId = "11111111-2222-3333-4444-555555555555";

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "engine-" + std::string(6, 'X');
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    boot();
  }
  void TearDown() override {
    kill();
    std::filesystem::remove_all(directory_);
  }
  /// A fresh agent process: nothing in memory but what the journal says.
  void boot() {
    auto lock = StateLock::acquire(directory_);
    ASSERT_TRUE(lock);
    lock_.emplace(std::move(*lock));
    auto journal = Journal::open(directory_, boot_id_, *lock_);
    journal_ = std::make_unique<Journal>(std::move(*journal));
    engine_ = std::make_unique<Engine>(
        EngineParts{.host = host_,
                    .journal = *journal_,
                    .clock = clock_,
                    .pulse = pulse_,
                    .policy = policy_,
                    .host_name = "db-1",
                    .boot_id = boot_id_,
                    .find_fault = [this](std::string_view name) -> const Fault* {
                      return name == "fake" && known_ ? &fault_ : nullptr;
                    },
                    .on_event =
                        [this](std::string kind, std::string run, UtcTime at, Json data) {
                          events_.push_back({std::move(kind), std::move(run), at, std::move(data)});
                        },
                    .ensure_guardian = [this]() -> Result<void> {
                      if (!guardian_) return fail(ErrorCode::unavailable, "cannot start it");
                      return {};
                    },
                    .sample = [this](std::string_view, const Json&) { return sample(); },
                    .request_sample =
                        [this](std::string id, CureCondition) {
                          ++samples_;
                          engine_->cure_sampled(id, sample());
                        }});
    engine_->recover();
  }

  /// Without a word.
  void kill() {
    engine_ = nullptr;
    journal_ = nullptr;
    lock_.reset();
  }

  Result<rpc::Sample> sample() {
    if (!measured_) return fail(ErrorCode::unavailable, "no answer");
    rpc::Sample out;
    out.from_us = to_micros(clock_.utc());
    out.to_us = out.from_us + 1000;
    out.values["slots"] = *measured_;
    return out;
  }

  static FaultRequest request(const std::string& id, const std::string& key) {
    FaultRequest out;
    out.id = id;
    out.run = "run-1";
    out.fault = "fake";
    out.params = {{"key", key}};
    out.duration = std::chrono::minutes{5};
    return out;
  }

  void inject(const FaultRequest& what) {
    const auto prepared = engine_->prepare(what);
    ASSERT_TRUE(prepared) << prepared.error().what;
    const auto committed = engine_->commit({what.id}, clock_.utc());
    ASSERT_TRUE(committed) << committed.error().what;
    step();
  }

  /// Lets time pass and does what is due, as the executor's thread would: alarm by alarm.
  void pass(Duration time) {
    const Duration end = clock_.elapsed + time;
    for (Duration due = engine_->step(); due != Duration::max();) {
      const Duration next = clock_.elapsed + (due - clock_.boottime());
      if (next > end) break;
      clock_.elapsed = next;
      due = engine_->step();
    }
    clock_.elapsed = end;
    step();
  }
  void step() { [[maybe_unused]] const Duration due = engine_->step(); }
  [[nodiscard]] std::optional<rpc::InjectionStatus> status(const std::string& id) const {
    const auto list = engine_->list();
    const auto found = std::ranges::find(list, id, &rpc::InjectionStatus::id);
    return found == list.end() ? std::nullopt : std::optional(*found);
  }
  [[nodiscard]] InjectionState state(const std::string& id) const {
    return status(id).value_or(rpc::InjectionStatus{}).state;
  }
  [[nodiscard]] std::vector<std::string> kinds() const {
    std::vector<std::string> out(events_.size());
    std::ranges::transform(events_, out.begin(), &SeenEvent::kind);
    return out;
  }
  [[nodiscard]] const SeenEvent* last(std::string_view kind) const {
    for (auto event = events_.rbegin(); event != events_.rend(); ++event)
      if (event->kind == kind) return &*event;
    return nullptr;
  }

  std::filesystem::path directory_;
  std::string boot_id_ = kBootId;
  NoHost host_;
  World world_;
  FakeFault fault_{world_};
  bool known_ = true;
  bool guardian_ = true;
  Policy policy_;
  ManualClock clock_;
  Pulse pulse_;
  std::optional<double> measured_ = 4096;
  int samples_ = 0;
  std::vector<SeenEvent> events_;
  std::optional<StateLock> lock_;
  std::unique_ptr<Journal> journal_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace firedrill::agent::testing
