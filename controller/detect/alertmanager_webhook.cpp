#include "controller/detect/alertmanager_webhook.hpp"

#include <fmt/core.h>

#include "controller/detect/wire_reader.hpp"

namespace firedrill {
namespace {

Result<AlertNotice> parse_notice(const Json& json, std::string pointer) {
  WireReader reader(json, std::move(pointer));
  AlertNotice notice;
  notice.labels = reader.labels("labels");
  notice.annotations = reader.labels("annotations");
  const std::string status = reader.text("status");
  if (status == "firing") notice.status = AlertStatus::firing;
  else if (status == "resolved") notice.status = AlertStatus::resolved;
  else reader.refuse("status", fmt::format("'{}' is neither firing nor resolved", status));
  const auto starts = reader.time("startsAt", true);
  if (starts) notice.starts_at = *starts;
  else reader.refuse("startsAt", "an alert without a start");
  notice.ends_at = reader.time("endsAt", false);
  notice.fingerprint = reader.text_or("fingerprint", label_fingerprint(notice.labels));
  if (notice.labels.contains("alertname")) notice.alertname = notice.labels.at("alertname");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  return notice;
}

}  // namespace

std::string_view to_string(AlertStatus status) {
  return status == AlertStatus::firing ? "firing" : "resolved";
}

Result<std::vector<AlertNotice>> parse_alertmanager_webhook(std::string_view body) {
  const auto json = parse_json(body, "Alertmanager webhook");
  if (!json) return std::unexpected(json.error());
  WireReader reader(*json, "");
  const std::string version = reader.text("version");
  if (version != "4")
    reader.refuse("version", fmt::format("webhook version '{}' is not known; this is for '4', "
                                         "which Alertmanager sends since 0.6",
                                         version));
  const std::string group_key = reader.text_or("groupKey", "");
  const std::string receiver = reader.text_or("receiver", "");
  if (!json->is_object() || !json->contains("alerts"))
    reader.refuse("alerts", "'alerts' is missing");
  const Json& alerts = reader.array("alerts");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  std::vector<AlertNotice> notices;
  for (std::size_t i = 0; i < alerts.size(); ++i) {
    auto notice = parse_notice(alerts[i], pointer_join("/alerts", i));
    if (!notice) return std::unexpected(notice.error());
    notice->group_key = group_key;
    notice->receiver = receiver;
    notices.push_back(std::move(*notice));
  }
  return notices;
}

Detection to_detection(const AlertNotice& notice, UtcTime received,
                       std::optional<MonitorClock> monitor) {
  Json data{{"alertname", notice.alertname},      {"labels", notice.labels},
            {"annotations", notice.annotations},  {"fingerprint", notice.fingerprint},
            {"status", to_string(notice.status)}, {"received_us", to_micros(received)},
            {"receiver", notice.receiver},        {"group_key", notice.group_key}};
  const Duration offset = monitor ? monitor->offset : Duration{0};
  data["starts_us"] = to_micros(notice.starts_at - offset);
  if (notice.ends_at) data["ends_us"] = to_micros(*notice.ends_at - offset);
  if (monitor) {
    data["monitor_offset_us"] = monitor->offset.count();
    data["monitor_error_us"] = monitor->error.count();
  } else {
    data["starts_clock"] = "monitor";
  }
  return {.kind = std::string(event_kind::alert_notified), .at = received, .data = std::move(data)};
}

}  // namespace firedrill
