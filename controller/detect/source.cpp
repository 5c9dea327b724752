#include "controller/detect/source.hpp"

#include <set>
#include <utility>

#include <fmt/core.h>

#include "controller/detect/alertmanager_api.hpp"
#include "controller/detect/alertmanager_route.hpp"
#include "controller/detect/event_counter.hpp"
#include "controller/detect/promql.hpp"
#include "controller/detect/wire_reader.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRulesAge = 30s;
constexpr Duration kClockAge = 2s;  // a clock that is slewed drifts a millisecond meanwhile
constexpr Duration kApiResolution = 1ms;
constexpr int kMostRefusals = 3;
constexpr std::size_t kMostQuestions = 32;  // in one round of asking whether rules have series

Result<void> check_range(Duration value, Duration least, Duration most, std::string_view what) {
  if (value >= least && value <= most) return {};
  return fail(ErrorCode::invalid_input,
              fmt::format("the detector's {} is {}; it may be {} to {}", what, to_string(value),
                          to_string(least), to_string(most)));
}

/// As the tracker wants them. Muted alerts are on as well: somebody chose not to hear them.
std::vector<ActiveAlert> to_active(std::vector<AlertmanagerAlert> alerts) {
  std::vector<ActiveAlert> active;
  for (AlertmanagerAlert& alert : alerts) {
    ActiveAlert one;
    one.alertname = std::move(alert.alertname);
    one.labels = std::move(alert.labels);
    one.annotations = std::move(alert.annotations);
    one.fingerprint = std::move(alert.fingerprint);
    one.fired_at = alert.starts_at;
    one.muted_by = std::move(alert.silenced_by);
    one.muted_by.insert(one.muted_by.end(), alert.inhibited_by.begin(), alert.inhibited_by.end());
    active.push_back(std::move(one));
  }
  return active;
}

}  // namespace

Result<void> check_config(const PollerConfig& config) {
  if (!config.url.starts_with("http://") && !config.url.starts_with("https://"))
    return fail(ErrorCode::invalid_input,
                fmt::format("detector URL '{}' must start with http:// or https://", config.url));
  if (auto good = check_range(config.interval, 50ms, 60s, "poll interval"); !good) return good;
  return check_range(config.timeout, 10ms, 60s, "time-out");
}

Result<std::unique_ptr<AlertSource>> AlertSource::create(PollerConfig config) {
  if (auto good = check_config(config); !good) return std::unexpected(good.error());
  auto client = HttpClient::create({.timeout = config.timeout,
                                    .authorization = config.authorization,
                                    .ca_file = config.ca_file});
  if (!client) return std::unexpected(client.error());
  while (config.url.ends_with('/')) config.url.pop_back();
  return std::unique_ptr<AlertSource>(new AlertSource(std::move(config), std::move(*client)));
}

Result<HttpAnswer> AlertSource::fetch(std::string_view path) {
  auto answer = get_ok(*client_, config_.url + std::string(path));
  if (!answer) return answer;
  // A proxy's or an odd server's Date that cannot be read only costs the clock estimate. A proxy
  // may also put its own there, so that the API's word, where there is one, stands alone.
  if (const auto date = parse_http_date(answer->date); date && !api_clock_)
    clock_.add(answer->started, answer->answered, *date);
  return answer;
}

std::optional<UtcTime> AlertSource::started() {
  const bool alertmanager = config_.kind == DetectorKind::alertmanager;
  const auto answer = fetch(alertmanager ? "/api/v2/status" : "/api/v1/status/runtimeinfo");
  const Json said = answer ? Json::parse(answer->body, nullptr, false) : Json();
  if (!said.is_object()) return std::nullopt;
  if (alertmanager) return WireReader(said, "").time("uptime", false);  // that is how it calls it
  const Json data = said.value("data", Json());
  if (!data.is_object()) return std::nullopt;
  return WireReader(data, "/data").time("startTime", false);
}

Result<void> AlertSource::refresh_rules() {
  const auto answer = fetch("/api/v1/rules?type=alert");
  if (!answer) return std::unexpected(answer.error());
  auto rules = parse_prometheus_rules(answer->body);
  if (!rules) return with_context(rules.error(), config_.url + "/api/v1/rules");
  rules_ = std::move(*rules);
  rules_at_ = answer->answered;
  return {};
}

Result<QueryAnswer> AlertSource::query(std::string_view expression) {
  const auto answer = fetch(fmt::format("/api/v1/query?query={}", url_encoded(expression)));
  if (!answer) return std::unexpected(answer.error());
  auto parsed = parse_prometheus_query(answer->body);
  if (!parsed) return with_context(parsed.error(), config_.url + "/api/v1/query");
  return parsed;
}

/// Prometheus says its own time to the millisecond when asked for it.
void AlertSource::compare_clocks(UtcTime now) {
  if (clock_refusals_ >= kMostRefusals) return;
  const Duration age = now - clock_at_;
  if (age >= Duration{0} && age < kClockAge) return;
  clock_at_ = now;
  const auto answer = fetch("/api/v1/query?query=time()");
  const auto parsed = answer ? parse_prometheus_query(answer->body) : Result<QueryAnswer>();
  if (answer && parsed && parsed->asked_at) {
    if (!std::exchange(api_clock_, true)) clock_ = ClockBounds{};
    clock_.add(answer->started, answer->answered, *parsed->asked_at, kApiResolution);
    return;
  }
  const bool away = !answer && (answer.error().code == ErrorCode::unavailable ||
                                answer.error().code == ErrorCode::timed_out);
  if (!away) ++clock_refusals_;
}

Result<void> AlertSource::look_at_prometheus(const AlertTracker& tracker, AlertPoll& poll) {
  const auto answer = fetch("/api/v1/alerts");
  if (!answer) return std::unexpected(answer.error());
  poll.started = answer->started;
  poll.answered = answer->answered;
  auto alerts = parse_prometheus_alerts(answer->body);
  if (!alerts) return with_context(alerts.error(), config_.url + "/api/v1/alerts");
  poll.alerts = std::move(*alerts);
  const Duration age = poll.answered - rules_at_;
  if (!rules_ || age < Duration{0} || age > kRulesAge || tracker.differs(poll.alerts))
    if (auto fresh = refresh_rules(); !fresh) return fresh;
  poll.rules = rules_;
  return {};
}

Result<void> AlertSource::look_at_alertmanager(AlertPoll& poll) {
  const auto answer = fetch("/api/v2/alerts");
  if (!answer) return std::unexpected(answer.error());
  poll.started = answer->started;
  poll.answered = answer->answered;
  auto alerts = parse_alertmanager_alerts(answer->body);
  if (!alerts) return with_context(alerts.error(), config_.url + "/api/v2/alerts");
  poll.alerts = to_active(std::move(*alerts));
  return {};
}

Result<void> AlertSource::look_by_query(AlertPoll& poll) {
  const auto answer = fetch(fmt::format("/api/v1/query?query={}", url_encoded(config_.query)));
  if (!answer) return std::unexpected(answer.error());
  poll.started = answer->started;
  poll.answered = answer->answered;
  auto parsed = parse_prometheus_query(answer->body);
  if (!parsed) return with_context(parsed.error(), config_.url + "/api/v1/query");
  for (Labels& labels : parsed->series) {
    labels["alertname"] = config_.alert;
    if (!config_.severity.empty()) labels["severity"] = config_.severity;
    ActiveAlert alert{.alertname = config_.alert, .labels = labels};
    alert.fingerprint = label_fingerprint(labels);
    poll.alerts.push_back(std::move(alert));
  }
  return {};
}

Result<AlertPoll> AlertSource::look(const AlertTracker& tracker) {
  AlertPoll poll{.alerts = {}};
  Result<void> looked;
  if (config_.kind == DetectorKind::prometheus) looked = look_at_prometheus(tracker, poll);
  if (config_.kind == DetectorKind::alertmanager) looked = look_at_alertmanager(poll);
  if (config_.kind == DetectorKind::promql) looked = look_by_query(poll);
  if (!looked) return std::unexpected(looked.error());
  if (config_.kind != DetectorKind::alertmanager) compare_clocks(poll.answered);
  poll.clock = clock_.estimate();
  return poll;
}

/// What the wanted rules read. A rule that asks for absence has no series when all is well.
void AlertSource::begin_round() {
  round_.emplace();
  if (config_.kind != DetectorKind::prometheus) return;
  std::set<std::string> seen;
  for (const AlertRule& rule : *rules_) {
    if (!config_.rules.contains(rule.name) || !seen.insert(rule.query).second) continue;
    const PromqlParts parts = promql_parts(rule.query);
    if (parts.asks_absence) continue;
    for (const std::string& selector : parts.selectors)
      if (round_->questions.size() < kMostQuestions)
        round_->questions.emplace_back(rule.query, selector);
  }
}

/// True when the round has all that it wants.
bool AlertSource::ask_next() {
  Round& round = *round_;
  if (config_.kind == DetectorKind::alertmanager) {
    if (const auto answer = fetch("/api/v2/status"))
      if (auto route = parse_alertmanager_route(answer->body)) round.route = std::move(*route);
    return true;
  }
  if (!round.targets) {
    round.targets.emplace();
    if (const auto answer = fetch("/api/v1/targets?state=active"))
      if (auto parsed = parse_prometheus_targets(answer->body)) round.targets = std::move(*parsed);
    return round.questions.empty();
  }
  const auto [rule, selector] = round.questions.back();
  round.questions.pop_back();
  const auto answer = query(fmt::format("count({})", selector));
  if (answer && answer->series.empty()) round.empty[rule].push_back(selector);
  return round.questions.empty();
}

std::optional<Json> AlertSource::changed_rules(UtcTime now) {
  if (config_.kind == DetectorKind::promql) return std::nullopt;
  const Duration age = now - told_at_;
  if (!round_) {
    if (age < Duration{0} || age >= kRulesAge) begin_round();
    return std::nullopt;
  }
  if (!ask_next()) return std::nullopt;
  const Round round = std::move(*round_);
  round_.reset();
  told_at_ = now;
  Json fresh;
  if (!round.route.is_null()) fresh = {{"route", round.route}};
  if (round.targets)
    fresh = rules_data(*rules_, *round.targets, round.empty, config_.rules, clock());
  if (fresh.is_null() || same_rules(fresh, told_)) return std::nullopt;
  told_ = fresh;
  return fresh;
}

}  // namespace firedrill
