// The truth that the measures are compared with: each trial's instant, noted when it is made.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "firedrill/units.hpp"

namespace firedrill::calibration {

inline constexpr int kTrials = 200;  ///< of each source

[[nodiscard]] inline UtcTime true_now() {
  return std::chrono::floor<Duration>(std::chrono::system_clock::now());
}

inline void wait_until(UtcTime at) {
  std::this_thread::sleep_until(std::chrono::system_clock::time_point(at.time_since_epoch()));
}

/// The clock of one part of the world: the true one, and a deliberate error.
struct Skewed {
  Duration error{};
  [[nodiscard]] UtcTime now() const { return true_now() + error; }
  [[nodiscard]] UtcTime of(UtcTime truth) const { return truth + error; }
};

/// By alertname. Thread-safe.
class Ledger {
 public:
  void note(const std::string& alert, UtcTime truth) {
    const std::lock_guard lock(mutex_);
    truths_[alert].push_back(truth);
  }
  void note_injection(UtcTime truth) {
    const std::lock_guard lock(mutex_);
    if (!injected_) injected_ = truth;
  }
  /// The instant from which delays count; waits for it.
  [[nodiscard]] UtcTime injected() const {
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (injected_) return *injected_;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
  }
  [[nodiscard]] std::vector<UtcTime> of(const std::string& alert) const {
    const std::lock_guard lock(mutex_);
    const auto found = truths_.find(alert);
    return found == truths_.end() ? std::vector<UtcTime>{} : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<UtcTime>> truths_;
  std::optional<UtcTime> injected_;
};

/// When each trial happens, after the injection: half of them on a fixed grid, half at random.
[[nodiscard]] inline std::vector<Duration> make_delays(Duration first, Duration last,
                                                       std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::int64_t> anywhere(first.count(), last.count());
  std::vector<Duration> delays;
  for (int i = 0; i < kTrials; ++i) {
    const bool fixed = i % 2 == 0;
    delays.emplace_back(fixed ? first.count() + (last - first).count() * i / kTrials
                              : anywhere(random));
  }
  return delays;
}

[[nodiscard]] std::string trial_name(std::string_view source, int number);

}  // namespace firedrill::calibration
