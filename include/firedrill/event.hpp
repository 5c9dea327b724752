// The event: the only thing a run leaves behind, and the only thing measures are made from.
#pragma once

#include <string>
#include <string_view>

#include "firedrill/json.hpp"
#include "firedrill/units.hpp"

namespace firedrill {

/// `at` is on the controller's clock; the true instant lies within at ± uncertainty. Events are
/// appended once, in the order of seq; `at` may run backwards between sources.
struct Event {
  std::int64_t seq = 0;  ///< 1, 2, 3 … within a run, given by the store
  std::string run;
  UtcTime at{};
  Duration uncertainty{};
  std::string source;  ///< "controller", "agent:db-1", "detector:NAME", "responder", "person:NAME"
  std::string kind;    ///< one of event_kind::
  Json data = Json::object();
  std::string hash{};  ///< over this event and the hash before it, given by the store; else empty
};

[[nodiscard]] Json to_json(const Event& event);
[[nodiscard]] Result<Event> parse_event(const Json& json);

/// Kinds and their data. Times inside data end in _us and are on the controller's clock. `by` tells
/// whom the controller saw command: {certificate, address} over the API, {user, login?, from} at
/// the controller's own terminal; `who` is what they call themselves.
namespace event_kind {
// clang-format off
inline constexpr std::string_view run_created = "run.created";        // experiment, plan, sham, responder, version, by{}
inline constexpr std::string_view run_phase = "run.phase";            // phase
inline constexpr std::string_view run_verdict = "run.verdict";        // verdict, reasons[]
inline constexpr std::string_view preflight = "preflight.check";      // check, ok, detail, pointer?
inline constexpr std::string_view agent_connected = "agent.connected";// host
inline constexpr std::string_view agent_lost = "agent.lost";          // host, reason
inline constexpr std::string_view clock_estimate = "clock.estimate";  // host or detector, offset_us, error_us
inline constexpr std::string_view probe_sample = "probe.sample";      // probe, host, from_us, to_us, count, errors, values{}, error?
inline constexpr std::string_view steady_state = "steady-state.checked";// when: before|after, met, probes[{name,value,met}], wait_us?: it may still become so; the last word counts
inline constexpr std::string_view injection_prepared = "injection.prepared";// injection, action, host, fault, record
inline constexpr std::string_view injection_active = "injection.active";  // injection, action, host, fault, started_us, done_us, values, pattern?, ramp?
inline constexpr std::string_view injection_paused = "injection.paused";  // injection, host, fault, started_us, done_us, outcome: an off period began
inline constexpr std::string_view injection_resumed = "injection.resumed";// injection, host, fault, started_us, done_us, values: an on period began
inline constexpr std::string_view injection_adjusted = "injection.adjusted";// injection, host, fault, parameter, value, step, steps, started_us, done_us, values
inline constexpr std::string_view injection_progress = "injection.progress";// injection, host, fault, values: it goes on acting; at most one a second
inline constexpr std::string_view injection_failed = "injection.failed";  // injection, action, host, fault, stage, error
inline constexpr std::string_view injection_cured = "injection.cured";    // injection, host, probe value, seen_us, last_not_us
inline constexpr std::string_view injection_undone = "injection.undone";  // injection, action, host, fault, cause, started_us, done_us, verified, superseded[]
inline constexpr std::string_view injection_dirty = "injection.dirty";    // injection, action, host, fault, cause, differences[]
inline constexpr std::string_view alert_pending = "alert.pending";    // alertname, labels, annotations, fingerprint, active_us, last_quiet_us, first_seen_us
inline constexpr std::string_view alert_firing = "alert.firing";      // as pending; fired_us? (the source's own instant) + bounds
inline constexpr std::string_view alert_resolved = "alert.resolved";  // alertname, labels, fingerprint, ends_us?
inline constexpr std::string_view alert_notified = "alert.notified";  // alertname, labels, fingerprint, status, starts_us?, ends_us?, starts_clock?, received_us, receiver, group_key
inline constexpr std::string_view detector_up = "detector.up";        // detector, detail
inline constexpr std::string_view detector_lost = "detector.lost";    // detector, reason
inline constexpr std::string_view detector_restarted = "detector.restarted";// detector, forgotten[]: it was started anew
inline constexpr std::string_view monitoring_rules = "monitoring.rules";  // detector, rules[], targets[] or route: as they stand; see detect/rules_event.hpp
inline constexpr std::string_view slo_budget = "slo.budget";          // slo, window_us, bad, total, covered_us: what Prometheus counted over the SLO's window before the run
inline constexpr std::string_view slo_sample = "slo.sample";          // slo, to_us, windows[{window_us, bad, total}], exercise{from_us, bad, total}?: events counted up to to_us
inline constexpr std::string_view slo_lost = "slo.lost";              // slo, reason, since_us: its counts cannot be read; the next slo.sample ends it
inline constexpr std::string_view mode_changed = "operating-mode.changed";// name, mode, value, last_other_us?, first_seen_us, reason?: the target's own word
inline constexpr std::string_view responder_started = "responder.started";// path, pid, alert
inline constexpr std::string_view responder_output = "responder.output";  // line
inline constexpr std::string_view responder_exited = "responder.exited";  // code
inline constexpr std::string_view step_done = "step.done";            // step, who, note, by{}: a person's or script's word
inline constexpr std::string_view step_verified = "step.verified";    // step, evidence: seen by machine; seen_us, last_not_us
inline constexpr std::string_view acknowledged = "ack";               // who, alertname?, labels?, fingerprint?, occurred_us?, by{}
inline constexpr std::string_view note = "note";                      // who, text, by{}
inline constexpr std::string_view inject_sent = "inject.sent";        // inject, to, content
inline constexpr std::string_view halt_requested = "halt.requested";  // who, reason, by{}
inline constexpr std::string_view process_finished = "process.finished";// name, code, output (tail)
// clang-format on
}  // namespace event_kind

}  // namespace firedrill
