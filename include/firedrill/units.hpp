// Durations, sizes, rates and ratios: strings with units in JSON, strong types in C++.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "firedrill/result.hpp"

namespace firedrill {

using Duration = std::chrono::microseconds;
/// An instant on some UTC clock, to the microsecond. Which clock is said where it is used.
using UtcTime = std::chrono::sys_time<std::chrono::microseconds>;

struct ByteCount {
  std::uint64_t value = 0;
  auto operator<=>(const ByteCount&) const = default;
};

struct BitRate {
  std::uint64_t bits_per_second = 0;
  auto operator<=>(const BitRate&) const = default;
};

/// A share, 0.0 to 1.0.
struct Ratio {
  double value = 0;
  auto operator<=>(const Ratio&) const = default;
};

/// "250us", "1.5s", "200ms", "5m", "2h", "1d", or ISO 8601 "PT5M". At least 0; at most 366 days;
/// whole microseconds. A bare number is refused: the unit is part of the value.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
/// "64KiB", "1MB", "512B". Powers of 1024 with i, of 1000 without.
[[nodiscard]] Result<ByteCount> parse_byte_count(std::string_view text);
/// "10mbit", "1.5gbit", "800kbit", "9600bit" per second, powers of 1000 as tc(8) reads them.
[[nodiscard]] Result<BitRate> parse_bit_rate(std::string_view text);
/// "5%", "0.1%" or "0.05". Outside 0..100 % is refused, never clamped.
[[nodiscard]] Result<Ratio> parse_ratio(std::string_view text);

/// The shortest exact form: "1.5s", "200ms", "90s" as "1m30s".
[[nodiscard]] std::string to_string(Duration duration);
[[nodiscard]] std::string to_string(ByteCount bytes);
[[nodiscard]] std::string to_string(BitRate rate);
[[nodiscard]] std::string to_string(Ratio ratio);

/// "2026-03-01T12:00:00.123456Z" (RFC 3339), always with six decimals.
[[nodiscard]] std::string to_rfc3339(UtcTime time);
/// Any RFC 3339 form, as Prometheus and Alertmanager write them (offset, up to nanoseconds).
[[nodiscard]] Result<UtcTime> parse_rfc3339(std::string_view text);

[[nodiscard]] inline std::int64_t to_micros(UtcTime time) {
  return time.time_since_epoch().count();
}
[[nodiscard]] inline UtcTime from_micros(std::int64_t micros) {
  return UtcTime{std::chrono::microseconds{micros}};
}

}  // namespace firedrill
