#include "controller/study/vary.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "firedrill/units.hpp"

namespace firedrill {
namespace {

using Unit = Vary::Unit;

/// Shares are written with six decimals of a percent; other numbers just need a limit.
constexpr double kLeastShare = 1e-8, kLeastNumber = 1e-9, kMostNumber = 1e15;

struct End {
  double value = 0;
  Unit unit = Unit::number;
  bool whole = false;
};

Result<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || !std::isfinite(value))
    return fail(ErrorCode::invalid_input, "no number");
  return value;
}

/// A unit tells the kind; none of the units is another's.
Result<End> parse_end(std::string_view text, std::string_view all) {
  if (const auto number = parse_number(text))
    return End{*number, Unit::number, text.find_first_not_of("0123456789") == text.npos};
  if (const auto ratio = parse_ratio(text); ratio && text.ends_with('%'))
    return End{ratio->value, Unit::ratio, false};
  if (const auto rate = parse_bit_rate(text))
    return End{static_cast<double>(rate->bits_per_second), Unit::rate, true};
  if (const auto bytes = parse_byte_count(text))
    return End{static_cast<double>(bytes->value), Unit::bytes, true};
  if (const auto duration = parse_duration(text))
    return End{static_cast<double>(duration->count()), Unit::duration, true};
  return fail(
      ErrorCode::invalid_input,
      fmt::format("--vary '{}': '{}' is no number, share (5%), duration (20ms), size (64KiB) "
                  "or rate (10mbit)",
                  all, text));
}

std::unexpected<Error> shape_error(std::string_view text) {
  return fail(ErrorCode::invalid_input,
              fmt::format("--vary '{}': write it as FAULT.PARAMETER=FROM..TO, for example "
                          "netem.loss=0.1%..30%",
                          text));
}

bool named_by(const Json& action, const std::string& subject) {
  const Json provider = action.value("provider", Json::object());
  if (!provider.is_object() || provider.value("type", "") != "fault") return false;
  return action.value("name", "") == subject || provider.value("fault", "") == subject;
}

std::unexpected<Error> unknown_subject(const Json& method, const Vary& vary) {
  std::set<std::string> names;
  for (const Json& action : method) {
    if (!action.is_object() || !named_by(action, action.value("name", ""))) continue;
    names.insert(action.value("name", ""));
    names.insert(action["provider"].value("fault", ""));
  }
  const std::vector<std::string_view> words(names.begin(), names.end());
  return fail(ErrorCode::not_found,
              fmt::format("--vary: the experiment's method has no fault or action '{}'.{}",
                          vary.subject, suggestion(vary.subject, words)));
}

}  // namespace

Result<Vary> parse_vary(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::size_t dot = text.substr(0, equals).rfind('.');
  if (equals == text.npos || dot == text.npos || dot == 0 || dot + 1 == equals)
    return shape_error(text);
  const std::string_view range = text.substr(equals + 1);
  const std::size_t dots = range.find("..");
  if (dots == range.npos || dots == 0) return shape_error(text);
  const auto from = parse_end(range.substr(0, dots), text);
  if (!from) return std::unexpected(from.error());
  const auto to = parse_end(range.substr(dots + 2), text);
  if (!to) return std::unexpected(to.error());
  const auto refuse = [&](std::string_view why) {
    return fail(ErrorCode::invalid_input, fmt::format("--vary '{}': {}", text, why));
  };
  if (from->unit != to->unit) return refuse("both ends need the same kind of unit");
  if (from->value <= 0 || to->value <= 0)
    return refuse("both ends must be above zero: the steps between them are equal ratios");
  if (from->value == to->value) return refuse("both ends are the same");
  const double least = from->unit == Unit::ratio ? kLeastShare : kLeastNumber;
  if (std::min(from->value, to->value) < least || std::max(from->value, to->value) > kMostNumber)
    return refuse("an end is too small or too large");
  return Vary{.subject = std::string(text.substr(0, dot)),
              .parameter = std::string(text.substr(dot + 1, equals - dot - 1)),
              .unit = from->unit,
              .whole = from->whole && to->whole,
              .from = from->value,
              .to = to->value};
}

Json value_of(const Vary& vary, double value) {
  if (vary.unit != Unit::number) return value_text(vary, value);
  if (vary.whole) return static_cast<std::int64_t>(std::llround(value));
  return value;
}

std::string value_text(const Vary& vary, double value) {
  switch (vary.unit) {
    case Unit::ratio:
      return to_string(Ratio{value});
    case Unit::duration:
      return to_string(Duration{std::llround(value)});
    case Unit::bytes:
      return to_string(ByteCount{static_cast<std::uint64_t>(std::llround(value))});
    case Unit::rate:
      return to_string(BitRate{static_cast<std::uint64_t>(std::llround(value))});
    case Unit::number:
      break;
  }
  return vary.whole ? fmt::format("{}", std::llround(value)) : fmt::format("{:g}", value);
}

double rounded(const Vary& vary, double value) {
  const double size = std::pow(10, std::floor(std::log10(value)) - 2);
  // By way of its text, so that a share such as 0.003 is the very number that its text gives.
  double out = std::strtod(fmt::format("{:.2e}", std::round(value / size) * size).c_str(), nullptr);
  if (vary.whole) out = std::max(1.0, std::round(out));
  if (vary.unit == Unit::ratio) out = std::max(1.0, std::round(out / kLeastShare)) / 1e8;
  return std::clamp(out, std::min(vary.from, vary.to), std::max(vary.from, vary.to));
}

double strength(const Vary& vary, double value) {
  return std::log(value / vary.from) / std::log(vary.to / vary.from);
}

std::vector<double> log_grid(const Vary& vary, std::size_t steps) {
  std::vector<double> out;
  for (std::size_t i = 0; i < steps; ++i) {
    const double at = static_cast<double>(i) / static_cast<double>(steps - 1);
    const double value = i == 0 ? vary.from
                         : i + 1 == steps
                             ? vary.to
                             : rounded(vary, vary.from * std::pow(vary.to / vary.from, at));
    if (out.empty() || out.back() != value) out.push_back(value);
  }
  return out;
}

Result<Json> with_value(const Json& experiment, const Vary& vary, double value) {
  Json out = experiment;
  const auto method = out.find("method");
  if (method == out.end() || !method->is_array()) return unknown_subject(Json::array(), vary);
  bool any = false;
  for (Json& action : *method) {
    if (!action.is_object() || !named_by(action, vary.subject)) continue;
    action["provider"]["arguments"][vary.parameter] = value_of(vary, value);
    any = true;
  }
  if (!any) return unknown_subject(*method, vary);
  return out;
}

}  // namespace firedrill
