// What a monitoring server answers: rules, targets, queries, and Alertmanager's own configuration;
// and expressions, which anyone who writes rules chooses.
#include <algorithm>
#include <string_view>

#include "controller/detect/alertmanager_route.hpp"
#include "controller/detect/prometheus_alerts.hpp"
#include "controller/detect/promql.hpp"
#include "controller/detect/rules_event.hpp"
#include "controller/detect/yaml.hpp"
#include "tests/fuzz/must.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace firedrill;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const PromqlParts parts = promql_parts(text);
  must(parts.selectors.size() <= 16, "selectors are few");
  for (const std::string& selector : parts.selectors)
    must(text.contains(selector), "a selector is a piece of its expression");
  must(parts.longest_range >= Duration{0}, "a range is no debt");
  static_cast<void>(parse_prometheus_query(text));
  static_cast<void>(parse_alertmanager_route(text));
  if (const auto yaml = parse_yaml(text); !yaml)
    must(!yaml.error().what.empty(), "an error has words");
  const auto rules = parse_prometheus_rules(text);
  const auto targets = parse_prometheus_targets(text);
  if (!rules) return 0;
  const MonitorClock clock{Duration{5}, Duration{1}};
  const Json told =
      rules_data(*rules, targets.value_or(std::vector<ScrapeTarget>{}), {}, {}, clock);
  must(same_rules(told, told), "rules are what they are");
  static_cast<void>(told.dump(-1, ' ', false, Json::error_handler_t::replace));
  return 0;
}
