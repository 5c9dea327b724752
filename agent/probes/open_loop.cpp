#include "agent/probes/open_loop.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "agent/probes/percentile.hpp"

namespace firedrill::agent {
namespace {

using SteadyClock = std::chrono::steady_clock;

Duration micros_between(SteadyClock::time_point from, SteadyClock::time_point to) {
  return std::chrono::duration_cast<Duration>(to - from);
}

/// CLOCK_REALTIME now, in microseconds.
std::int64_t realtime_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Duration>(now).count();
}

}  // namespace

OpenLoopSession::~OpenLoopSession() {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot)
    if (slots_[slot]) transport_->abandon(slot);
}

void OpenLoopSession::cancel() noexcept {
  cancelled_ = true;
  transport_->wake();
}

void OpenLoopSession::restart(Instant now) {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot]) transport_->abandon(slot);
    slots_[slot].reset();
  }
  waiting_.clear();
  outcomes_.clear();
  failures_in_a_row_ = 0;
  cursor_ = next_start_ = now;
}

/// `end`, when given, is where the schedule stops: a single measurement is one operation.
void OpenLoopSession::schedule(Instant now, std::optional<Instant> end) {
  const std::chrono::nanoseconds period{1'000'000'000 / pace_.per_second};
  for (; next_start_ <= now && (!end || next_start_ < *end); next_start_ += period)
    waiting_.push_back(next_start_);
}

void OpenLoopSession::record(Instant scheduled, std::optional<Duration> latency,
                             std::string error) {
  outcomes_.push_back({scheduled, latency, std::move(error)});
}

void OpenLoopSession::expire(Instant now) {
  for (; !waiting_.empty() && waiting_.front() + pace_.timeout <= now; waiting_.pop_front())
    record(waiting_.front(), pace_.timeout,
           fmt::format("no answer within {}: it could not even start behind {} others",
                       to_string(pace_.timeout), kMaxInFlight));
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot] || *slots_[slot] + pace_.timeout > now) continue;
    transport_->abandon(slot);
    record(*slots_[slot], pace_.timeout,
           fmt::format("no answer within {}", to_string(pace_.timeout)));
    slots_[slot].reset();
  }
}

void OpenLoopSession::start_waiting() {
  for (std::size_t slot = 0; slot < slots_.size() && !waiting_.empty(); ++slot) {
    if (slots_[slot]) continue;
    const Instant scheduled = waiting_.front();
    waiting_.pop_front();
    if (auto begun = transport_->begin(slot); !begun)
      record(scheduled, std::nullopt, begun.error().what);
    else slots_[slot] = scheduled;
  }
}

void OpenLoopSession::harvest() {
  while (auto ended = transport_->next_ended()) {
    auto& slot = slots_.at(ended->slot);
    if (!slot) continue;
    const Duration latency = micros_between(*slot, SteadyClock::now());
    record(*slot, ended->error.empty() ? std::optional(latency) : std::nullopt,
           std::move(ended->error));
    slot.reset();
  }
}

bool OpenLoopSession::outstanding_before(Instant end) const {
  return (!waiting_.empty() && waiting_.front() < end) ||
         std::ranges::any_of(slots_, [&](const auto& slot) { return slot && *slot < end; });
}

OpenLoopSession::Instant OpenLoopSession::next_wake(Instant end) const {
  const Instant now = SteadyClock::now();
  Instant next = now < end ? std::min(end, next_start_) : next_start_;
  if (!waiting_.empty()) next = std::min(next, waiting_.front() + pace_.timeout);
  for (const auto& slot : slots_)
    if (slot) next = std::min(next, *slot + pace_.timeout);
  return next;
}

rpc::Sample OpenLoopSession::collect(Instant from, Instant end) {
  rpc::Sample sample;
  const Instant now = SteadyClock::now();
  const std::int64_t real = realtime_us();
  sample.from_us = real - micros_between(from, now).count();
  sample.to_us = real - micros_between(end, now).count();
  std::vector<Duration> latencies;
  std::int64_t longest_row = 0;
  std::ranges::sort(outcomes_, {}, &Outcome::scheduled);  // they came as they ended
  std::erase_if(outcomes_, [&](const Outcome& outcome) {
    if (outcome.scheduled >= end) return false;
    ++sample.count;
    failures_in_a_row_ = outcome.error.empty() ? 0 : failures_in_a_row_ + 1;
    longest_row = std::max(longest_row, failures_in_a_row_);
    if (!outcome.error.empty()) {
      ++sample.errors;
      sample.error = outcome.error;
    }
    if (outcome.latency) latencies.push_back(*outcome.latency);
    return true;
  });
  sample.values = latency_values(std::move(latencies));
  sample.values["count"] = static_cast<double>(sample.count);
  if (sample.count == 0) return sample;
  sample.values["error_ratio"] =
      static_cast<double>(sample.errors) / static_cast<double>(sample.count);
  sample.values["failures_in_a_row"] = static_cast<double>(longest_row);
  return sample;
}

Result<rpc::Sample> OpenLoopSession::sample(Duration window) {
  const Instant entered = SteadyClock::now();
  const bool single = window <= Duration{0};
  // Nobody drove the loop for a while: that silence was the caller's, not the target's. (A sample
  // that waited for slow operations has driven it past its own end.)
  if (single || !cursor_ || entered > std::max(*cursor_, driven_) + window) restart(entered);
  const Instant from = *cursor_;
  const Instant end = single ? from + Duration{1} : from + window;
  while (!cancelled_) {
    const Instant now = SteadyClock::now();
    driven_ = now;
    schedule(now, single ? std::optional(end) : std::nullopt);
    expire(now);
    start_waiting();
    harvest();
    if (now >= end && !outstanding_before(end)) break;
    transport_->work(single && now >= end ? now + pace_.timeout : next_wake(end));
    harvest();
  }
  if (single) {
    cursor_.reset();
    return collect(from, std::max(end, SteadyClock::now()));
  }
  cursor_ = end;
  return collect(from, cancelled_ ? std::min(end, SteadyClock::now()) : end);
}

}  // namespace firedrill::agent
