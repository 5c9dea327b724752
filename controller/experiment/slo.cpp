#include "controller/experiment/slo.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "controller/experiment/experiment.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kWindow = "$window";
constexpr std::array<std::string_view, 5> kModes{"normal", "degraded", "floor", "recovery",
                                                 "unknown"};

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == ':';
}

/// The end of a quoted text that begins at `at`, or npos.
std::size_t past_quote(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\' && quote != '`') ++i;
    else if (text[i] == quote) return i + 1;
  }
  return std::string_view::npos;
}

/// `name`, `name{…}` or `{…}`, and nothing else.
bool is_counter(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size() && is_name(text[at])) ++at;
  if (at == text.size()) return at > 0 && (text[0] < '0' || text[0] > '9');
  if (text[at] != '{' || text.back() != '}') return false;
  for (++at; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'' || c == '`') {
      at = past_quote(text, at);
      continue;
    }
    if (c == '{' || c == '[' || c == '(' || c == ')') return false;
    if (c == '}') return at + 1 == text.size();
    ++at;
  }
  return false;
}

/// Calls rate() or irate(), outside of quotes.
bool asks_rate(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'' || c == '`') {
      at = past_quote(text, at);
      continue;
    }
    if (!is_name(c)) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_name(text[end])) ++end;
    const std::string_view name = text.substr(at, end - at);
    while (end < text.size() && text[end] == ' ') ++end;
    if ((name == "rate" || name == "irate") && end < text.size() && text[end] == '(') return true;
    at = end;
  }
  return false;
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\n')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::vector<BurnRow> default_burn_rows() {
  return {{14.4, 1h, 5min, "page"},
          {6, 6h, 30min, "page"},
          {3, 24h, 2h, "ticket"},
          {1, 72h, 6h, "ticket"}};
}

std::vector<Duration> Slo::windows() const {
  std::vector<Duration> out;
  for (const BurnRow& row : rows) {
    out.push_back(row.longer);
    out.push_back(row.shorter);
  }
  std::ranges::sort(out);
  const auto twins = std::ranges::unique(out);
  out.erase(twins.begin(), twins.end());
  return out;
}

std::string count_expression(std::string_view expression, Duration window) {
  // Prometheus takes no fractions; whole seconds are what people read in its log of queries.
  const std::int64_t ms = std::max<std::int64_t>(window.count() / 1000, 1);
  const std::string range =
      ms % 1000 == 0 ? fmt::format("{}s", ms / 1000) : fmt::format("{}ms", ms);
  expression = trimmed(expression);
  if (!expression.contains(kWindow)) return fmt::format("sum(increase({}[{}]))", expression, range);
  std::string out = "sum(";
  for (std::size_t at; (at = expression.find(kWindow)) != std::string_view::npos;) {
    out.append(expression.substr(0, at)).append(range);
    expression.remove_prefix(at + kWindow.size());
  }
  return out.append(expression).append(")");
}

Result<void> check_count_expression(std::string_view expression) {
  expression = trimmed(expression);
  if (!expression.contains(kWindow)) {
    if (is_counter(expression)) return {};
    return fail(ErrorCode::invalid_input,
                "write [$window] where the range of an expression stands, as in "
                "sum(increase(http_requests_total[$window])), or name one counter alone");
  }
  if (!expression.contains("[$window"))
    return fail(ErrorCode::invalid_input, "$window is a range: write it in brackets, [$window]");
  if (asks_rate(expression))
    return fail(ErrorCode::invalid_input,
                "a budget is made of events: count them with increase() instead of rate()");
  return {};
}

std::string_view to_string(Mode mode) { return kModes.at(static_cast<std::size_t>(mode)); }

Mode mode_of(const OperatingMode& spec, const Json& answer) {
  for (const auto& [mode, tolerance] : spec.modes)
    if (tolerates(tolerance, answer)) return mode;
  return Mode::unknown;
}

}  // namespace firedrill
