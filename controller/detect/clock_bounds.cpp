#include "controller/detect/clock_bounds.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/core.h>

namespace firedrill {
namespace {

constexpr std::int64_t kDriftPerMillion = 500;

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

}  // namespace

Result<UtcTime> parse_http_date(std::string_view text) {
  // "Sun, 06 Nov 1994 08:49:37 GMT": every field stands at a fixed place.
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto bad = [&] {
    return fail(ErrorCode::invalid_input, fmt::format("'{}' is no HTTP date", text));
  };
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
      text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':')
    return bad();
  const auto day = number(text.substr(5, 2)), year = number(text.substr(12, 4));
  const auto hour = number(text.substr(17, 2)), minute = number(text.substr(20, 2));
  const auto second = number(text.substr(23, 2));
  const auto month = std::ranges::find(kMonths, text.substr(8, 3));
  if (!day || !year || !hour || !minute || !second || month == kMonths.end()) return bad();
  const std::chrono::year_month_day date{
      std::chrono::year{*year},
      std::chrono::month{static_cast<unsigned>(month - kMonths.begin()) + 1},
      std::chrono::day{static_cast<unsigned>(*day)}};
  // A leap second is written as 60.
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return bad();
  return UtcTime{std::chrono::sys_days{date} + std::chrono::hours{*hour} +
                 std::chrono::minutes{*minute} + std::chrono::seconds{*second}};
}

void ClockBounds::add(UtcTime started, UtcTime answered, UtcTime shown, Duration resolution) {
  while (!bounds_.empty() && answered - bounds_.front().seen > window_) bounds_.pop_front();
  const Bound newest{answered, shown - answered, shown + resolution - started};
  bounds_.push_back(newest);
  if (!estimate()) bounds_.assign(1, newest);
}

std::optional<MonitorClock> ClockBounds::estimate() const {
  if (bounds_.empty()) return std::nullopt;
  const UtcTime now = bounds_.back().seen;
  Duration low = Duration::min(), high = Duration::max();
  for (const Bound& bound : bounds_) {
    const Duration drift = (now - bound.seen) * kDriftPerMillion / 1'000'000;
    low = std::max(low, bound.low - drift);
    high = std::min(high, bound.high + drift);
  }
  if (low > high) return std::nullopt;
  return MonitorClock{.offset = low + (high - low) / 2, .error = (high - low + Duration{1}) / 2};
}

}  // namespace firedrill
