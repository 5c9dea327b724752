// Whole runs, second by second: what the pictures are drawn from and the verdicts tested with.
#pragma once

#include <optional>

#include "tests/unit/measure/run_log.hpp"

namespace firedrill::testing {

/// A run of the example experiment; t = 0 is the injection. Absent: it did not happen.
struct Story {
  double hurt = 1;                   ///< p99 leaves its tolerance
  std::optional<double> whole = 31;  ///< and comes back
  std::optional<double> alert = 12, ack = 17;
  std::optional<double> check = 22, raise = 29.6;  ///< runbook steps; raising cures the fault
  std::optional<double> halt = std::nullopt;
  bool sham = false, dirty = false, false_alarm = false, forbidden = false;
  double end = 72;
};

inline void tell_samples(RunLog& log, const Story& story, double until) {
  for (int i = -14; i <= static_cast<int>(until); ++i) {
    const double wave = std::sin(i * 1.7) + std::sin(i * 0.61);
    const bool hurt = !story.sham && i > story.hurt && (!story.whole || i <= *story.whole);
    log.sample("write-p99", i, (hurt ? 260.0 : 60.0) * (1 + 0.06 * wave));
    log.sample("write-errors", i, hurt && i % 7 == 0 ? 0.004 : 0.0);
  }
}

inline void tell_people(RunLog& log, const Story& story) {
  if (story.ack)
    log.add("ack", *story.ack, {{"who", "ada"}, {"alertname", "EtcdSlowWrites"}}, "person:ada");
  if (story.check) {
    log.add("step.done", *story.check,
            {{"step", "check-drops"}, {"who", "ada"}, {"note", "rx_missed grows on db-2"}},
            "person:ada");
    log.add("note", *story.check + 2,
            {{"who", "ada"}, {"text", "Ring is 64 slots; should be 1024"}}, "person:ada");
  }
  if (story.raise)
    log.add("step.verified", *story.raise + 0.2,
            {{"step", "raise-ring"},
             {"evidence", "rx_slots = 1024 on db-2"},
             {"seen_us", us(*story.raise + 0.2)},
             {"last_not_us", us(*story.raise - 0.2)}},
            "agent:db-2");
}

inline void tell_alert(RunLog& log, const Story& story) {
  if (!story.alert) return;
  const double at = *story.alert;
  log.alert("alert.pending", at - 4.8, "EtcdSlowWrites",
            {{"active_us", us(at - 5)},
             {"first_seen_us", us(at - 4.8)},
             {"last_quiet_us", us(at - 5.3)}});
  log.fires(at);
  log.alert("alert.notified", at + 1, "EtcdSlowWrites",
            {{"status", "firing"},
             {"starts_us", us(at)},
             {"received_us", us(at + 1)},
             {"receiver", "oncall"}},
            "am");
  if (!story.whole) return;
  for (const char* detector : {"prom", "am"})
    log.alert("alert.resolved", *story.whole + 8, "EtcdSlowWrites",
              {{"ends_us", us(*story.whole + 8)}}, detector);
}

inline void tell_end_of_faults(RunLog& log, const Story& story) {
  const bool cured = story.raise.has_value();
  if (cured) {
    log.add("injection.cured", *story.raise + 0.1,
            {{"injection", "ring.1"},
             {"host", "db-2"},
             {"value", 1024},
             {"seen_us", us(*story.raise + 0.1)},
             {"last_not_us", us(*story.raise - 0.1)}},
            "agent:db-2");
    log.undone("ring.1", "netem", *story.raise + 0.1, *story.raise + 0.3, "cured");
  }
  const double off = story.halt ? *story.halt + 0.4 : 60;
  const char* cause = story.halt ? "halted" : "time-up";
  if (!cured) log.undone("ring.1", "netem", off, off + 0.2, cause);
  if (story.dirty)
    log.add("injection.dirty", off + 0.5,
            {{"injection", "ring.2"},
             {"host", "db-2"},
             {"fault", "nic-ring"},
             {"cause", cause},
             {"differences", {"data0 rx_slots is 64, was 1024"}}},
            "agent:db-2");
  else log.undone("ring.2", "nic-ring", off, off + 0.2, cause);
}

inline std::vector<Event> tell(const Story& story = {}) {
  RunLog log;
  log.created(example_experiment(), story.sham);
  log.add("preflight.check", -17,
          {{"check", "agents"}, {"ok", true}, {"detail", "4 hosts connected"}});
  log.add("clock.estimate", -16.5, {{"host", "db-2"}, {"offset_us", 1200}, {"error_us", 400}},
          "agent:db-2");
  log.phase("preflight", -17.5);
  log.phase("baseline", -15);
  tell_samples(log, story, story.end);
  log.add("steady-state.checked", -0.8, {{"when", "before"}, {"met", true}});
  log.phase("preparing", -0.8);
  log.phase("injecting", -0.4);
  if (!story.sham) {
    log.active("ring.1", "netem", -0.01, 0.01);
    log.active("ring.2", "nic-ring", 0.02, 0.05);
    log.phase("active", 0.1);
    tell_alert(log, story);
    tell_people(log, story);
    if (story.halt)
      log.add("halt.requested", *story.halt, {{"who", "ada"}, {"reason", "a real incident"}},
              "person:ada");
    tell_end_of_faults(log, story);
    log.phase("recovering", story.halt ? *story.halt + 1 : 60.4);
  }
  if (story.false_alarm) log.fires(20);
  if (story.forbidden) log.fires(25, "EtcdMemberDown");
  log.add("steady-state.checked", story.end - 0.5,
          {{"when", "after"}, {"met", story.whole.has_value()}});
  log.phase("finished", story.end);
  return log.events;
}

}  // namespace firedrill::testing
