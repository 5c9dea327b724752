#include "agent/probes/paced_session.hpp"

namespace firedrill::agent {
namespace {

using SteadyClock = std::chrono::steady_clock;

std::int64_t realtime_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Duration>(now).count();
}

}  // namespace

Result<void> PacedSession::take_baseline() {
  auto first = read_(std::nullopt);
  if (!first) return std::unexpected(first.error());
  last_ = due_ = SteadyClock::now();
  last_us_ = realtime_us();
  return {};
}

Result<rpc::Sample> PacedSession::sample(Duration window) {
  if (window > Duration{0} && due_) {
    // Joined to the last window, unless the caller was away for longer than one.
    const Instant now = SteadyClock::now();
    due_ = (now > *due_ + 2 * window ? now : *due_) + window;
    std::unique_lock lock(mutex_);
    wake_.wait_until(lock, *due_, [this] { return cancelled_; });
    if (cancelled_) return rpc::Sample{};
  } else {
    due_ = SteadyClock::now();
  }
  const Instant now = SteadyClock::now();
  const auto since =
      last_ ? std::optional(std::chrono::duration_cast<Duration>(now - *last_)) : std::nullopt;
  auto values = read_(since);
  if (!values) return std::unexpected(values.error());
  rpc::Sample sample;
  sample.to_us = realtime_us();
  sample.from_us = last_ ? last_us_ : sample.to_us;
  sample.count = 1;
  sample.values = std::move(*values);
  last_ = now;
  last_us_ = sample.to_us;
  return sample;
}

void PacedSession::cancel() noexcept {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  wake_.notify_all();
}

std::optional<double> moved(std::uint64_t before, std::uint64_t now) {
  if (now < before) return std::nullopt;
  return static_cast<double>(now - before);
}

}  // namespace firedrill::agent
