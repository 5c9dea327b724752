// Reads what monitoring systems and pagers post. Pure; safe on any bytes.
//
// All are strict about the members that they use and silent about the others, since senders add
// some now and then; the same body twice gives the same notices.
#pragma once

#include <string_view>
#include <vector>

#include "controller/detect/notice.hpp"
#include "controller/experiment/exercise.hpp"

namespace firedrill {

/// Alertmanager, webhook version "4". @errors invalid_input with a JSON pointer to the place
[[nodiscard]] Result<std::vector<AlertNotice>> parse_alertmanager_webhook(std::string_view body);

/// Grafana's alerting (contact point "webhook"): Alertmanager's form with more members.
/// @errors as above
[[nodiscard]] Result<std::vector<AlertNotice>> parse_grafana_webhook(std::string_view body);

/// A pager's webhook in PagerDuty's form, version 3: {"event": {"event_type", "occurred_at",
/// "agent", "data": INCIDENT}}. incident.triggered and .reopened fire, .acknowledged and
/// .resolved are what they say; every other event gives nothing. Labels: alertname (the title),
/// service, urgency, priority, incident_key; the incident's id is the fingerprint.
/// @errors as above
[[nodiscard]] Result<std::vector<AlertNotice>> parse_pager_webhook(std::string_view body);

/// Any JSON, by the pointers of `detector.fields`. One post is one alert.
/// @errors as above; the pointer is the experiment's own, into the body
[[nodiscard]] Result<std::vector<AlertNotice>> parse_generic_webhook(std::string_view body,
                                                                     const Detector& detector);

/// By the detector's type.
[[nodiscard]] Result<std::vector<AlertNotice>> parse_webhook(std::string_view body,
                                                             const Detector& detector);

/// An instant as programs write it: RFC 3339, or Unix time as a number or text of digits, whose
/// size tells seconds (to year 5138), milliseconds and microseconds apart.
[[nodiscard]] Result<UtcTime> parse_any_instant(const Json& value);

}  // namespace firedrill
