// How far an agent's clock is from ours, from request-answer exchanges. Pure: time is an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "controller/fleet/fleet.hpp"

namespace firedrill {

/// One exchange: we sent at `sent_us` (our clock), the agent received and answered on its clock,
/// and the answer arrived `elapsed` after we sent, by our monotonic clock.
struct ClockSample {
  std::int64_t sent_us = 0;
  std::int64_t agent_received_us = 0, agent_sent_us = 0;
  Duration elapsed{};
};

/// Minimum-delay filter over the last exchanges, after NTP (RFC 5905, sections 8 and 10): the
/// offset of one exchange is ((T2 - T1) + (T3 - T4)) / 2, and the truth lies within half its round
/// trip, (T4 - T1) - (T3 - T2). Between exchanges two crystals may drift apart by 100 ppm.
class ClockFilter {
 public:
  using Steady = std::chrono::steady_clock::time_point;

  /// Takes a sample in. One that contradicts the estimate (the intervals do not meet) means that
  /// one of the two clocks was stepped: the past is forgotten. False, and the sample is not used,
  /// when the agent's instants cannot be: before 1970, or longer apart than the whole exchange.
  bool add(const ClockSample& sample, Steady now);

  /// The sample with the smallest error at `now`. Empty before the first sample.
  [[nodiscard]] std::optional<ClockEstimate> at(Steady now) const;

 private:
  struct Entry {
    Duration offset, round_trip;
    Steady taken;
  };
  static Duration error_of(const Entry& entry, Steady now);
  std::deque<Entry> entries_;
};

}  // namespace firedrill
