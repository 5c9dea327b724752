#include "tests/calibration/monitors.hpp"

#include <ctime>

#include <fmt/format.h>

namespace firedrill::calibration {
namespace {

using namespace std::chrono_literals;
using test::WebRequest;
using test::WebResponse;

constexpr Duration kFirst = 500ms, kLast = 11s;
constexpr Duration kBreach = 200ms, kTurn = 500ms;  // on, and from one on to the next

Json labels_of(const std::string& name) {
  return {{"alertname", name}, {"instance", "db-1"}, {"severity", "page"}};
}

Json success(Json data) { return {{"status", "success"}, {"data", std::move(data)}}; }

double seconds(UtcTime at) {
  return static_cast<double>(
             std::chrono::floor<std::chrono::milliseconds>(at).time_since_epoch().count()) /
         1000;
}

}  // namespace

std::string trial_name(std::string_view source, int number) {
  return fmt::format("{}-{:03}", source, number);
}

Monitors::Monitors(Ledger& ledger, Skewed clock)
    : ledger_(ledger),
      clock_(clock),
      grid_(true_now()),
      server_([this](const WebRequest& request) { return answer(request); }) {}

void Monitors::begin(UtcTime injected) {
  const std::lock_guard lock(mutex_);
  const auto holds = make_delays(Duration{0}, 2s, 1);
  const auto on = make_delays(kFirst, kLast - 2s, 2);
  const auto query_on = make_delays(kFirst, kLast, 3);
  const auto fired = make_delays(kFirst, kLast - 500ms, 4);
  const auto lags = make_delays(20ms, 400ms, 5);
  const auto on_grid = [](Duration span) {
    return (span + kEvaluation - Duration{1}) / kEvaluation * kEvaluation;
  };
  for (int i = 0; i < kTrials; ++i) {
    const auto n = static_cast<std::size_t>(i);
    PrometheusAlert alert{.name = trial_name("prometheus", i), .hold = holds[n]};
    alert.active = grid_ + on_grid(injected + on[n] - grid_);
    alert.fires = alert.active + on_grid(alert.hold);
    ledger_.note(alert.name, alert.fires);
    prometheus_.push_back(std::move(alert));
    const Timed by_query{.name = trial_name("promql", i), .from = injected + query_on[n]};
    ledger_.note(by_query.name, by_query.from);
    promql_.push_back(by_query);
    const Timed listed{.name = trial_name("alertmanager", i),
                       .from = injected + fired[n],
                       .listed = injected + fired[n] + lags[n]};
    ledger_.note(listed.name, listed.from);
    alertmanager_.push_back(listed);
  }
  probes_.resize(kProbes);
  const auto jitter = make_delays(Duration{0}, 40ms, 6);
  for (int i = 0; i < kTrials; ++i) {
    const auto probe = static_cast<std::size_t>(i % kProbes);
    Timed breach{.name = trial_name("probe", static_cast<int>(probe))};
    breach.from = injected + kFirst + kTurn * (i / kProbes) + jitter[static_cast<std::size_t>(i)];
    breach.until = breach.from + kBreach;
    ledger_.note(breach.name, breach.from);
    probes_[probe].push_back(std::move(breach));
  }
}

Json Monitors::prometheus_alerts(UtcTime now) const {
  Json alerts = Json::array();
  for (const PrometheusAlert& alert : prometheus_)
    if (alert.active <= now)
      alerts.push_back({{"state", alert.fires <= now ? "firing" : "pending"},
                        {"labels", labels_of(alert.name)},
                        {"annotations", Json::object()},
                        {"activeAt", to_rfc3339(clock_.of(alert.active))},
                        {"value", "1e+00"}});
  return success({{"alerts", std::move(alerts)}});
}

Json Monitors::prometheus_rules(UtcTime now) const {
  Json rules = Json::array();
  for (const PrometheusAlert& alert : prometheus_)
    rules.push_back({{"type", "alerting"},
                     {"name", alert.name},
                     {"query", "up == 0"},
                     {"duration", static_cast<double>(alert.hold.count()) / 1e6},
                     {"labels", {{"severity", "page"}}},
                     {"health", "ok"},
                     {"lastEvaluation", to_rfc3339(clock_.of(now))}});
  const double interval = static_cast<double>(kEvaluation.count()) / 1e6;
  return success(
      {{"groups", Json::array({{{"name", "g"}, {"interval", interval}, {"rules", rules}}})}});
}

Json Monitors::query(const std::string& target, UtcTime now) const {
  const double at = seconds(clock_.of(now));
  if (target.ends_with("=time()"))
    return success({{"resultType", "scalar"}, {"result", {at, fmt::format("{:.3f}", at)}}});
  Json result = Json::array();
  if (target.ends_with("=errors"))
    for (const Timed& one : promql_)
      if (one.from <= now)
        result.push_back({{"metric", {{"trial", one.name}}}, {"value", {at, "1"}}});
  return success({{"resultType", "vector"}, {"result", std::move(result)}});
}

Json Monitors::alertmanager_alerts(UtcTime now) const {
  Json alerts = Json::array();
  for (const Timed& one : alertmanager_)
    if (one.listed <= now)
      alerts.push_back(
          {{"labels", labels_of(one.name)},
           {"annotations", Json::object()},
           {"startsAt", to_rfc3339(clock_.of(one.from))},
           {"endsAt", to_rfc3339(clock_.of(one.from + 300s))},
           {"status",
            {{"state", "active"}, {"silencedBy", Json::array()}, {"inhibitedBy", Json::array()}}}});
  return alerts;
}

bool Monitors::probe_fails(std::size_t probe, UtcTime now) const {
  if (probe >= probes_.size()) return false;
  for (const Timed& breach : probes_[probe])
    if (breach.from <= now && now < breach.until) return true;
  return false;
}

WebResponse Monitors::text(const Json& json) const {
  const std::time_t now = std::chrono::system_clock::to_time_t(clock_.now());
  char date[64];
  std::tm parts{};
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", ::gmtime_r(&now, &parts));
  return {.body = json.dump(), .date = date};
}

WebResponse Monitors::answer(const WebRequest& request) {
  const std::lock_guard lock(mutex_);
  const UtcTime now = true_now();
  const std::string& target = request.target;
  if (target.starts_with("/probe/"))
    return {.status = probe_fails(static_cast<std::size_t>(target.back() - '0'), now) ? 500 : 200};
  if (target.starts_with("/api/v1/alerts")) return text(prometheus_alerts(now));
  if (target.starts_with("/api/v1/rules")) return text(prometheus_rules(now));
  if (target.starts_with("/api/v1/query")) return text(query(target, now));
  if (target.starts_with("/api/v1/targets"))
    return text(success({{"activeTargets", Json::array()}}));
  if (target.starts_with("/api/v2/alerts")) return text(alertmanager_alerts(now));
  if (target.starts_with("/api/v2/status"))
    return text({{"config", {{"original", "route:\n  receiver: x\n"}}}});
  return {.status = 404};
}

}  // namespace firedrill::calibration
