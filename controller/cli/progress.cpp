// Events as lines for the person who watches the run.
#include <fmt/format.h>

#include "controller/cli/cli.hpp"

namespace firedrill::cli {
namespace {

std::string values_text(const Json& data) {
  const Json values = data.value("values", Json::object());
  std::string out;
  for (const auto& [key, value] : values.items()) {
    if (value.is_structured() || out.size() > 110) continue;
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", key,
                       value.is_string() ? value.get<std::string>() : value.dump());
  }
  return out;
}

std::string injection_line(const Event& event) {
  const Json& data = event.data;
  const std::string what =
      fmt::format("{} on {}", data.value("fault", "fault"), data.value("host", "?"));
  if (event.kind == event_kind::injection_prepared) return "prepared " + what;
  if (event.kind == event_kind::injection_active)
    return fmt::format("INJECTED {}, read back: {}", what, values_text(data));
  if (event.kind == event_kind::injection_paused) return fmt::format("off      {}", what);
  if (event.kind == event_kind::injection_resumed)
    return fmt::format("on again {}, read back: {}", what, values_text(data));
  if (event.kind == event_kind::injection_adjusted)
    return fmt::format("ramp     {}: {} is {} ({} of {})", what, data.value("parameter", ""),
                       data.value("value", ""), data.value("step", 0), data.value("steps", 0));
  if (event.kind == event_kind::injection_progress)
    return fmt::format("goes on  {}: {}", what, values_text(data));
  if (event.kind == event_kind::injection_cured)
    return fmt::format("CURED    injection {} on {}: responders brought it about",
                       data.value("injection", ""), data.value("host", "?"));
  if (event.kind == event_kind::injection_undone)
    return fmt::format("undone   {} ({}){}", what, data.value("cause", ""),
                       data.value("verified", false) ? ", host equals its snapshot" : "");
  if (event.kind == event_kind::injection_dirty)
    return fmt::format("DIRTY    {}: {}", what, data.value("differences", Json()).dump());
  return fmt::format("FAILED   {}: {}", what, data.value("error", Json()).dump());
}

std::string alert_line(const Event& event) {
  const Json& data = event.data;
  const Json labels = data.value("labels", Json::object());
  const std::string where = labels.value("instance", "");
  const std::string state = event.kind.substr(event.kind.find('.') + 1);
  return fmt::format("alert    {}{}{} is {} ({})", data.value("alertname", "?"),
                     where.empty() ? "" : " on ", where,
                     state == "notified" ? "delivered: " + data.value("status", "") : state,
                     event.source.substr(event.source.find(':') + 1));
}

/// " (write-p99)": whose newest sample is out of tolerance.
std::string unmet_probes(const Json& data) {
  std::string names;
  for (const Json& probe : data.value("probes", Json::array()))
    if (probe.is_object() && !probe.value("met", true))
      names += (names.empty() ? " (" : ", ") + probe.value("name", "");
  return names.empty() ? names : names + ")";
}

}  // namespace

std::string progress_line(const Event& event) {
  const Json& data = event.data;
  const std::string& kind = event.kind;
  if (kind == event_kind::run_phase)
    return data.contains("outcome")
               ? fmt::format("phase    finished: {}", data.value("outcome", ""))
               : fmt::format("phase    {}", data.value("phase", ""));
  if (kind == event_kind::preflight)
    return fmt::format("check    {} {}: {}", data.value("ok", false) ? "ok  " : "FAIL",
                       data.value("check", ""), data.value("detail", ""));
  if (kind.starts_with("injection.")) return injection_line(event);
  if (kind.starts_with("alert.")) return alert_line(event);
  if (kind == event_kind::steady_state && data.contains("wait_us"))
    return fmt::format("steady   {} the fault: not yet{}; waiting for up to {}",
                       data.value("when", ""), unmet_probes(data),
                       to_string(Duration{data.value("wait_us", std::int64_t{0})}));
  if (kind == event_kind::steady_state)
    return fmt::format("steady   {} the fault: {}", data.value("when", ""),
                       data.value("met", false) ? "yes" : "NO");
  if (kind == event_kind::agent_lost)
    return fmt::format("LOST     agent {}: {}", data.value("host", ""), data.value("reason", ""));
  if (kind == event_kind::agent_connected)
    return fmt::format("agent    {} is back", data.value("host", ""));
  if (kind == event_kind::detector_lost)
    return fmt::format("LOST     detector {}: {}", data.value("detector", ""),
                       data.value("reason", ""));
  if (kind == event_kind::slo_lost)
    return fmt::format("LOST     SLO {}: {}", data.value("slo", ""), data.value("reason", ""));
  if (kind == event_kind::mode_changed)
    return fmt::format("mode     {} is {} ({})", data.value("name", ""), data.value("mode", ""),
                       data.value("reason", data.value("value", "")));
  if (kind == event_kind::responder_output) return "responder| " + data.value("line", "");
  if (kind == event_kind::step_done)
    return fmt::format("step     {} done, says {}", data.value("step", ""), data.value("who", ""));
  if (kind == event_kind::step_verified)
    return fmt::format("step     {} seen by machine: {}", data.value("step", ""),
                       data.value("evidence", ""));
  if (kind == event_kind::acknowledged) return fmt::format("ack      by {}", data.value("who", ""));
  if (kind == event_kind::halt_requested)
    return fmt::format("HALT     by {}: {}", data.value("who", ""), data.value("reason", ""));
  if (kind == event_kind::inject_sent)
    return fmt::format("inject   to {}: {}", data.value("to", ""), data.value("content", ""));
  return {};
}

}  // namespace firedrill::cli
