// What Grafana, pagers and anything else post: the documented forms, and refusal with the place.
#include "controller/detect/webhooks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firedrill {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::string_view kGrafana = R"({
  "receiver": "firedrill", "status": "firing", "orgId": 1, "version": "1", "truncatedAlerts": 0,
  "groupKey": "{}:{alertname=\"Slow\"}", "title": "[FIRING:1] Slow", "state": "alerting",
  "alerts": [
    {"status": "firing", "labels": {"alertname": "Slow", "grafana_folder": "ops",
      "severity": "critical"}, "annotations": {"summary": "slow"}, "values": {"B": 44.2},
     "startsAt": "2026-03-01T12:00:05Z", "endsAt": "0001-01-01T00:00:00Z",
     "generatorURL": "x", "fingerprint": "c6eadffa33fcdf37", "silenceURL": "y"},
    {"status": "resolved", "labels": {"alertname": "Slow"}, "annotations": null, "values": null,
     "startsAt": "2026-03-01T12:00:00Z", "endsAt": "2026-03-01T12:01:00Z",
     "fingerprint": "aa"}]})";

constexpr std::string_view kPager = R"({"event": {
  "id": "5ac64822-4adc-4fda-ade0-410becf0de4f", "event_type": "incident.acknowledged",
  "resource_type": "incident", "occurred_at": "2026-03-01T12:00:22.169Z",
  "agent": {"html_url": "u", "id": "PLH1HKV", "summary": "Alice", "type": "user_reference"},
  "client": null, "data": {"id": "PGR0VU2", "type": "incident", "number": 2,
    "status": "acknowledged", "incident_key": "d3640fbd41094207a1c11e58e46b1662",
    "created_at": "2026-03-01T12:00:03Z", "title": "[FIRING:1] EtcdSlowWrites db-1",
    "service": {"id": "PF9KMXH", "summary": "checkout", "type": "service_reference"},
    "urgency": "high", "priority": {"summary": "P1"}, "assignees": []}}})";

Json changed(std::string_view body, const std::string& path, const Json& value) {
  Json json = Json::parse(body);
  json[Json::json_pointer(path)] = value;
  return json;
}

TEST(GrafanaWebhook, GivesOneNoticePerAlert) {
  const auto notices = parse_grafana_webhook(kGrafana);
  ASSERT_TRUE(notices) << describe(notices.error());
  ASSERT_THAT(*notices, SizeIs(2));
  EXPECT_EQ(notices->at(0).alertname, "Slow");
  EXPECT_EQ(notices->at(0).fingerprint, "c6eadffa33fcdf37");
  EXPECT_EQ(notices->at(0).labels.at("severity"), "critical");
  EXPECT_FALSE(notices->at(0).ends_at);
  EXPECT_EQ(notices->at(1).status, AlertStatus::resolved);
  EXPECT_EQ(
      parse_grafana_webhook(changed(kGrafana, "/alerts/0/startsAt", 5).dump()).error().pointer,
      "/alerts/0/startsAt");
}

TEST(PagerWebhook, AcknowledgementNamesWhoAndWhen) {
  const auto notices = parse_pager_webhook(kPager);
  ASSERT_TRUE(notices) << describe(notices.error());
  ASSERT_THAT(*notices, SizeIs(1));
  const AlertNotice& ack = notices->front();
  EXPECT_EQ(ack.status, AlertStatus::acknowledged);
  EXPECT_EQ(ack.who, "Alice");
  EXPECT_EQ(ack.fingerprint, "PGR0VU2");
  EXPECT_EQ(ack.labels.at("service"), "checkout");
  EXPECT_EQ(ack.labels.at("priority"), "P1");
  EXPECT_EQ(ack.labels.at("urgency"), "high");
  const UtcTime received = *ack.occurred_at + Duration{3'000'000};
  const Detection unsure = to_detection(ack, received);
  EXPECT_EQ(unsure.kind, event_kind::acknowledged);
  EXPECT_EQ(unsure.at, received) << "its clock is not known";
  const Detection sure = to_detection(ack, received, MonitorClock{{}, Duration{10'000}});
  EXPECT_EQ(sure.at, *ack.occurred_at);
  EXPECT_EQ(sure.uncertainty, Duration{10'000});
  const Detection early =
      to_detection(ack, *ack.occurred_at - Duration{50'000}, MonitorClock{{}, Duration{10'000}});
  EXPECT_EQ(early.at, *ack.occurred_at - Duration{50'000}) << "never after we heard of it";
}

TEST(PagerWebhook, TriggeredAndResolvedAreTheChainAndTheRestIsNothing) {
  const auto of = [](const std::string& type) {
    return parse_pager_webhook(changed(kPager, "/event/event_type", type).dump());
  };
  EXPECT_EQ(of("incident.triggered")->at(0).status, AlertStatus::firing);
  EXPECT_EQ(of("incident.reopened")->at(0).status, AlertStatus::firing);
  const auto resolved = of("incident.resolved");
  EXPECT_EQ(resolved->at(0).status, AlertStatus::resolved);
  EXPECT_TRUE(resolved->at(0).ends_at);
  for (const char* other : {"incident.escalated", "incident.annotated", "pagey.ping", ""})
    EXPECT_THAT(of(other).value(), IsEmpty()) << other;
}

TEST(PagerWebhook, RefusesWrongFormsWithThePlace) {
  const auto pointer = [](const std::string& path, const Json& value) {
    const auto parsed = parse_pager_webhook(changed(kPager, path, value).dump());
    EXPECT_FALSE(parsed) << path;
    return parsed ? std::string() : parsed.error().pointer;
  };
  EXPECT_EQ(pointer("/event/data/id", 5), "/event/data/id");
  EXPECT_EQ(pointer("/event/data/title", nullptr), "/event/data/title");
  EXPECT_EQ(pointer("/event/occurred_at", "then"), "/event/occurred_at");
  EXPECT_EQ(pointer("/event/event_type", 1), "/event/event_type");
  EXPECT_EQ(pointer("/event/data/service", "checkout"), "/event/data/service");
  for (const char* text : {"", "null", "[]", "{}", R"({"event": 3})"})
    EXPECT_FALSE(parse_pager_webhook(text)) << text;
}

Detector checks() {
  Detector detector;
  detector.name = "checks";
  detector.kind = Detector::Kind::webhook;
  detector.alert = "CheckFailed";
  detector.severity = "page";
  detector.fields = {.state = "/check/state",
                     .on = {"CRITICAL", "2"},
                     .name = "/check/name",
                     .id = "",
                     .at = "/when",
                     .severity = ""};
  return detector;
}

TEST(GenericWebhook, IsReadByItsPointers) {
  const auto read = [](const std::string& body) { return parse_generic_webhook(body, checks()); };
  const auto on = read(R"({"check": {"state": "CRITICAL", "name": "http"}, "when": 1772366400.5})");
  ASSERT_TRUE(on) << describe(on.error());
  EXPECT_EQ(on->at(0).status, AlertStatus::firing);
  EXPECT_EQ(on->at(0).alertname, "http");
  EXPECT_EQ(on->at(0).labels.at("severity"), "page");
  EXPECT_EQ(to_micros(*on->at(0).starts_at), 1'772'366'400'500'000);
  const auto number =
      read(R"({"check": {"state": 2, "name": "http"}, "when": "2026-03-01T12:00:00Z"})");
  EXPECT_EQ(number->at(0).status, AlertStatus::firing);
  const auto off = read(R"({"check": {"state": "OK", "name": "http"}, "when": 1772366400500})");
  EXPECT_EQ(off->at(0).status, AlertStatus::resolved);
  EXPECT_EQ(off->at(0).fingerprint, on->at(0).fingerprint) << "it ends what the other began";
  EXPECT_EQ(to_micros(*off->at(0).ends_at), 1'772'366'400'500'000);
}

TEST(GenericWebhook, SaysWhereSomethingIsMissing) {
  const auto pointer = [](const std::string& body) {
    const auto parsed = parse_generic_webhook(body, checks());
    EXPECT_FALSE(parsed) << body;
    return parsed ? std::string() : parsed.error().pointer;
  };
  EXPECT_EQ(pointer("{}"), "/check/state");
  EXPECT_EQ(pointer(R"({"check": {"state": {}}})"), "/check/state");
  EXPECT_EQ(pointer(R"({"check": {"state": "OK"}})"), "/check/name");
  EXPECT_EQ(pointer(R"({"check": {"state": "OK", "name": "x"}})"), "/when");
  EXPECT_EQ(pointer(R"({"check": {"state": "OK", "name": "x"}, "when": "soon"})"), "/when");
  EXPECT_EQ(pointer("[1, 2]"), "/check/state");
}

TEST(GenericWebhook, WithoutFieldsEachPostMeansOn) {
  Detector plain;
  plain.name = plain.alert = "bell";
  const auto notices = parse_generic_webhook("7", plain);
  ASSERT_TRUE(notices);
  EXPECT_EQ(notices->at(0).alertname, "bell");
  EXPECT_EQ(notices->at(0).status, AlertStatus::firing);
  EXPECT_FALSE(notices->at(0).starts_at);
}

TEST(AnyInstant, TellsUnitsApartBySize) {
  for (const Json& same : {Json(1'772'366'400), Json("1772366400"), Json(1'772'366'400'000),
                           Json(1'772'366'400'000'000), Json("2026-03-01T12:00:00Z")})
    EXPECT_EQ(to_micros(parse_any_instant(same).value()), 1'772'366'400'000'000) << same;
  for (const Json& bad : {Json("x"), Json(-1), Json("nan"), Json("inf"), Json(1e17), Json(true)})
    EXPECT_FALSE(parse_any_instant(bad)) << bad;
}

}  // namespace
}  // namespace firedrill
