// A run of a fault that is on and off by turns, for measures and reports.
#pragma once

#include <cmath>
#include <optional>

#include "tests/unit/measure/run_log.hpp"

namespace firedrill::testing {

/// netem alone, on for 10 s and off for 10 s from 0 to 60. Users are hurt while it is on.
struct Flap {
  double until = 60;                            ///< its end, by time
  std::optional<double> remedy = std::nullopt;  ///< from then on nobody is hurt
  double hurt = 260, good = 60;
};

inline Json period(const std::string& id, double started, double done) {
  return {{"injection", id},           {"host", "db-2"},      {"fault", "netem"},
          {"started_us", us(started)}, {"done_us", us(done)}, {"values", {{"netem", "loss 5%"}}}};
}

inline std::vector<Event> tell_flap(const Flap& flap = {}) {
  RunLog log;
  log.created();
  log.phase("baseline", -15);
  log.add("steady-state.checked", -0.8, {{"when", "before"}, {"met", true}});
  log.phase("injecting", -0.4);
  log.active("ring.1", "netem", -0.1, 0.1);
  log.events.back().data["pattern"] = {{"on", "10s"}, {"off", "10s"}};
  log.events.back().data["ramp"] = {
      {"parameter", "loss"}, {"from", "0%"}, {"over", "40s"}, {"steps", 4}};
  log.phase("active", 0.2);
  for (int i = -14; i <= 80; ++i) {
    const bool on = i > 0 && i <= flap.until && (i - 1) % 20 < 10;
    const bool hurt = on && (!flap.remedy || i < *flap.remedy);
    log.sample("write-p99", i, (hurt ? flap.hurt : flap.good) * (1 + 0.05 * std::sin(i * 1.7)));
    log.sample("write-errors", i, 0);
  }
  for (double at = 10; at < flap.until; at += 20) {
    log.add("injection.paused", at + 0.1, period("ring.1", at - 0.1, at + 0.1), "agent:db-2");
    if (at + 10 < flap.until)
      log.add("injection.resumed", at + 10.1, period("ring.1", at + 9.9, at + 10.1), "agent:db-2");
    Json adjusted = period("ring.1", at, at + 0.1);
    adjusted.update(
        {{"parameter", "loss"}, {"value", at < 50 ? "2%" : "5%"}, {"step", 1}, {"steps", 4}});
    log.add("injection.adjusted", at + 0.1, adjusted, "agent:db-2");
  }
  log.undone("ring.1", "netem", flap.until - 0.1, flap.until + 0.1, "time-up");
  log.phase("recovering", flap.until + 0.4);
  log.phase("finished", 80);
  return log.events;
}

}  // namespace firedrill::testing
