#include "controller/detect/rules_event.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "controller/detect/promql.hpp"

namespace firedrill {
namespace {

constexpr std::size_t kMostRules = 200;
constexpr std::size_t kMostTargets = 200;  ///< one by one; of more, each job once

std::optional<std::int64_t> on_our_clock(std::optional<UtcTime> at,
                                         const std::optional<MonitorClock>& clock) {
  if (!at || !clock) return std::nullopt;
  return to_micros(*at - clock->offset);
}

Json rule_json(const AlertRule& rule, const EmptySelectors& empty,
               const std::optional<MonitorClock>& clock) {
  Json out{{"name", rule.name},
           {"group", rule.group},
           {"query", rule.query},
           {"for", to_string(rule.hold)},
           {"interval", to_string(rule.interval)},
           {"labels", rule.labels}};
  if (!rule.trouble.empty()) out["trouble"] = rule.trouble;
  if (const auto at = on_our_clock(rule.last_evaluation, clock)) out["last_evaluation_us"] = *at;
  if (const Duration range = promql_parts(rule.query).longest_range; range > Duration{0})
    out["range"] = to_string(range);
  if (const auto found = empty.find(rule.query); found != empty.end() && !found->second.empty())
    out["empty"] = found->second;
  return out;
}

Json targets_json(std::span<const ScrapeTarget> targets, const std::optional<MonitorClock>& clock) {
  Json out = Json::array();
  const bool each = targets.size() <= kMostTargets;
  std::set<std::pair<std::string, Duration>> jobs;
  for (const ScrapeTarget& target : targets) {
    if (!each && !jobs.emplace(target.job, target.interval).second) continue;
    Json one{{"job", target.job}, {"interval", to_string(target.interval)}};
    if (each) {
      one["instance"] = target.instance;
      if (const auto at = on_our_clock(target.last_scrape, clock)) one["last_scrape_us"] = *at;
    }
    out.push_back(std::move(one));
  }
  return out;
}

Json without_instants(Json data) {
  if (!data.is_object()) return data;  // nothing was seen yet
  for (const char* list : {"rules", "targets"})
    if (data.contains(list))
      for (Json& one : data[list]) {
        one.erase("last_evaluation_us");
        one.erase("last_scrape_us");
      }
  data.erase("monitor_error_us");
  return data;
}

}  // namespace

Json rules_data(std::span<const AlertRule> rules, std::span<const ScrapeTarget> targets,
                const EmptySelectors& empty, const std::set<std::string>& wanted,
                const std::optional<MonitorClock>& clock) {
  Json out{{"rules", Json::array()}, {"targets", targets_json(targets, clock)}};
  for (const AlertRule& rule : rules)
    if ((wanted.empty() || wanted.contains(rule.name)) && out["rules"].size() < kMostRules)
      out["rules"].push_back(rule_json(rule, empty, clock));
  if (clock) out["monitor_error_us"] = clock->error.count();
  return out;
}

bool same_rules(const Json& one, const Json& other) {
  return without_instants(one) == without_instants(other);
}

}  // namespace firedrill
