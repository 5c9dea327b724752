// One alert as somebody posted it to the controller, whatever program did. Plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "controller/detect/detection.hpp"

namespace firedrill {

enum class AlertStatus : std::uint8_t { firing, acknowledged, resolved };
[[nodiscard]] std::string_view to_string(AlertStatus status);

struct AlertNotice {
  std::string alertname{};
  Labels labels{}, annotations{};
  std::string fingerprint{};  ///< the sender's own; made from the labels when it sent none
  AlertStatus status = AlertStatus::firing;
  // On the sender's clock:
  std::optional<UtcTime> starts_at{};
  std::optional<UtcTime> ends_at{};      ///< absent while it fires
  std::optional<UtcTime> occurred_at{};  ///< of what is told: the acknowledgement
  std::string who{};                     ///< acknowledged it
  std::string group_key{}, receiver{};
};

/// alert.notified at the instant of reception; `ack` for an acknowledgement, at its own instant
/// when that can be had. `monitor` puts the sender's instants on the controller's clock; without
/// it the offset is unknown, and data says "starts_clock": "monitor".
[[nodiscard]] Detection to_detection(const AlertNotice& notice, UtcTime received,
                                     std::optional<MonitorClock> monitor = std::nullopt);

}  // namespace firedrill
