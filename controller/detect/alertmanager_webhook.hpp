// Reads the body that Alertmanager posts to a webhook (version "4"). Pure; safe on any bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/detect/detection.hpp"

namespace firedrill {

enum class AlertStatus : std::uint8_t { firing, resolved };
[[nodiscard]] std::string_view to_string(AlertStatus status);

struct AlertNotice {
  std::string alertname;
  Labels labels, annotations;
  std::string fingerprint;  ///< Alertmanager's own; made from the labels when it sent none
  AlertStatus status = AlertStatus::firing;
  UtcTime starts_at{};             ///< on the monitoring server's clock
  std::optional<UtcTime> ends_at;  ///< the same; absent while it fires
  std::string group_key, receiver;
};

/// Strict about types and about `version`; unknown members are ignored, since Alertmanager adds
/// some now and then. The same notification sent twice parses to the same notices.
/// @errors invalid_input with a JSON pointer to the place
[[nodiscard]] Result<std::vector<AlertNotice>> parse_alertmanager_webhook(std::string_view body);

/// alert.notified, at the instant of reception. `monitor` puts starts_us on the controller's
/// clock; without it the offset is unknown, and data says "starts_clock": "monitor".
[[nodiscard]] Detection to_detection(const AlertNotice& notice, UtcTime received,
                                     std::optional<MonitorClock> monitor = std::nullopt);

}  // namespace firedrill
