#include "controller/detect/prometheus_alerts.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "controller/detect/wire_reader.hpp"

namespace firedrill {
namespace {

Result<ActiveAlert> parse_alert(const Json& json, std::string pointer, bool& inactive) {
  WireReader reader(json, std::move(pointer));
  ActiveAlert alert;
  const std::string state = reader.text("state");
  inactive = state == "inactive";
  if (state == "pending") alert.state = ActiveAlert::State::pending;
  else if (state != "firing" && !inactive)
    reader.refuse("state", fmt::format("'{}' is no alert state", state));
  alert.labels = reader.labels("labels");
  alert.annotations = reader.labels("annotations");
  if (alert.labels.contains("alertname")) alert.alertname = alert.labels.at("alertname");
  alert.fingerprint = label_fingerprint(alert.labels);
  alert.value = reader.text_or("value", "");
  alert.active_at = reader.time("activeAt", false);
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  return alert;
}

Result<void> parse_group(const Json& json, const std::string& pointer,
                         std::vector<AlertRule>& rules) {
  WireReader group(json, pointer);
  AlertRule shared;
  shared.group = group.text("name");
  shared.file = group.text_or("file", "");
  shared.interval = group.seconds("interval");
  const Json& members = group.array("rules");
  if (auto done = group.done(); !done) return done;
  for (std::size_t i = 0; i < members.size(); ++i) {
    WireReader reader(members[i], pointer_join(group.at("rules"), i));
    if (reader.text_or("type", "alerting") != "alerting") continue;
    AlertRule rule = shared;
    rule.name = reader.text("name");
    rule.labels = reader.labels("labels");
    rule.hold = reader.seconds("duration");
    rule.last_evaluation = reader.time("lastEvaluation", false);
    rule.query = reader.text_or("query", "");
    if (reader.text_or("health", "ok") == "err")
      rule.trouble = reader.text_or("lastError", "its evaluation fails");
    if (auto done = reader.done(); !done) return done;
    rules.push_back(std::move(rule));
  }
  return {};
}

bool carries(const ActiveAlert& alert, const AlertRule& rule) {
  if (rule.name != alert.alertname) return false;
  return std::ranges::all_of(rule.labels, [&](const auto& label) {
    if (label.second.find("{{") != std::string::npos) return true;  // a template: any value
    const auto found = alert.labels.find(label.first);
    return found != alert.labels.end() && found->second == label.second;
  });
}

}  // namespace

Result<Json> prometheus_data(std::string_view body, std::string_view name) {
  auto json = parse_json(body, name);
  if (!json) return std::unexpected(json.error());
  WireReader reader(*json, "");
  const std::string status = reader.text("status");
  if (status == "error")
    return fail_at("/error", fmt::format("Prometheus says: {}", reader.text_or("error", "error")));
  if (status != "success") reader.refuse("status", "'status' is neither success nor error");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  return reader.object("data");
}

Result<std::vector<ActiveAlert>> parse_prometheus_alerts(std::string_view body) {
  const auto data = prometheus_data(body, "Prometheus' alerts");
  if (!data) return std::unexpected(data.error());
  WireReader reader(*data, "/data");
  const Json& listed = reader.array("alerts");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  std::vector<ActiveAlert> alerts;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    bool inactive = false;
    auto alert = parse_alert(listed[i], pointer_join(reader.at("alerts"), i), inactive);
    if (!alert) return std::unexpected(alert.error());
    if (!inactive) alerts.push_back(std::move(*alert));
  }
  return alerts;
}

Result<std::vector<AlertRule>> parse_prometheus_rules(std::string_view body) {
  const auto data = prometheus_data(body, "Prometheus' rules");
  if (!data) return std::unexpected(data.error());
  WireReader reader(*data, "/data");
  const Json& groups = reader.array("groups");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  std::vector<AlertRule> rules;
  for (std::size_t i = 0; i < groups.size(); ++i)
    if (auto parsed = parse_group(groups[i], pointer_join(reader.at("groups"), i), rules); !parsed)
      return std::unexpected(parsed.error());
  return rules;
}

const AlertRule* rule_of(std::span<const AlertRule> rules, const ActiveAlert& alert) {
  const AlertRule* found = nullptr;
  for (const AlertRule& rule : rules) {
    if (!carries(alert, rule)) continue;
    if (found != nullptr && (found->hold != rule.hold || found->interval != rule.interval))
      return nullptr;
    if (found == nullptr) found = &rule;
  }
  return found;
}

UtcTime first_firing_evaluation(UtcTime active_at, const AlertRule& rule) {
  if (rule.interval <= Duration{0}) return active_at + rule.hold;
  const auto evaluations = (rule.hold + rule.interval - Duration{1}) / rule.interval;
  return active_at + evaluations * rule.interval;
}

}  // namespace firedrill
