// Tolerances: reading them, and judging a value by them. Pure; safe on any text.
#include "controller/experiment/tolerance.hpp"

#include <array>
#include <charconv>
#include <regex>
#include <vector>

#include "controller/experiment/experiment.hpp"

namespace firedrill {
namespace {

using Kind = Tolerance::Kind;

/// Longer patterns nest deeper than the library's compiler should recurse.
constexpr std::size_t kLongestPattern = 256;

/// Matching without back-tracking: its time and stack do not grow with the text's ambiguity.
constexpr auto kRegexFlags = std::regex_constants::ECMAScript | std::regex_constants::__polynomial;

/// One step of a path: a key, or an index when `index` is set.
struct Step {
  std::string key;
  std::optional<std::size_t> index;
};

std::optional<std::size_t> take_index(std::string_view& rest) {
  const std::size_t close = rest.find(']');
  if (close == std::string_view::npos) return std::nullopt;
  std::size_t index = 0;
  const char* const end = rest.data() + close;
  const auto [stop, error] = std::from_chars(rest.data() + 1, end, index);
  if (error != std::errc{} || stop != end) return std::nullopt;
  rest.remove_prefix(close + 1);
  return index;
}

/// "$.a.b[0]": keys and indexes only; no wildcard, filter or recursive descent.
std::optional<std::vector<Step>> parse_path(std::string_view path) {
  if (!path.starts_with('$')) return std::nullopt;
  std::vector<Step> steps;
  std::string_view rest = path.substr(1);
  while (!rest.empty()) {
    if (rest.front() == '[') {
      const auto index = take_index(rest);
      if (!index) return std::nullopt;
      steps.push_back({{}, index});
      continue;
    }
    if (rest.front() != '.') return std::nullopt;
    rest.remove_prefix(1);
    const std::string_view key = rest.substr(0, rest.find_first_of(".["));
    if (key.empty() || key.find_first_of("*?@]'\"") != std::string_view::npos) return std::nullopt;
    steps.push_back({std::string(key), std::nullopt});
    rest.remove_prefix(key.size());
  }
  return steps;
}

const Json* look_up(const Json& root, const std::string& path) {
  const auto steps = parse_path(path);
  if (!steps) return nullptr;
  const Json* at = &root;
  for (const Step& step : *steps) {
    if (step.index) {
      if (!at->is_array() || *step.index >= at->size()) return nullptr;
      at = &(*at)[*step.index];
    } else {
      if (!at->is_object()) return nullptr;
      const auto found = at->find(step.key);
      if (found == at->end()) return nullptr;
      at = &*found;
    }
  }
  return at;
}

std::optional<std::regex> compile(const std::string& pattern) {
  try {
    return std::regex(pattern, kRegexFlags);
  } catch (const std::regex_error&) {  // the edge: the library reports a bad pattern only so
    return std::nullopt;
  }
}

/// "Anything, then the pattern", from the beginning only: one pass over the text, where a search
/// would start again at each character.
bool matches(const std::string& pattern, const Json& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  const auto regex = compile("[\\s\\S]*(?:" + pattern + ")");
  return regex && std::regex_search(text, *regex, std::regex_constants::match_continuous);
}

Tolerance one_of_kind(Kind kind, Json expected) {
  Tolerance out;
  out.kind = kind;
  out.expected = std::move(expected);
  return out;
}

Result<Tolerance> parse_range(const Json& range, const std::string& pointer) {
  if (!range.is_array() || range.size() != 2 || !range[0].is_number() || !range[1].is_number())
    return fail_at(pointer, "a range is two numbers, [low, high]; both count as within");
  Tolerance out;
  out.expected = range;
  out.low = range[0].get<double>();
  out.high = range[1].get<double>();
  if (out.low > out.high)
    return fail_at(pointer, "the range's low end is above its high end; swap them");
  return out;
}

Result<Tolerance> parse_regex(const Json& json, const std::string& pointer) {
  ObjectReader reader(json, pointer);
  reader.required_text("type");
  const std::string pattern = reader.required_text("pattern");
  reader.optional_text("target");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  if (pattern.size() > kLongestPattern || !compile(pattern))
    return fail_at(pointer_join(pointer, "pattern"),
                   "not a regular expression that can be used (ECMAScript, at most 256 characters, "
                   "no back references)");
  return one_of_kind(Kind::regex, pattern);
}

Result<Tolerance> parse_json_path(const Json& json, const std::string& pointer) {
  ObjectReader reader(json, pointer);
  reader.required_text("type");
  const std::string path = reader.required_text("path");
  reader.optional_text("target");
  const Json* expect = reader.member("expect");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  if (expect == nullptr) return fail_at(pointer, "'expect' is missing: the value that is right");
  if (!parse_path(path))
    return fail_at(pointer_join(pointer, "path"),
                   "write the path as '$.key.other[0]': keys and indexes only");
  Tolerance out = one_of_kind(expect->is_array() ? Kind::member : Kind::equal, *expect);
  out.json_path = path;
  return out;
}

Result<Tolerance> parse_object(const Json& json, const std::string& pointer) {
  static constexpr std::array<std::string_view, 3> kTypes{"range", "regex", "jsonpath"};
  const auto found = json.find("type");
  const std::string type =
      found != json.end() && found->is_string() ? found->get<std::string>() : "";
  if (type == "regex") return parse_regex(json, pointer);
  if (type == "jsonpath") return parse_json_path(json, pointer);
  if (type != "range")
    return fail_at(pointer_join(pointer, "type"),
                   "'" + type + "' is not a tolerance." + suggestion(type, kTypes));
  ObjectReader reader(json, pointer);
  reader.required_text("type");
  reader.optional_text("target");
  const Json* range = reader.optional_array("range");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  if (range == nullptr) return fail_at(pointer, "'range' is missing: [low, high]");
  return parse_range(*range, pointer_join(pointer, "range"));
}

bool equal_or_member(const Tolerance& tolerance, const Json& value) {
  if (tolerance.kind == Kind::equal) return value == tolerance.expected;
  for (const Json& one : tolerance.expected)
    if (value == one) return true;
  return false;
}

}  // namespace

Result<Tolerance> parse_tolerance(const Json& json, const std::string& pointer) {
  if (json.is_object()) return parse_object(json, pointer);
  if (json.is_array()) {
    if (json.size() == 2 && json[0].is_number() && json[1].is_number())
      return parse_range(json, pointer);
    if (json.size() < 2)
      return fail_at(pointer, "a list is [low, high], or three and more values to be one of");
    return one_of_kind(Kind::member, json);
  }
  if (json.is_null()) return fail_at(pointer, "a tolerance is a value, a list or an object");
  return one_of_kind(Kind::equal, json);
}

std::string tolerance_target(const Json& json) {
  if (!json.is_object()) return {};
  const auto found = json.find("target");
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

bool tolerates(const Tolerance& tolerance, const Json& value) {
  if (!tolerance.json_path.empty()) {
    const Json document = value.is_string()
                              ? Json::parse(value.get_ref<const std::string&>(), nullptr, false)
                              : value;
    const Json* inside = look_up(document, tolerance.json_path);
    return inside != nullptr && equal_or_member(tolerance, *inside);
  }
  switch (tolerance.kind) {
    case Kind::range:
      return value.is_number() && value.get<double>() >= tolerance.low &&
             value.get<double>() <= tolerance.high;
    case Kind::regex:
      return tolerance.expected.is_string() &&
             matches(tolerance.expected.get<std::string>(), value);
    case Kind::equal:
    case Kind::member:
      return equal_or_member(tolerance, value);
  }
  return false;
}

}  // namespace firedrill
