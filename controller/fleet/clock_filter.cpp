#include "controller/fleet/clock_filter.hpp"

#include <algorithm>

#include "firedrill/rpc.hpp"

namespace firedrill {
namespace {

constexpr std::size_t kWindow = 16;
// Crystals of servers stay within ±50 ppm each (RFC 5905 takes 15 ppm for a disciplined clock).
constexpr std::int64_t kDriftPartsPerMillion = 100;
// Four stamps cut to whole microseconds, and one division.
constexpr Duration kRounding{2};

bool plausible(std::int64_t micros) { return micros >= 0 && micros <= rpc::kLastMicros; }

}  // namespace

Duration ClockFilter::error_of(const Entry& entry, Steady now) {
  const auto age = std::chrono::duration_cast<Duration>(now - entry.taken);
  const Duration drift{(age.count() * kDriftPartsPerMillion + 999'999) / 1'000'000};
  return (entry.round_trip + Duration{1}) / 2 + drift + kRounding;
}

bool ClockFilter::add(const ClockSample& sample, Steady now) {
  if (!plausible(sample.agent_sent_us) || !plausible(sample.agent_received_us)) return false;
  const Duration held{sample.agent_sent_us - sample.agent_received_us};
  const Duration round_trip = sample.elapsed - held;
  // The two clocks tick in whole microseconds, so that an honest difference may come out at −2.
  if (held < Duration{0} || round_trip < -kRounding) return false;
  const std::int64_t answered_us = sample.sent_us + sample.elapsed.count();
  const Duration offset{
      ((sample.agent_received_us - sample.sent_us) + (sample.agent_sent_us - answered_us)) / 2};
  const Entry entry{offset, std::max(round_trip, Duration{0}), now};
  if (const auto known = at(now)) {
    const Duration apart = std::chrono::abs(entry.offset - known->offset);
    if (apart > error_of(entry, now) + known->error) entries_.clear();
  }
  entries_.push_back(entry);
  if (entries_.size() > kWindow) entries_.pop_front();
  return true;
}

std::optional<ClockEstimate> ClockFilter::at(Steady now) const {
  const auto best = std::ranges::min_element(
      entries_, {}, [now](const Entry& entry) { return error_of(entry, now); });
  if (best == entries_.end()) return std::nullopt;
  return ClockEstimate{best->offset, error_of(*best, now), best->round_trip};
}

}  // namespace firedrill
