// Estimates a server's clock offset from the instants that its answers carry. Pure.
#pragma once

#include <deque>
#include <optional>
#include <string_view>

#include "controller/detect/detection.hpp"

namespace firedrill {

/// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 IMF-fixdate, which is what servers send).
[[nodiscard]] Result<UtcTime> parse_http_date(std::string_view text);

/// A Date of D for a request that started at s and was answered at a says: the server's clock minus
/// ours is above D - a and below D + 1 s - s. Bounds of many answers are intersected, so that
/// polls at different phases of the second narrow them to about one round trip. Answers older than
/// the window are forgotten and younger ones widened by 500 ppm of their age (the most that NTP
/// slews a clock); when bounds still contradict each other a clock was stepped, and only the newest
/// counts.
class ClockBounds {
 public:
  explicit ClockBounds(Duration window = Duration{120'000'000}) : window_(window) {}

  /// `shown` is the server's instant cut to whole units of `resolution`: a Date header's second, or
  /// an API's millisecond, for which the above holds with its resolution in place of the second.
  void add(UtcTime started, UtcTime answered, UtcTime shown,
           Duration resolution = Duration{1'000'000});
  /// Nothing until an answer with a Date came.
  [[nodiscard]] std::optional<MonitorClock> estimate() const;

 private:
  struct Bound {
    UtcTime seen{};
    Duration low{}, high{};
  };
  Duration window_;
  std::deque<Bound> bounds_;
};

}  // namespace firedrill
