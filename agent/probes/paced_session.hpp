// A session that reads something on this host once per window, and counts how counters moved.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "agent/probes/probe.hpp"

namespace firedrill::agent {

using Values = std::map<std::string, double>;

/// Calls `read` with the time since its last success (nothing at the first). With `baseline` the
/// first sample waits for its window as every other does, because it needs two readings.
class PacedSession final : public ProbeSession {
 public:
  using Read = std::function<Result<Values>(std::optional<Duration> since_last)>;
  explicit PacedSession(Read read) : read_(std::move(read)) {}

  /// Reads once now, for what later readings are compared with.
  [[nodiscard]] Result<void> take_baseline();
  [[nodiscard]] Result<rpc::Sample> sample(Duration window) override;
  void cancel() noexcept override;

 private:
  using Instant = std::chrono::steady_clock::time_point;
  Read read_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool cancelled_ = false;
  std::optional<Instant> due_;   ///< end of the last window
  std::optional<Instant> last_;  ///< last successful reading
  std::int64_t last_us_ = 0;
};

/// How far a counter moved. Nothing when it went backwards: it was reset meanwhile.
[[nodiscard]] std::optional<double> moved(std::uint64_t before, std::uint64_t now);

}  // namespace firedrill::agent
