// Reads the answer of Alertmanager's GET /api/v2/alerts. Pure; safe on any bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/detect/detection.hpp"

namespace firedrill {

enum class AlertmanagerState : std::uint8_t { unprocessed, active, suppressed };
[[nodiscard]] std::string_view to_string(AlertmanagerState state);

/// Alertmanager keeps resolved alerts out of this list, so each one fires, maybe muted.
struct AlertmanagerAlert {
  std::string alertname;
  Labels labels, annotations;
  std::string fingerprint;
  UtcTime starts_at{}, ends_at{};  ///< on the monitoring server's clock; ends_at is a time-out
  AlertmanagerState state = AlertmanagerState::active;
  std::vector<std::string> silenced_by, inhibited_by;
};

/// @errors invalid_input with a JSON pointer to the place
[[nodiscard]] Result<std::vector<AlertmanagerAlert>> parse_alertmanager_alerts(
    std::string_view body);

}  // namespace firedrill
