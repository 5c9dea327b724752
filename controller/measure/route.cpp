#include "controller/measure/route.hpp"

#include <regex>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

constexpr int kDeepest = 40;
constexpr std::size_t kLongest = 256;  ///< of what a regular expression is tried on

/// Anchored at both ends, as Alertmanager anchors them. Its syntax (RE2) is near enough to
/// ECMAScript's for what stands in routes.
bool matches_regex(const std::string& pattern, const std::string& value) {
  if (pattern.size() > kLongest || value.size() > kLongest) return false;
  try {
    return std::regex_match(value, std::regex(pattern, std::regex::ECMAScript));
  } catch (const std::regex_error&) {
    return false;
  }
}

bool takes(const Json& route, const Json& labels) {
  const auto matchers = route.find("matchers");
  if (matchers == route.end() || !matchers->is_array()) return true;
  for (const Json& matcher : *matchers) {
    const std::string value = text_of(labels, text_of(matcher, "name"));
    const std::string wanted = text_of(matcher, "value"), op = text_of(matcher, "op");
    const bool regex = op == "=~" || op == "!~";
    const bool equal = regex ? matches_regex(wanted, value) : wanted == value;
    if (equal == op.starts_with('!')) return false;
  }
  return true;
}

void inherit(const Json& route, RouteTimes& times) {
  if (const std::string receiver = text_of(route, "receiver"); !receiver.empty())
    times.receiver = receiver;
  if (const auto wait = parse_duration(text_of(route, "group_wait"))) times.group_wait = *wait;
  if (const auto every = parse_duration(text_of(route, "group_interval")))
    times.group_interval = *every;
}

}  // namespace

RouteTimes route_times(const Json& route, const Json& labels) {
  RouteTimes times;
  const Json* here = &route;
  for (int depth = 0; depth < kDeepest && here->is_object(); ++depth) {
    inherit(*here, times);
    const auto routes = here->find("routes");
    if (routes == here->end() || !routes->is_array()) break;
    const Json* next = nullptr;
    for (const Json& child : *routes)
      if (next == nullptr && child.is_object() && takes(child, labels)) next = &child;
    if (next == nullptr) break;
    here = next;
  }
  return times;
}

}  // namespace firedrill::measuring
