#include "controller/study/gates.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "firedrill/json.hpp"
#include "firedrill/units.hpp"

namespace firedrill {
namespace {

struct Key {
  std::string_view name;
  bool time;
  char sign;
};

constexpr std::array<Key, 9> kKeys{{{"tti", true, '+'},
                                    {"ttd", true, '+'},
                                    {"ttd-from-injection", true, '+'},
                                    {"tta", true, '+'},
                                    {"ttm", true, '+'},
                                    {"ttr", true, '+'},
                                    {"detection", false, '-'},
                                    {"steps", false, '-'},
                                    {"false-alarms", false, '+'}}};

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(ErrorCode::invalid_input, fmt::format("--fail-on '{}': {}", text, why));
}

/// "20%" as 0.2; a growth may be more than all of it, so parse_ratio() is too narrow.
std::optional<double> parse_percent(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  double value = 0;
  const auto [end, code] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!(value >= 0 && value <= 1e6)) return std::nullopt;  // NaN is neither
  return value / 100;
}

Result<Gate> parse_limit(const Key& key, std::string_view limit, Gate gate) {
  if (const auto share = parse_percent(limit); share && (key.time || *share <= 1)) {
    gate.limit = *share;
    gate.relative = key.time;
    return gate;
  }
  if (const auto time = parse_duration(limit); key.time && time) {
    gate.limit = static_cast<double>(time->count()) / 1e6;
    return gate;
  }
  return refuse(gate.text, key.time ? "the limit is a share or a duration, as +20% or +10s"
                                    : "the limit is in points of a share, at most 100%, as -10%");
}

}  // namespace

Result<Gate> parse_gate(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == text.npos) return refuse(text, "write it as MEASURE:LIMIT, for example ttd:+20%");
  const std::string_view name = text.substr(0, colon), limit = text.substr(colon + 1);
  const auto key = std::ranges::find(kKeys, name, &Key::name);
  if (key == kKeys.end()) {
    std::vector<std::string_view> known;
    for (const Key& one : kKeys) known.push_back(one.name);
    return refuse(text, fmt::format("no measure '{}'.{}", name, suggestion(name, known)));
  }
  if (limit.empty() || limit.front() != key->sign)
    return refuse(text, fmt::format("the worse direction of {} is '{}'", name, key->sign));
  return parse_limit(*key, limit.substr(1), {.text = std::string(text), .key = std::string(name)});
}

std::string_view to_string(GateVerdict verdict) {
  constexpr std::array<std::string_view, 3> kWords{"held", "regression", "unclear"};
  return kWords.at(static_cast<std::size_t>(verdict));
}

}  // namespace firedrill
