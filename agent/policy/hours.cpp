#include "agent/policy/hours.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>

#include <fmt/format.h>

namespace firedrill::agent {
namespace {

constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr std::array<std::string_view, 7> kShown{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::uint8_t kEveryDay = 0x7F;

std::optional<int> two_digits(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.size() != 2 || error != std::errc{} || end != text.data() + 2 || value < 0)
    return std::nullopt;
  return value;
}

/// "09:00"; none for anything else. 24:00 is a minute of the day for an end only.
std::optional<int> minute_of_day(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hour = two_digits(text.substr(0, 2));
  const auto minute = two_digits(text.substr(3));
  if (!hour || !minute || *minute > 59 || *hour * 60 + *minute > kMinutesOfDay) return std::nullopt;
  return *hour * 60 + *minute;
}

Result<std::size_t> day(std::string_view word, const std::string& pointer) {
  const auto found = std::ranges::find(kDays, word);
  if (found != kDays.end()) return static_cast<std::size_t>(found - kDays.begin());
  return fail_at(pointer, fmt::format("'{}' is no day.{}", word, suggestion(word, kDays)));
}

Result<std::uint8_t> read_days(std::string_view text, const std::string& pointer) {
  std::uint8_t days = 0;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view span = text.substr(0, comma);
    const std::size_t dash = span.find('-');
    const auto first = day(span.substr(0, dash), pointer);
    if (!first) return std::unexpected(first.error());
    const auto last = dash == std::string_view::npos ? first : day(span.substr(dash + 1), pointer);
    if (!last) return std::unexpected(last.error());
    for (std::size_t at = *first;; at = (at + 1) % kDays.size()) {
      days = static_cast<std::uint8_t>(days | (1U << at));
      if (at == *last) break;
    }
    if (comma == std::string_view::npos) return days;
    text.remove_prefix(comma + 1);
  }
}

int read_time(ObjectReader& reader, std::string_view key) {
  const std::string text = reader.required_text(key);
  if (const auto minute = minute_of_day(text)) return *minute;
  reader.note_error({ErrorCode::invalid_input, 0,
                     fmt::format("'{}' is no time of the day: write it as 09:30", text),
                     reader.at(key)});
  return 0;
}

}  // namespace

int local_minute_of_week(UtcTime at) {
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return 0;
  const int day_from_monday = (local.tm_wday + 6) % 7;
  return day_from_monday * kMinutesOfDay + local.tm_hour * 60 + local.tm_min;
}

std::string minute_text(int minute_of_week) {
  const int minute = minute_of_week % kMinutesOfDay;
  return fmt::format("{} {:02}:{:02}",
                     kShown[static_cast<std::size_t>(minute_of_week / kMinutesOfDay) % 7],
                     minute / 60, minute % 60);
}

Result<Hours> Hours::parse(const Json& list, std::string_view pointer) {
  if (!list.is_array() || list.empty())
    return fail_at(std::string(pointer),
                   "expected a list of windows such as {\"days\": \"mon-fri\", \"from\": "
                   "\"09:00\", \"to\": \"17:00\"}; leave it out for any time");
  Hours out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    ObjectReader reader(list[i], pointer_join(pointer, i));
    Window window;
    const std::string days = reader.optional_text("days");
    window.from = read_time(reader, "from");
    window.to = read_time(reader, "to");
    window.days = kEveryDay;
    if (reader.ok() && reader.member("days") != nullptr) {
      const auto read = read_days(days, reader.at("days"));
      if (read) window.days = *read;
      else reader.note_error(read.error());
    }
    if (reader.ok() && window.from == kMinutesOfDay)
      reader.note_error(
          {ErrorCode::invalid_input, 0, "a window begins before 24:00", reader.at("from")});
    if (auto done = reader.finish(); !done) return std::unexpected(done.error());
    window.text = fmt::format("{} {:02}:{:02}-{:02}:{:02}", days.empty() ? "every day" : days,
                              window.from / 60, window.from % 60, window.to / 60, window.to % 60);
    if (window.to <= window.from) window.to += kMinutesOfDay;
    out.windows_.push_back(std::move(window));
  }
  return out;
}

bool Hours::open_at(int minute_of_week) const {
  if (windows_.empty()) return true;
  const int today = minute_of_week / kMinutesOfDay;
  const int minute = minute_of_week % kMinutesOfDay;
  const auto begins = [](const Window& window, int day) {
    return (window.days >> (day % 7) & 1) != 0;
  };
  return std::ranges::any_of(windows_, [&](const Window& window) {
    return (begins(window, today) && minute >= window.from && minute < window.to) ||
           (begins(window, today + 6) && minute + kMinutesOfDay < window.to);
  });
}

int Hours::first_closed(UtcTime at, Duration span, const LocalMinute& local) const {
  if (windows_.empty()) return -1;
  // Minute by minute, so that a clock that changes to or from summer time in between counts.
  const UtcTime last = at + std::max(span - Duration{1}, Duration{});
  for (UtcTime now = at;; now = std::min<UtcTime>(now + std::chrono::minutes(1), last)) {
    const int minute = local(now);
    if (!open_at(minute)) return minute;
    if (now == last) return -1;
  }
}

std::string Hours::describe() const {
  std::string out;
  for (const Window& window : windows_) out += (out.empty() ? "" : ", ") + window.text;
  return out;
}

}  // namespace firedrill::agent
