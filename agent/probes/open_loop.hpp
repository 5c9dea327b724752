// The open loop: operations start at evenly spaced instants whatever the earlier ones do, and a
// latency counts from the scheduled start. A slow target therefore cannot hide the operations it
// kept from starting (coordinated omission).
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "agent/probes/probe.hpp"

namespace firedrill::agent {

inline constexpr std::size_t kMaxInFlight = 16;

/// What carries operations out, in slots 0 .. kMaxInFlight − 1. One thread, except wake().
class Transport {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  struct Ended {
    std::size_t slot = 0;
    std::string error;  ///< empty: it succeeded
  };

  virtual ~Transport() = default;
  [[nodiscard]] virtual Result<void> begin(std::size_t slot) = 0;
  virtual void abandon(std::size_t slot) = 0;
  /// Works until something has ended, `until` has come, or wake() is called.
  virtual void work(Instant until) = 0;
  [[nodiscard]] virtual std::optional<Ended> next_ended() = 0;
  virtual void wake() noexcept = 0;
};

struct Pace {
  std::int64_t per_second = 1;
  Duration timeout{};  ///< from the scheduled start
};

/// Values: p50_ms, p95_ms, p99_ms, max_ms, mean_ms over the operations that succeeded or timed
/// out (these with the time-out itself: a lower bound; a quick refusal says nothing about
/// latency), count, error_ratio, and failures_in_a_row: the longest run of operations that failed
/// one after the other, in the order of their starts, counting those of earlier windows that ran on
/// into this one (what a health check with a failure threshold goes by). No latencies, or nothing
/// but count, when there were none.
class OpenLoopSession final : public ProbeSession {
 public:
  OpenLoopSession(std::unique_ptr<Transport> transport, Pace pace)
      : transport_(std::move(transport)), pace_(pace) {}
  ~OpenLoopSession() override;

  [[nodiscard]] Result<rpc::Sample> sample(Duration window) override;
  void cancel() noexcept override;

 private:
  using Instant = Transport::Instant;
  struct Outcome {
    Instant scheduled;
    std::optional<Duration> latency;
    std::string error;
  };

  void restart(Instant now);
  void schedule(Instant now, std::optional<Instant> end);
  void expire(Instant now);
  void start_waiting();
  void harvest();
  void record(Instant scheduled, std::optional<Duration> latency, std::string error);
  [[nodiscard]] bool outstanding_before(Instant end) const;
  [[nodiscard]] Instant next_wake(Instant end) const;
  [[nodiscard]] rpc::Sample collect(Instant from, Instant end);

  std::unique_ptr<Transport> transport_;
  Pace pace_;
  std::atomic<bool> cancelled_ = false;
  std::optional<Instant> cursor_;  ///< end of the last window, start of the next
  Instant driven_{};               ///< when the loop last ran
  Instant next_start_{};           ///< when the next operation is due
  std::deque<Instant> waiting_;    ///< due, but every slot is taken
  std::array<std::optional<Instant>, kMaxInFlight> slots_;
  std::int64_t failures_in_a_row_ = 0;  ///< at the end of the last window
  std::deque<Outcome> outcomes_;        ///< of this window and of what already runs after it
};

}  // namespace firedrill::agent
