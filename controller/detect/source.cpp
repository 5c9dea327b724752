#include "controller/detect/source.hpp"

#include <fmt/core.h>

#include "controller/detect/alertmanager_api.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr Duration kRulesAge = 30s;

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
  // A proxy's or an odd server's Date that cannot be read only costs the clock estimate.
  if (const auto date = parse_http_date(answer->date))
    clock_.add(answer->started, answer->answered, *date);
  return answer;
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

Result<AlertPoll> AlertSource::look(const AlertTracker& tracker) {
  const bool prometheus = config_.kind == DetectorKind::prometheus;
  const std::string path = prometheus ? "/api/v1/alerts" : "/api/v2/alerts";
  const auto answer = fetch(path);
  if (!answer) return std::unexpected(answer.error());
  AlertPoll poll{.started = answer->started, .answered = answer->answered, .alerts = {}};
  if (prometheus) {
    auto alerts = parse_prometheus_alerts(answer->body);
    if (!alerts) return with_context(alerts.error(), config_.url + path);
    poll.alerts = std::move(*alerts);
    const Duration age = poll.answered - rules_at_;
    if (!rules_ || age < Duration{0} || age > kRulesAge || tracker.differs(poll.alerts))
      if (auto fresh = refresh_rules(); !fresh) return std::unexpected(fresh.error());
    poll.rules = rules_;
  } else {
    auto alerts = parse_alertmanager_alerts(answer->body);
    if (!alerts) return with_context(alerts.error(), config_.url + path);
    poll.alerts = to_active(std::move(*alerts));
  }
  poll.clock = clock_.estimate();
  return poll;
}

}  // namespace firedrill
