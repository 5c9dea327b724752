// Parsers of what monitoring systems send: the documented forms, and refusal of everything else.
#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/detect/alertmanager_api.hpp"
#include "controller/detect/clock_bounds.hpp"
#include "controller/detect/prometheus_alerts.hpp"
#include "controller/detect/webhooks.hpp"

namespace firedrill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr std::string_view kWebhook = R"({
  "version": "4", "groupKey": "{}:{alertname=\"EtcdMemberDown\"}", "truncatedAlerts": 0,
  "status": "firing", "receiver": "firedrill",
  "groupLabels": {"alertname": "EtcdMemberDown"}, "commonLabels": {}, "commonAnnotations": {},
  "externalURL": "http://mon-1:9093", "newMember": [1, 2],
  "alerts": [
    {"status": "firing", "labels": {"alertname": "EtcdMemberDown", "instance": "db-1"},
     "annotations": {"summary": "etcd does not answer"},
     "startsAt": "2026-03-01T12:00:05.123Z", "endsAt": "0001-01-01T00:00:00Z",
     "generatorURL": "http://mon-1:9090/graph", "fingerprint": "dd19ae3d4e06ac55"},
    {"status": "resolved", "labels": {"alertname": "EtcdMemberDown", "instance": "db-2"},
     "annotations": {}, "startsAt": "2026-03-01T13:00:00+01:00",
     "endsAt": "2026-03-01T12:01:00Z", "generatorURL": ""}
  ]})";

TEST(AlertmanagerWebhook, GivesOneNoticePerAlert) {
  const auto notices = parse_alertmanager_webhook(kWebhook);
  ASSERT_TRUE(notices) << describe(notices.error());
  ASSERT_EQ(notices->size(), 2U);
  const AlertNotice& fired = notices->at(0);
  EXPECT_EQ(fired.alertname, "EtcdMemberDown");
  EXPECT_EQ(fired.fingerprint, "dd19ae3d4e06ac55");
  EXPECT_EQ(fired.status, AlertStatus::firing);
  EXPECT_EQ(to_rfc3339(fired.starts_at.value()), "2026-03-01T12:00:05.123000Z");
  EXPECT_FALSE(fired.ends_at) << "year 1 is Go's word for none";
  EXPECT_EQ(fired.receiver, "firedrill");
  EXPECT_EQ(fired.group_key, "{}:{alertname=\"EtcdMemberDown\"}");
  const AlertNotice& resolved = notices->at(1);
  EXPECT_EQ(resolved.status, AlertStatus::resolved);
  EXPECT_EQ(to_rfc3339(resolved.starts_at.value()), "2026-03-01T12:00:00.000000Z");
  EXPECT_EQ(resolved.fingerprint, label_fingerprint(resolved.labels));
  EXPECT_TRUE(resolved.ends_at);
}

TEST(AlertmanagerWebhook, SameNotificationTwiceGivesTheSameEventData) {
  const auto one = parse_alertmanager_webhook(kWebhook), two = parse_alertmanager_webhook(kWebhook);
  ASSERT_TRUE(one && two);
  const Json first = to_detection(one->at(0), from_micros(50)).data;
  EXPECT_EQ(first, to_detection(two->at(0), from_micros(50)).data);
  EXPECT_EQ(first["status"], "firing");
  EXPECT_EQ(first["received_us"], 50);
  EXPECT_EQ(first["starts_clock"], "monitor");
}

TEST(AlertmanagerWebhook, StartIsPutOnTheControllersClock) {
  const auto notices = parse_alertmanager_webhook(kWebhook);
  ASSERT_TRUE(notices);
  const Detection detection =
      to_detection(notices->at(0), from_micros(1), MonitorClock{Duration{2'000'000}, Duration{30}});
  EXPECT_EQ(detection.kind, event_kind::alert_notified);
  EXPECT_EQ(detection.at, from_micros(1));
  EXPECT_EQ(detection.data["starts_us"], to_micros(notices->at(0).starts_at.value()) - 2'000'000);
  EXPECT_EQ(detection.data["monitor_offset_us"], 2'000'000);
  EXPECT_FALSE(detection.data.contains("starts_clock"));
}

TEST(AlertmanagerWebhook, RefusesWrongFormsWithThePlace) {
  const auto pointer = [](std::string_view path, const Json& value) {
    Json json = Json::parse(kWebhook);
    json[Json::json_pointer(std::string(path))] = value;
    const auto parsed = parse_alertmanager_webhook(json.dump());
    EXPECT_FALSE(parsed) << path << " = " << value;
    return parsed ? std::string() : parsed.error().pointer;
  };
  EXPECT_EQ(pointer("/version", "3"), "/version");
  EXPECT_EQ(pointer("/version", 4), "/version");
  EXPECT_EQ(pointer("/alerts", Json::object()), "/alerts");
  EXPECT_EQ(pointer("/alerts/1/status", "maybe"), "/alerts/1/status");
  EXPECT_EQ(pointer("/alerts/0/labels", {{"a", 1}}), "/alerts/0/labels");
  EXPECT_EQ(pointer("/alerts/0/startsAt", "yesterday"), "/alerts/0/startsAt");
  EXPECT_EQ(pointer("/alerts/0/startsAt", "0001-01-01T00:00:00Z"), "/alerts/0/startsAt");
  EXPECT_EQ(pointer("/alerts/1", "text"), "/alerts/1");
  for (const char* text :
       {"", "null", "[]", "7", "{}", R"({"version":"4"})", "{\"version\":\"4\","})
    EXPECT_FALSE(parse_alertmanager_webhook(text)) << text;
}

TEST(Parsers, AnyDamageIsAnErrorOrAResultNeverACrash) {
  const std::string whole(kWebhook);
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    EXPECT_FALSE(parse_alertmanager_webhook(whole.substr(0, at)));
    for (const char damage : {'\0', '"', '{', '9', '\xff'}) {
      std::string text = whole;
      text[at] = damage;
      if (const auto parsed = parse_alertmanager_webhook(text); parsed && !parsed->empty())
        EXPECT_FALSE(to_detection(parsed->front(), from_micros(1)).data.dump().empty());
      (void)parse_prometheus_alerts(text);
      (void)parse_prometheus_rules(text);
      (void)parse_alertmanager_alerts(text);
      (void)parse_grafana_webhook(text);
      (void)parse_pager_webhook(text);
    }
  }
  const std::string deep(100'000, '[');
  EXPECT_FALSE(parse_alertmanager_alerts(deep));
}

TEST(AlertmanagerApi, TellsMutedFromActive) {
  const auto alerts = parse_alertmanager_alerts(R"([
    {"annotations": {}, "endsAt": "2026-03-01T12:05:00.000Z", "fingerprint": "aa", "updatedAt": "x",
     "receivers": [{"name": "firedrill"}], "startsAt": "2026-03-01T12:00:00.000Z",
     "status": {"inhibitedBy": ["ii"], "silencedBy": ["ss"], "mutedBy": [], "state": "suppressed"},
     "labels": {"alertname": "A"}}])");
  ASSERT_TRUE(alerts) << describe(alerts.error());
  ASSERT_EQ(alerts->size(), 1U);
  EXPECT_EQ(alerts->front().state, AlertmanagerState::suppressed);
  EXPECT_THAT(alerts->front().silenced_by, ElementsAre("ss"));
  EXPECT_THAT(alerts->front().inhibited_by, ElementsAre("ii"));
  EXPECT_EQ(alerts->front().fingerprint, "aa");
  const auto odd = parse_alertmanager_alerts(
      R"([{"labels": {}, "startsAt": "2026-03-01T12:00:00Z", "status": {"state": "odd"}}])");
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().pointer, "/0/status/state");
}

constexpr std::string_view kRules = R"({"status": "success", "data": {"groups": [
  {"name": "etcd", "file": "alerts.yml", "interval": 1, "limit": 0,
   "evaluationTime": 0.0003, "lastEvaluation": "2026-03-01T12:00:00.5Z", "rules": [
    {"type": "alerting", "name": "EtcdMemberDown", "query": "up == 0", "duration": 2.5,
     "keepFiringFor": 0, "labels": {"severity": "page"}, "annotations": {}, "alerts": [],
     "health": "ok", "state": "inactive", "evaluationTime": 0.0002,
     "lastEvaluation": "2026-03-01T12:00:00.5Z"},
    {"type": "recording", "name": "a:b", "query": "1", "health": "ok",
     "lastEvaluation": "2026-03-01T12:00:00.5Z"},
    {"type": "alerting", "name": "Young", "query": "1", "duration": 0, "labels": {},
     "lastEvaluation": "0001-01-01T00:00:00Z"}]}]}})";

TEST(PrometheusRules, GiveForIntervalAndLastEvaluation) {
  const auto rules = parse_prometheus_rules(kRules);
  ASSERT_TRUE(rules) << describe(rules.error());
  ASSERT_EQ(rules->size(), 2U);
  EXPECT_EQ(rules->at(0).name, "EtcdMemberDown");
  EXPECT_EQ(rules->at(0).hold, Duration{2'500'000});
  EXPECT_EQ(rules->at(0).interval, Duration{1'000'000});
  EXPECT_TRUE(rules->at(0).last_evaluation);
  EXPECT_FALSE(rules->at(1).last_evaluation) << "never evaluated";
}

TEST(PrometheusAlerts, AreParsedAndItsErrorsPassedOn) {
  const auto alerts = parse_prometheus_alerts(R"({"status": "success", "data": {"alerts": [
      {"activeAt": "2026-03-01T12:00:00.123456789Z", "annotations": {"summary": "s"},
       "labels": {"alertname": "A", "severity": "page"}, "state": "pending",
       "value": "1e+00"}]}})");
  ASSERT_TRUE(alerts) << describe(alerts.error());
  ASSERT_EQ(alerts->size(), 1U);
  EXPECT_EQ(alerts->front().state, ActiveAlert::State::pending);
  EXPECT_EQ(to_rfc3339(alerts->front().active_at.value()), "2026-03-01T12:00:00.123456Z");
  EXPECT_THAT(alerts->front().labels,
              ElementsAre(Pair("alertname", "A"), Pair("severity", "page")));
  const auto error = parse_prometheus_alerts(
      R"({"status": "error", "errorType": "internal", "error": "storage is gone"})");
  ASSERT_FALSE(error);
  EXPECT_THAT(error.error().what, HasSubstr("storage is gone"));
  EXPECT_FALSE(parse_prometheus_alerts(R"({"status": "success", "data": {"alerts": [{}]}})"));
}

TEST(RuleOf, NeedsTheRulesOwnLabelsAndNoAmbiguity) {
  AlertRule page{.name = "A", .labels = {{"severity", "page"}}, .hold = Duration{1}};
  AlertRule ticket{.name = "A", .labels = {{"severity", "ticket"}}, .hold = Duration{2}};
  AlertRule team{.name = "A", .labels = {{"team", "{{ $labels.team }}"}}, .hold = Duration{3}};
  ActiveAlert alert{.alertname = "A", .labels = {{"alertname", "A"}, {"severity", "ticket"}}};
  const std::vector<AlertRule> two{page, ticket};
  EXPECT_EQ(rule_of(two, alert), &two[1]);
  const std::vector<AlertRule> unsure{ticket, team};
  EXPECT_EQ(rule_of(unsure, alert), nullptr) << "two rules with different `for` could be it";
  EXPECT_EQ(rule_of(std::vector<AlertRule>{page}, alert), nullptr);
}

TEST(FirstFiringEvaluation, IsTheFirstOnTheGridAtOrAfterFor) {
  const auto after = [](std::int64_t hold, std::int64_t interval) {
    AlertRule rule;
    rule.hold = Duration{hold};
    rule.interval = Duration{interval};
    return first_firing_evaluation(from_micros(1000), rule).time_since_epoch().count() - 1000;
  };
  EXPECT_EQ(after(0, 10), 0) << "without `for` it fires at once";
  EXPECT_EQ(after(20, 10), 20);
  EXPECT_EQ(after(21, 10), 30);
  EXPECT_EQ(after(1, 10), 10);
}

TEST(LabelFingerprint, IsThatOfPrometheusCommon) {
  // From prometheus/common model/signature_test.go: 5799056148416392346 in hexadecimal.
  EXPECT_EQ(label_fingerprint({{"name", "garland, briggs"}, {"fear", "love is not enough"}}),
            fmt::format("{:016x}", 5799056148416392346ULL));
  EXPECT_EQ(label_fingerprint({}), fmt::format("{:016x}", 14695981039346656037ULL));
  EXPECT_NE(label_fingerprint({{"a", "bc"}}), label_fingerprint({{"ab", "c"}}));
}

}  // namespace
}  // namespace firedrill
