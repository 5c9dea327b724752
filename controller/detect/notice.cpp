#include "controller/detect/notice.hpp"

#include <algorithm>

namespace firedrill {
namespace {

/// An acknowledgement happened when the sender says, but never after we heard of it.
void place_ack(const AlertNotice& notice, UtcTime received, std::optional<MonitorClock> monitor,
               Detection& detection) {
  if (!notice.occurred_at || !monitor) return;
  const UtcTime said = *notice.occurred_at - monitor->offset;
  const UtcTime low = said - monitor->error;
  const UtcTime high = std::min(said + monitor->error, received);
  detection.data["occurred_us"] = to_micros(said);
  if (low > high) return;  // the clock is not what it was taken for: reception counts
  detection.at = low + (high - low) / 2;
  detection.uncertainty = (high - low + Duration{1}) / 2;
}

}  // namespace

std::string_view to_string(AlertStatus status) {
  switch (status) {
    case AlertStatus::firing:
      return "firing";
    case AlertStatus::acknowledged:
      return "acknowledged";
    case AlertStatus::resolved:
      break;
  }
  return "resolved";
}

Detection to_detection(const AlertNotice& notice, UtcTime received,
                       std::optional<MonitorClock> monitor) {
  const bool ack = notice.status == AlertStatus::acknowledged;
  Detection out{.kind = std::string(ack ? event_kind::acknowledged : event_kind::alert_notified),
                .at = received,
                .data = {{"alertname", notice.alertname},
                         {"labels", notice.labels},
                         {"fingerprint", notice.fingerprint},
                         {"received_us", to_micros(received)}}};
  if (ack) {
    out.data["who"] = notice.who;
    place_ack(notice, received, monitor, out);
    return out;
  }
  out.data["annotations"] = notice.annotations;
  out.data["status"] = to_string(notice.status);
  out.data["receiver"] = notice.receiver;
  out.data["group_key"] = notice.group_key;
  const Duration offset = monitor ? monitor->offset : Duration{0};
  if (notice.starts_at) out.data["starts_us"] = to_micros(*notice.starts_at - offset);
  if (notice.ends_at) out.data["ends_us"] = to_micros(*notice.ends_at - offset);
  if (monitor) {
    out.data["monitor_offset_us"] = monitor->offset.count();
    out.data["monitor_error_us"] = monitor->error.count();
  } else {
    out.data["starts_clock"] = "monitor";
  }
  return out;
}

}  // namespace firedrill
