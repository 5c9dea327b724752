// Stamps and matching.
#include "agent/probes/log_lines.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <regex.h>

namespace firedrill::agent {
namespace {

constexpr int kMostRepeatedRepeats = 6;
/// x+ is 1 deep, (x+)* is 2. glibc's time to compile grows by the length to this power: at 4 it is
/// seconds for 256 bytes.
constexpr int kDeepestRepetition = 3;
constexpr std::size_t kStampWithin = 40;
constexpr std::size_t kLongestRegex = 256;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads fixed digits and separators from a text, and remembers a mismatch.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  int number(std::size_t digits) {
    if (text_.size() < digits || !std::all_of(text_.begin(), text_.begin() + digits, is_digit))
      return fail();
    int value = 0;
    std::from_chars(text_.data(), text_.data() + digits, value);
    text_.remove_prefix(digits);
    return value;
  }
  void one_of(std::string_view characters) {
    if (text_.empty() || !characters.contains(text_.front())) fail();
    else text_.remove_prefix(1);
  }
  [[nodiscard]] bool at(std::string_view characters) const {
    return !text_.empty() && characters.contains(text_.front());
  }
  void skip() { text_.remove_prefix(std::min<std::size_t>(1, text_.size())); }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::string_view rest() const { return text_; }

 private:
  int fail() {
    ok_ = false;
    return 0;
  }
  std::string_view text_;
  bool ok_ = true;
};

/// ".123456": microseconds, and the unit that the digits leave open.
void read_fraction(Cursor& cursor, Duration& fraction, Duration& unit) {
  unit = Duration{1'000'000};
  fraction = Duration{0};
  if (!cursor.at(".,")) return;
  cursor.skip();
  while (cursor.at("0123456789")) {
    const int digit = cursor.number(1);
    if (unit == Duration{1}) continue;
    unit /= 10;
    fraction += unit * digit;
  }
}

/// Minutes east of Greenwich; nothing when the stamp names no zone.
std::optional<int> read_zone(Cursor& cursor) {
  if (cursor.at("Z")) return 0;
  if (!cursor.at("+-")) return std::nullopt;
  const int sign = cursor.at("-") ? -1 : 1;
  cursor.skip();
  const int hours = cursor.number(2);
  if (cursor.at(":")) cursor.skip();
  return sign * (hours * 60 + cursor.number(2));
}

std::optional<UtcTime> to_utc(std::tm parts, std::optional<int> zone) {
  const bool sane = parts.tm_mon >= 0 && parts.tm_mon < 12 && parts.tm_mday >= 1 &&
                    parts.tm_mday <= 31 && parts.tm_hour < 24 && parts.tm_min < 60 &&
                    parts.tm_sec <= 60;
  if (!sane) return std::nullopt;
  parts.tm_isdst = -1;
  const std::time_t seconds = zone ? ::timegm(&parts) - *zone * 60 : std::mktime(&parts);
  return UtcTime{std::chrono::seconds{seconds}};
}

std::optional<LogStamp> iso_stamp(std::string_view text) {
  Cursor cursor(text);
  std::tm parts{};
  parts.tm_year = cursor.number(4) - 1900;
  cursor.one_of("-/");
  parts.tm_mon = cursor.number(2) - 1;
  cursor.one_of("-/");
  parts.tm_mday = cursor.number(2);
  cursor.one_of("T ");
  parts.tm_hour = cursor.number(2);
  cursor.one_of(":");
  parts.tm_min = cursor.number(2);
  cursor.one_of(":");
  parts.tm_sec = cursor.number(2);
  LogStamp stamp;
  Duration fraction{};
  read_fraction(cursor, fraction, stamp.unit);
  const auto zone = read_zone(cursor);
  if (!cursor.ok()) return std::nullopt;
  const auto at = to_utc(parts, zone);
  if (!at) return std::nullopt;
  stamp.at = *at + fraction;
  return stamp;
}

/// "Mar  1 12:00:00": the year is the one that brings it nearest to now.
std::optional<LogStamp> syslog_stamp(std::string_view text, UtcTime now) {
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto month = std::ranges::find(kMonths, text.substr(0, 3));
  if (month == kMonths.end() || text.size() < 15) return std::nullopt;
  std::string padded(text.substr(4, 11));
  if (padded.front() == ' ') padded.front() = '0';
  Cursor cursor(padded);
  std::tm parts{};
  parts.tm_mon = static_cast<int>(month - kMonths.begin());
  parts.tm_mday = cursor.number(2);
  cursor.one_of(" ");
  parts.tm_hour = cursor.number(2);
  cursor.one_of(":");
  parts.tm_min = cursor.number(2);
  cursor.one_of(":");
  parts.tm_sec = cursor.number(2);
  if (!cursor.ok()) return std::nullopt;
  const std::chrono::year_month_day today{std::chrono::floor<std::chrono::days>(now)};
  std::optional<LogStamp> best;
  for (const int offset : {-1, 0, 1}) {
    parts.tm_year = static_cast<int>(today.year()) + offset - 1900;
    const auto at = to_utc(parts, std::nullopt);
    if (at && (!best || std::chrono::abs(*at - now) < std::chrono::abs(best->at - now)))
      best = LogStamp{*at, Duration{1'000'000}};
  }
  return best;
}

/// How deep repetitions stand in each other. Parentheses between brackets are read as groups, too,
/// which never makes it less.
int depth_of_repetition(std::string_view expression) {
  std::vector<int> groups{0};  // the deepest within each group that is open
  int last = 0;                // of what a repetition would repeat
  bool escaped = false;
  for (const char c : expression) {
    const bool plain = std::exchange(escaped, false);
    if (!plain && c == '\\') {
      escaped = true;
    } else if (!plain && c == '(') {
      groups.push_back(0);
      last = 0;
    } else if (!plain && c == ')') {
      last = groups.back();
      if (groups.size() > 1) groups.pop_back();
      groups.back() = std::max(groups.back(), last);
    } else if (!plain && std::string_view("*+?").contains(c)) {
      groups.back() = std::max(groups.back(), ++last);
    } else {
      last = 0;
    }
  }
  return std::ranges::max(groups);
}

}  // namespace

std::optional<LogStamp> stamp_of(std::string_view line, UtcTime now) {
  if (const auto stamp = syslog_stamp(line, now)) return stamp;
  for (std::size_t at = 0; at < std::min(kStampWithin, line.size()); ++at) {
    const bool begins = is_digit(line[at]) && (at == 0 || !is_digit(line[at - 1]));
    if (!begins) continue;
    if (const auto stamp = iso_stamp(line.substr(at))) return stamp;
  }
  return std::nullopt;
}

struct LineMatcher::Compiled {
  regex_t regex{};
  bool good = false;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    if (good) ::regfree(&regex);
  }
};

Result<LineMatcher> LineMatcher::of_regex(const std::string& expression) {
  const auto refuse = [](std::string what) { return fail_at("/regex", std::move(what)); };
  if (expression.size() > kLongestRegex || expression.contains('\0'))
    return refuse(fmt::format("it may have 1 to {} bytes", kLongestRegex));
  bool escaped = false;
  char before = '\0';
  int repeated_repeats = 0;
  for (const char c : expression) {
    if (escaped && is_digit(c)) return refuse("back-references are not taken");
    if (!escaped && c == '{')
      return refuse("counted repetitions are not taken; a brace of the text is written \\{");
    // glibc compiles x+ as xx*: each + around another doubles the memory.
    if (!escaped && c == '+' && std::string_view(")*+?").contains(before)) ++repeated_repeats;
    before = escaped ? '\0' : c;
    escaped = !escaped && c == '\\';
  }
  if (repeated_repeats > kMostRepeatedRepeats)
    return refuse(fmt::format("at most {} times a + may follow a group or another repetition",
                              kMostRepeatedRepeats));
  if (depth_of_repetition(expression) > kDeepestRepetition)
    return refuse(
        fmt::format("repetitions may stand in each other at most {} deep, as in ((a+)*b)?",
                    kDeepestRepetition));
  auto compiled = std::make_shared<Compiled>();
  const int code = ::regcomp(&compiled->regex, expression.c_str(), REG_EXTENDED | REG_NOSUB);
  if (code != 0) {
    std::array<char, 128> words{};
    ::regerror(code, &compiled->regex, words.data(), words.size());
    return refuse(fmt::format("not a POSIX extended expression: {}", words.data()));
  }
  compiled->good = true;
  LineMatcher out;
  out.compiled_ = std::move(compiled);
  return out;
}

LineMatcher LineMatcher::of_text(std::string text) {
  LineMatcher out;
  out.text_ = std::move(text);
  return out;
}

bool LineMatcher::matches(std::string_view line) const {
  if (!compiled_) return line.contains(text_);
  const std::string copy(line.substr(0, line.find('\0')));
  return ::regexec(&compiled_->regex, copy.c_str(), 0, nullptr, 0) == 0;
}

}  // namespace firedrill::agent
