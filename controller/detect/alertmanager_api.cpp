#include "controller/detect/alertmanager_api.hpp"

#include <fmt/core.h>

#include "controller/detect/wire_reader.hpp"

namespace firedrill {
namespace {

Result<AlertmanagerAlert> parse_alert(const Json& json, const std::string& pointer) {
  WireReader reader(json, pointer);
  AlertmanagerAlert alert;
  alert.labels = reader.labels("labels");
  alert.annotations = reader.labels("annotations");
  alert.fingerprint = reader.text_or("fingerprint", label_fingerprint(alert.labels));
  if (alert.labels.contains("alertname")) alert.alertname = alert.labels.at("alertname");
  const auto starts = reader.time("startsAt", true);
  if (starts) alert.starts_at = *starts;
  else reader.refuse("startsAt", "an alert without a start");
  if (const auto ends = reader.time("endsAt", false)) alert.ends_at = *ends;

  WireReader status(reader.object("status"), reader.at("status"));
  const std::string state = status.text("state");
  if (state == "active") alert.state = AlertmanagerState::active;
  else if (state == "suppressed") alert.state = AlertmanagerState::suppressed;
  else if (state == "unprocessed") alert.state = AlertmanagerState::unprocessed;
  else status.refuse("state", fmt::format("'{}' is no alert state", state));
  alert.silenced_by = status.texts("silencedBy");
  alert.inhibited_by = status.texts("inhibitedBy");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  if (auto done = status.done(); !done) return std::unexpected(done.error());
  return alert;
}

}  // namespace

std::string_view to_string(AlertmanagerState state) {
  switch (state) {
    case AlertmanagerState::unprocessed:
      return "unprocessed";
    case AlertmanagerState::active:
      return "active";
    case AlertmanagerState::suppressed:
      return "suppressed";
  }
  return "";
}

Result<std::vector<AlertmanagerAlert>> parse_alertmanager_alerts(std::string_view body) {
  const auto json = parse_json(body, "Alertmanager's alerts");
  if (!json) return std::unexpected(json.error());
  if (!json->is_array())
    return fail_at("",
                   fmt::format("Alertmanager's alerts are an array, not {}", json->type_name()));
  std::vector<AlertmanagerAlert> alerts;
  for (std::size_t i = 0; i < json->size(); ++i) {
    auto alert = parse_alert((*json)[i], pointer_join("", i));
    if (!alert) return std::unexpected(alert.error());
    alerts.push_back(std::move(*alert));
  }
  return alerts;
}

}  // namespace firedrill
