#include "controller/detect/webhooks.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/core.h>

#include "controller/detect/wire_reader.hpp"

namespace firedrill {
namespace {

using Notices = std::vector<AlertNotice>;

constexpr std::size_t kLongestText = 1024;  ///< of a generic webhook's name, id or severity

Result<AlertNotice> parse_notice(const Json& json, std::string pointer) {
  WireReader reader(json, std::move(pointer));
  AlertNotice notice;
  notice.labels = reader.labels("labels");
  notice.annotations = reader.labels("annotations");
  const std::string status = reader.text("status");
  if (status == "firing") notice.status = AlertStatus::firing;
  else if (status == "resolved") notice.status = AlertStatus::resolved;
  else reader.refuse("status", fmt::format("'{}' is neither firing nor resolved", status));
  notice.starts_at = reader.time("startsAt", true);
  if (!notice.starts_at) reader.refuse("startsAt", "an alert without a start");
  notice.ends_at = reader.time("endsAt", false);
  notice.fingerprint = reader.text_or("fingerprint", label_fingerprint(notice.labels));
  if (notice.labels.contains("alertname")) notice.alertname = notice.labels.at("alertname");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  return notice;
}

/// The form that Alertmanager and Grafana share.
Result<Notices> parse_group(const Json& json, WireReader& reader) {
  const std::string group_key = reader.text_or("groupKey", "");
  const std::string receiver = reader.text_or("receiver", "");
  if (!json.is_object() || !json.contains("alerts")) reader.refuse("alerts", "'alerts' is missing");
  const Json& alerts = reader.array("alerts");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  Notices notices;
  for (std::size_t i = 0; i < alerts.size(); ++i) {
    auto notice = parse_notice(alerts[i], pointer_join("/alerts", i));
    if (!notice) return std::unexpected(notice.error());
    notice->group_key = group_key;
    notice->receiver = receiver;
    notices.push_back(std::move(*notice));
  }
  return notices;
}

std::optional<AlertStatus> pager_status(std::string_view type) {
  if (type == "incident.triggered" || type == "incident.reopened") return AlertStatus::firing;
  if (type == "incident.acknowledged") return AlertStatus::acknowledged;
  if (type == "incident.resolved") return AlertStatus::resolved;
  return std::nullopt;
}

/// The name by which a pager refers to something: {"summary": …}, or null.
std::string summary_of(WireReader& reader, std::string_view key) {
  WireReader reference(reader.object(key), reader.at(key));
  std::string summary = reference.text_or("summary", "");
  if (auto done = reference.done(); !done) reader.refuse(key, done.error().what);
  return summary;
}

void add_label(Labels& labels, const std::string& name, std::string value) {
  if (!value.empty()) labels[name] = std::move(value);
}

Result<Notices> parse_incident(const Json& json, std::string pointer, AlertNotice notice) {
  WireReader incident(json, std::move(pointer));
  notice.fingerprint = incident.text("id");
  notice.alertname = incident.text("title");
  notice.labels["alertname"] = notice.alertname;
  add_label(notice.labels, "urgency", incident.text_or("urgency", ""));
  add_label(notice.labels, "incident_key", incident.text_or("incident_key", ""));
  add_label(notice.labels, "service", summary_of(incident, "service"));
  add_label(notice.labels, "priority", summary_of(incident, "priority"));
  notice.starts_at = incident.time("created_at", false);
  if (!notice.starts_at && notice.status == AlertStatus::firing)
    notice.starts_at = notice.occurred_at;
  if (notice.status == AlertStatus::resolved) notice.ends_at = notice.occurred_at;
  if (auto done = incident.done(); !done) return std::unexpected(done.error());
  return Notices{std::move(notice)};
}

/// What `pointer` leads to, or null. The experiment's reader has checked its form.
const Json* look_up(const Json& body, const std::string& pointer) {
  // It throws on an index that no array can have, such as "/01" or one beyond 64 bits.
  try {
    const Json::json_pointer at(pointer);
    return body.contains(at) ? &body.at(at) : nullptr;
  } catch (const Json::exception&) {
    return nullptr;
  }
}

/// A text, a number or a truth value as text.
Result<std::string> text_at(const Json& body, const std::string& pointer, std::string_view what) {
  const Json* value = look_up(body, pointer);
  if (value == nullptr || value->is_structured() || value->is_null())
    return fail_at(pointer, fmt::format("the {} should be here, as a text or a number", what));
  std::string text = value->is_string() ? value->get<std::string>() : value->dump();
  if (text.size() > kLongestText)
    return fail_at(pointer, fmt::format("the {} is longer than {} bytes", what, kLongestText));
  return text;
}

}  // namespace

Result<UtcTime> parse_any_instant(const Json& value) {
  constexpr double kSeconds = 1e11, kMillis = 1e14, kLatest = 4e15;
  double number = -1;
  if (value.is_number()) {
    number = value.get<double>();
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return parse_rfc3339(text);
  }
  if (!(number >= 0 && number <= kLatest))
    return fail(ErrorCode::invalid_input,
                "this is no instant: RFC 3339 or Unix time in s, ms or us is needed");
  const double scale = number < kSeconds ? 1e6 : number < kMillis ? 1e3 : 1;
  return from_micros(std::llround(number * scale));
}

Result<Notices> parse_alertmanager_webhook(std::string_view body) {
  const auto json = parse_json(body, "Alertmanager webhook");
  if (!json) return std::unexpected(json.error());
  WireReader reader(*json, "");
  const std::string version = reader.text("version");
  if (version != "4")
    reader.refuse("version", fmt::format("webhook version '{}' is not known; this is for '4', "
                                         "which Alertmanager sends since 0.6",
                                         version));
  return parse_group(*json, reader);
}

Result<Notices> parse_grafana_webhook(std::string_view body) {
  const auto json = parse_json(body, "Grafana webhook");
  if (!json) return std::unexpected(json.error());
  WireReader reader(*json, "");
  return parse_group(*json, reader);
}

Result<Notices> parse_pager_webhook(std::string_view body) {
  const auto json = parse_json(body, "pager webhook");
  if (!json) return std::unexpected(json.error());
  WireReader reader(*json, "");
  if (json->is_object() && !json->contains("event")) reader.refuse("event", "'event' is missing");
  WireReader event(reader.object("event"), "/event");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  const std::string type = event.text("event_type");
  AlertNotice notice;
  notice.occurred_at = event.time("occurred_at", false);
  notice.who = summary_of(event, "agent");
  const Json& incident = event.object("data");
  if (auto done = event.done(); !done) return std::unexpected(done.error());
  const auto status = pager_status(type);
  if (!status) return Notices{};  // escalations, notes, pings: nothing that a chain is made of
  notice.status = *status;
  notice.receiver = "pager";
  return parse_incident(incident, "/event/data", std::move(notice));
}

Result<Notices> parse_generic_webhook(std::string_view body, const Detector& detector) {
  const auto json = parse_json(body, "webhook " + detector.name);
  if (!json) return std::unexpected(json.error());
  const WebhookFields& fields = detector.fields;
  AlertNotice notice;
  notice.receiver = detector.name;
  if (!fields.state.empty()) {
    const auto state = text_at(*json, fields.state, "state");
    if (!state) return std::unexpected(state.error());
    const bool on = std::ranges::find(fields.on, *state) != fields.on.end();
    notice.status = on ? AlertStatus::firing : AlertStatus::resolved;
  }
  notice.alertname = detector.alert;
  std::string id, severity = detector.severity;
  const std::pair<const std::string*, std::string*> texts[] = {
      {&fields.name, &notice.alertname}, {&fields.id, &id}, {&fields.severity, &severity}};
  for (const auto& [pointer, into] : texts) {
    if (pointer->empty()) continue;
    auto text = text_at(*json, *pointer, "value");
    if (!text) return std::unexpected(text.error());
    *into = std::move(*text);
  }
  notice.labels["alertname"] = notice.alertname;
  add_label(notice.labels, "severity", severity);
  notice.fingerprint = id.empty() ? label_fingerprint({{"alertname", notice.alertname}}) : id;
  if (fields.at.empty()) return Notices{std::move(notice)};
  const Json* at = look_up(*json, fields.at);
  if (at == nullptr) return fail_at(fields.at, "the instant should be here");
  const auto instant = parse_any_instant(*at);
  if (!instant) return fail_at(fields.at, instant.error().what);
  (notice.status == AlertStatus::firing ? notice.starts_at : notice.ends_at) = *instant;
  return Notices{std::move(notice)};
}

Result<Notices> parse_webhook(std::string_view body, const Detector& detector) {
  switch (detector.kind) {
    case Detector::Kind::alertmanager:
      return parse_alertmanager_webhook(body);
    case Detector::Kind::grafana:
      return parse_grafana_webhook(body);
    case Detector::Kind::pager:
      return parse_pager_webhook(body);
    case Detector::Kind::webhook:
      return parse_generic_webhook(body, detector);
    default:
      break;
  }
  return fail(ErrorCode::invalid_input,
              fmt::format("the detector '{}' takes no webhook", detector.name));
}

}  // namespace firedrill
