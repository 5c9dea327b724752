#include "controller/detect/promql.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <optional>

#include <fmt/core.h>

namespace firedrill {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMostSelectors = 16;
constexpr std::array kLabelLists{"by"sv,       "without"sv,    "on"sv,
                                 "ignoring"sv, "group_left"sv, "group_right"sv};
constexpr std::array kWords{"and"sv, "or"sv,  "unless"sv, "bool"sv,  "offset"sv,
                            "inf"sv, "nan"sv, "start"sv,  "atan2"sv, "end"sv};

bool word_start(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':';
}
bool word_char(char c) { return word_start(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  PromqlParts run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'' || c == '`') skip_quoted();
      else if (c == '#') skip_line();
      else if (c == '[') range();
      else if (c == '{') selector(at_);
      else if (std::isdigit(static_cast<unsigned char>(c)) != 0) skip_number();
      else if (word_start(c)) word();
      else ++at_;
    }
    return std::move(out_);
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && blank(text_[at_])) ++at_;
  }
  void skip_line() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
  }
  void skip_number() {
    while (at_ < text_.size() && (word_char(text_[at_]) || text_[at_] == '.')) ++at_;
  }
  void skip_quoted() {
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote)
      at_ += text_[at_] == '\\' && quote != '`' ? 2 : 1;
    at_ = std::min(at_ + 1, text_.size());
  }
  /// To behind the bracket that closes the one here; quotes are respected.
  void skip_brackets(char close) {
    ++at_;
    while (at_ < text_.size() && text_[at_] != close) {
      if (text_[at_] == '"' || text_[at_] == '\'' || text_[at_] == '`') skip_quoted();
      else ++at_;
    }
    at_ = std::min(at_ + 1, text_.size());
  }

  void range() {
    const std::size_t from = ++at_;
    while (at_ < text_.size() && text_[at_] != ']') ++at_;
    const std::string_view inside = text_.substr(from, at_ - from);
    const auto length = parse_prometheus_duration(inside.substr(0, inside.find(':')));
    if (length) out_.longest_range = std::max(out_.longest_range, *length);
  }

  void word() {
    const std::size_t from = at_;
    while (at_ < text_.size() && word_char(text_[at_])) ++at_;
    const std::string_view name = text_.substr(from, at_ - from);
    std::string lower(name);
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::size_t end = at_;
    skip_blanks();
    const char next = at_ < text_.size() ? text_[at_] : '\0';
    if (std::ranges::find(kLabelLists, std::string_view(lower)) != kLabelLists.end()) {
      if (next == '(') skip_brackets(')');
      return;
    }
    if (next == '(') {  // a function
      if (lower.starts_with("absent")) out_.asks_absence = true;
      return;
    }
    if (std::ranges::find(kWords, std::string_view(lower)) != kWords.end()) return;
    if (next == '{') return selector(from);
    // `sum by (x) (…)`: an aggregation whose labels come first.
    if (label_list_follows()) return;
    add(std::string(text_.substr(from, end - from)));
  }

  [[nodiscard]] bool label_list_follows() const {
    const std::string_view rest = text_.substr(at_);
    return std::ranges::any_of(std::array{"by"sv, "without"sv}, [&](std::string_view list) {
      if (!rest.starts_with(list)) return false;
      const std::size_t next = rest.find_first_not_of(" \t\r\n", list.size());
      return next != std::string_view::npos && rest[next] == '(';
    });
  }

  /// A name that begins at `from`, and the braces here.
  void selector(std::size_t from) {
    skip_brackets('}');
    add(std::string(text_.substr(from, at_ - from)));
  }

  void add(std::string text) {
    if (out_.selectors.size() < kMostSelectors &&
        std::ranges::find(out_.selectors, text) == out_.selectors.end())
      out_.selectors.push_back(std::move(text));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  PromqlParts out_;
};

std::optional<std::int64_t> micros_of(std::string_view unit) {
  constexpr std::int64_t kSecond = 1'000'000, kDay = 86'400 * kSecond;
  if (unit == "ms") return 1000;
  if (unit == "s") return kSecond;
  if (unit == "m") return 60 * kSecond;
  if (unit == "h") return 3600 * kSecond;
  if (unit == "d") return kDay;
  if (unit == "w") return 7 * kDay;
  if (unit == "y") return 365 * kDay;
  return std::nullopt;
}

}  // namespace

PromqlParts promql_parts(std::string_view expression) { return Scanner(expression).run(); }

Result<Duration> parse_prometheus_duration(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::invalid_input, fmt::format("'{}' is no duration of Prometheus", text));
  };
  std::string_view rest = text;
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  while (rest.ends_with(' ')) rest.remove_suffix(1);
  if (rest == "0") return Duration{0};
  if (rest.empty() || rest.size() > 32) return bad();
  std::int64_t total = 0;
  while (!rest.empty()) {
    std::size_t digits = 0;
    std::int64_t count = 0;
    for (; digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9'; ++digits)
      count = std::min<std::int64_t>(count * 10 + (rest[digits] - '0'), 1'000'000'000);
    std::size_t end = digits;
    while (end < rest.size() && rest[end] >= 'a' && rest[end] <= 'z') ++end;
    const auto unit = micros_of(rest.substr(digits, end - digits));
    constexpr std::int64_t kLongest = 100LL * 366 * 86'400 * 1'000'000;
    if (digits == 0 || !unit || count > kLongest / *unit) return bad();
    total += count * *unit;
    if (total > kLongest) return bad();
    rest.remove_prefix(end);
  }
  return Duration{total};
}

}  // namespace firedrill
