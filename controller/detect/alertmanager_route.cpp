#include "controller/detect/alertmanager_route.hpp"

#include <array>

#include <fmt/core.h>

#include "controller/detect/promql.hpp"
#include "controller/detect/wire_reader.hpp"
#include "controller/detect/yaml.hpp"

namespace firedrill {
namespace {

constexpr std::array<std::string_view, 3> kTimes{"group_wait", "group_interval", "repeat_interval"};

/// `severity="page"`, `team =~ "a|b"`.
Result<Json> read_matcher(std::string_view text) {
  const std::size_t at = text.find_first_of("=!");
  const auto bad = [&] {
    return fail(ErrorCode::invalid_input, fmt::format("'{}' is no matcher", text));
  };
  if (at == std::string_view::npos || at == 0) return bad();
  std::string_view op = text.substr(at, 2);
  if (op != "!=" && op != "=~" && op != "!~") op = text.substr(at, 1);
  if (op == "!") return bad();
  std::string_view name = text.substr(0, at), value = text.substr(at + op.size());
  while (name.ends_with(' ')) name.remove_suffix(1);
  while (value.starts_with(' ')) value.remove_prefix(1);
  std::string plain(value);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    plain.clear();
    value = value.substr(1, value.size() - 2);
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '\\' && i + 1 < value.size()) ++i;
      plain += value[i];
    }
  }
  return Json{{"name", name}, {"op", op}, {"value", plain}};
}

Result<Json> read_matchers(const Json& yaml) {
  Json out = Json::array();
  if (yaml.contains("matchers") && yaml["matchers"].is_array())
    for (const Json& one : yaml["matchers"]) {
      if (!one.is_string()) return fail(ErrorCode::invalid_input, "a matcher is a text");
      auto matcher = read_matcher(one.get_ref<const std::string&>());
      if (!matcher) return matcher;
      out.push_back(std::move(*matcher));
    }
  for (const auto& [key, op] : {std::pair{"match", "="}, {"match_re", "=~"}})
    if (yaml.contains(key) && yaml[key].is_object())
      for (const auto& [name, value] : yaml[key].items())
        out.push_back(
            {{"name", name}, {"op", op}, {"value", value.is_string() ? value : Json("")}});
  return out;
}

Result<Json> read_route(const Json& yaml) {
  if (!yaml.is_object()) return fail(ErrorCode::invalid_input, "a route is a map");
  Json out{{"receiver", yaml.value("receiver", Json(""))},
           {"group_by", yaml.value("group_by", Json::array())},
           {"continue", yaml.value("continue", Json("")) == "true"},
           {"routes", Json::array()}};
  for (const std::string_view key : kTimes) {
    if (!yaml.contains(key) || !yaml[key].is_string()) continue;
    const auto time = parse_prometheus_duration(yaml[key].get_ref<const std::string&>());
    if (!time) return with_context(time.error(), std::string(key));
    out[key] = to_string(*time);
  }
  auto matchers = read_matchers(yaml);
  if (!matchers) return matchers;
  out["matchers"] = std::move(*matchers);
  if (!yaml.contains("routes") || !yaml["routes"].is_array()) return out;
  for (const Json& one : yaml["routes"]) {
    auto route = read_route(one);
    if (!route) return route;
    out["routes"].push_back(std::move(*route));
  }
  return out;
}

}  // namespace

Result<Json> parse_alertmanager_route(std::string_view body) {
  const auto json = parse_json(body, "Alertmanager's status");
  if (!json) return std::unexpected(json.error());
  WireReader reader(*json, "");
  WireReader config(reader.object("config"), "/config");
  const std::string text = config.text("original");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  if (auto done = config.done(); !done) return std::unexpected(done.error());
  const auto yaml = parse_yaml(text);
  if (!yaml) return with_context(yaml.error(), "/config/original");
  auto route = read_route(yaml->is_object() ? yaml->value("route", Json()) : Json());
  if (!route) return with_context(route.error(), "/config/original: route");
  return route;
}

}  // namespace firedrill
