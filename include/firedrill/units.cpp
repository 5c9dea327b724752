#include "firedrill/units.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLongest = std::chrono::hours{24 * 366};

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array kDurationUnits{Unit{"us", 1.0}, Unit{"ms", 1e3},   Unit{"s", 1e6},
                                    Unit{"m", 60e6}, Unit{"h", 3600e6}, Unit{"d", 86400e6}};

constexpr std::array kByteUnits{
    Unit{"B", 1.0},  Unit{"KiB", 1024.0},       Unit{"MiB", 1048576.0},
    Unit{"KB", 1e3}, Unit{"GiB", 1073741824.0}, Unit{"TiB", 1099511627776.0},
    Unit{"MB", 1e6}, Unit{"GB", 1e9},           Unit{"TB", 1e12}};

constexpr std::array kRateUnits{Unit{"bit", 1.0}, Unit{"kbit", 1e3}, Unit{"mbit", 1e6},
                                Unit{"gbit", 1e9}};

/// Takes an unsigned decimal number off the front; no sign, no exponent, no "inf".
std::optional<double> take_number(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && ((text[end] >= '0' && text[end] <= '9') || text[end] == '.')) ++end;
  if (end == 0 || end > 20 || text[0] == '.') return std::nullopt;
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + end, value);
  if (error != std::errc{} || stop != text.data() + end) return std::nullopt;
  text.remove_prefix(end);
  return value;
}

template <std::size_t N>
std::optional<double> take_unit(std::string_view& text, const std::array<Unit, N>& units) {
  std::size_t end = 0;
  while (end < text.size() && !(text[end] >= '0' && text[end] <= '9')) ++end;
  for (const Unit& unit : units) {
    if (text.substr(0, end) != unit.name) continue;
    text.remove_prefix(end);
    return unit.factor;
  }
  return std::nullopt;
}

std::unexpected<Error> bad(std::string_view text, std::string_view kind, std::string_view example) {
  return fail(ErrorCode::invalid_input, "'" + std::string(text) + "' is not a " +
                                            std::string(kind) + "; write it like " +
                                            std::string(example));
}

Result<Duration> whole_micros(double micros, std::string_view text) {
  const double rounded = std::round(micros);
  if (rounded > static_cast<double>(kLongest.count()))
    return fail(ErrorCode::invalid_input, "'" + std::string(text) + "' is longer than 366d");
  if (std::abs(micros - rounded) > 1e-3)
    return fail(ErrorCode::invalid_input, "'" + std::string(text) + "' is finer than 1us");
  return Duration{static_cast<std::int64_t>(rounded)};
}

Result<Duration> parse_iso_duration(std::string_view text) {
  std::string_view rest = text.substr(1);
  double micros = 0;
  bool in_time = false;
  bool any = false;
  while (!rest.empty()) {
    if (rest.front() == 'T' && !in_time) {
      in_time = true;
      rest.remove_prefix(1);
      continue;
    }
    const auto number = take_number(rest);
    if (!number || rest.empty()) return bad(text, "duration", "'PT5M' or '5m'");
    const char unit = rest.front();
    rest.remove_prefix(1);
    if (!in_time && unit == 'D') micros += *number * 86400e6;
    else if (in_time && unit == 'H') micros += *number * 3600e6;
    else if (in_time && unit == 'M') micros += *number * 60e6;
    else if (in_time && unit == 'S') micros += *number * 1e6;
    else return bad(text, "duration", "'PT5M' or '5m'");
    any = true;
  }
  if (!any) return bad(text, "duration", "'PT5M' or '5m'");
  return whole_micros(micros, text);
}

template <std::size_t N>
Result<std::uint64_t> parse_scaled(std::string_view text, const std::array<Unit, N>& units,
                                   std::string_view kind, std::string_view example) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (!number) return bad(text, kind, example);
  const auto factor = take_unit(rest, units);
  if (!factor || !rest.empty()) return bad(text, kind, example);
  const double scaled = *number * *factor;
  if (scaled > 9e15 || std::abs(scaled - std::round(scaled)) > 1e-6)
    return fail(ErrorCode::invalid_input, "'" + std::string(text) + "' is too large or not whole");
  return static_cast<std::uint64_t>(std::llround(scaled));
}

std::string trimmed_number(double value) {
  std::array<char, 32> buffer{};
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  return error == std::errc{} ? std::string(buffer.data(), end) : std::string("0");
}

template <std::size_t N>
std::string largest_exact(std::uint64_t value, const std::array<Unit, N>& units) {
  std::string_view name = units[0].name;
  std::uint64_t best = 1;
  for (const Unit& unit : units) {
    const auto factor = static_cast<std::uint64_t>(unit.factor);
    if (value != 0 && value % factor == 0 && factor > best) {
      best = factor;
      name = unit.name;
    }
  }
  return std::to_string(value / best) + std::string(name);
}

std::string padded(std::int64_t value, std::size_t width) {
  std::string digits = std::to_string(value);
  return digits.size() >= width ? digits : std::string(width - digits.size(), '0') + digits;
}

/// Fixed-width digits at `at`, or nothing.
std::optional<int> digits_at(std::string_view text, std::size_t at, std::size_t width) {
  if (at + width > text.size()) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(at, width)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

/// "Z", "+hh:mm" or "-hh:mm" as the offset from UTC.
std::optional<Duration> parse_zone(std::string_view zone) {
  if (zone == "Z" || zone == "z") return Duration{0};
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  const auto hours = digits_at(zone, 1, 2);
  const auto minutes = digits_at(zone, 4, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const Duration offset = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
  return zone[0] == '-' ? -offset : offset;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  if (text.starts_with('P')) return parse_iso_duration(text);
  std::string_view rest = text;
  double micros = 0;
  while (!rest.empty()) {
    const auto number = take_number(rest);
    if (!number) return bad(text, "duration", "'200ms' or '5m'");
    const auto factor = take_unit(rest, kDurationUnits);
    if (!factor) return bad(text, "duration", "'200ms' or '5m'");
    micros += *number * *factor;
  }
  if (text.empty()) return bad(text, "duration", "'200ms' or '5m'");
  return whole_micros(micros, text);
}

Result<ByteCount> parse_byte_count(std::string_view text) {
  const auto value = parse_scaled(text, kByteUnits, "size", "'64KiB'");
  if (!value) return std::unexpected(value.error());
  return ByteCount{*value};
}

Result<BitRate> parse_bit_rate(std::string_view text) {
  const auto value = parse_scaled(text, kRateUnits, "rate", "'10mbit'");
  if (!value) return std::unexpected(value.error());
  return BitRate{*value};
}

Result<Ratio> parse_ratio(std::string_view text) {
  std::string_view rest = text;
  const auto number = take_number(rest);
  if (!number || (!rest.empty() && rest != "%")) return bad(text, "ratio", "'5%' or '0.05'");
  const double value = rest.empty() ? *number : *number / 100.0;
  if (value > 1.0)
    return fail(ErrorCode::invalid_input, "'" + std::string(text) + "' is more than 100%");
  return Ratio{value};
}

std::string to_string(Duration duration) {
  std::int64_t micros = duration.count();
  if (micros < 0) return "-" + to_string(Duration{-micros});
  if (micros == 0) return "0s";
  if (micros < 1000) return std::to_string(micros) + "us";
  if (micros < 1'000'000) return trimmed_number(static_cast<double>(micros) / 1e3) + "ms";
  std::string out;
  constexpr std::array<std::pair<std::int64_t, char>, 3> kLarge{
      {{86'400'000'000, 'd'}, {3'600'000'000, 'h'}, {60'000'000, 'm'}}};
  for (const auto& [size, name] : kLarge) {
    if (micros >= size) out += std::to_string(micros / size) + name;
    micros %= size;
  }
  if (micros != 0) out += trimmed_number(static_cast<double>(micros) / 1e6) + "s";
  return out;
}

std::string to_string(ByteCount bytes) { return largest_exact(bytes.value, kByteUnits); }
std::string to_string(BitRate rate) { return largest_exact(rate.bits_per_second, kRateUnits); }
std::string to_string(Ratio ratio) {
  return trimmed_number(std::round(ratio.value * 1e8) / 1e6) + "%";
}

std::string to_rfc3339(UtcTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return padded(int{date.year()}, 4) + "-" + padded(unsigned{date.month()}, 2) + "-" +
         padded(unsigned{date.day()}, 2) + "T" + padded(clock.hours().count(), 2) + ":" +
         padded(clock.minutes().count(), 2) + ":" + padded(clock.seconds().count(), 2) + "." +
         padded(clock.subseconds().count(), 6) + "Z";
}

Result<UtcTime> parse_rfc3339(std::string_view text) {
  const auto refuse = [&] { return bad(text, "time", "'2026-03-01T12:00:00.5Z'"); };
  const auto year = digits_at(text, 0, 4);
  const auto month = digits_at(text, 5, 2);
  const auto day = digits_at(text, 8, 2);
  const auto hour = digits_at(text, 11, 2);
  const auto minute = digits_at(text, 14, 2);
  const auto second = digits_at(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return refuse();
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':')
    return refuse();
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return refuse();
  std::size_t at = 19;
  std::int64_t micros = 0;
  if (at < text.size() && text[at] == '.') {
    std::int64_t scale = 100'000;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10)
      micros += (text[at] - '0') * scale;  // digits past microseconds weigh nothing
    if (text[at - 1] == '.') return refuse();
  }
  const auto zone = parse_zone(text.substr(at));
  if (!zone) return refuse();
  const UtcTime time = UtcTime{std::chrono::sys_days{date}} + std::chrono::hours{*hour} +
                       std::chrono::minutes{*minute} + std::chrono::seconds{*second} +
                       Duration{micros} - *zone;
  // A zone can carry the ends of the calendar into years that the format has no digits for.
  const int utc_year{
      std::chrono::year_month_day{std::chrono::floor<std::chrono::days>(time)}.year()};
  if (utc_year < 0 || utc_year > 9999) return refuse();
  return time;
}

}  // namespace firedrill
