// Event logs with known truth, told in seconds from the injection, for measure, score and report.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "firedrill/event.hpp"

namespace firedrill::testing {

inline UtcTime at_s(double seconds) {
  return from_micros(1'772'366'400'000'000 + std::llround(seconds * 1e6));
}
inline std::int64_t us(double seconds) { return to_micros(at_s(seconds)); }
inline Duration secs(double seconds) { return Duration{std::llround(seconds * 1e6)}; }

inline Json example_experiment() {
  return Json::parse(R"json({
    "title": "Silent NIC drops on one database host",
    "description": "One member of etcd loses packets in its receive ring; nothing goes down.",
    "tags": ["network", "etcd"],
    "targets": {"victim": {"tags": {"role": "db"}, "mode": "one"},
                "clients": {"hosts": ["client-1"]}},
    "steady-state-hypothesis": {"title": "Writes are fast", "probes": [
      {"type": "probe", "name": "write-p99", "from": "clients", "measure": "p99_ms", "unit": "ms",
       "tolerance": {"type": "range", "range": [0, 100]}, "provider": {"type": "etcd"}},
      {"type": "probe", "name": "write-errors", "from": "clients", "measure": "error_ratio",
       "tolerance": {"type": "range", "range": [0, 0.01]}, "provider": {"type": "etcd"}}]},
    "method": [
      {"type": "action", "name": "lose", "target": "victim", "duration": "60s",
       "provider": {"type": "fault", "fault": "netem", "arguments": {"loss": "5%"}}},
      {"type": "action", "name": "shrink", "target": "victim", "duration": "60s",
       "provider": {"type": "fault", "fault": "nic-ring", "arguments": {"rx": 64}}}],
    "detectors": {"prom": {"type": "prometheus", "url": "http://127.0.0.1:9090"},
                  "am": {"type": "alertmanager", "webhook": true}},
    "expected-detections": [
      {"name": "page", "source": "prom", "match": {"alertname": "EtcdSlowWrites"},
       "within": "30s", "quiet-before": "10s", "severity": "page"}],
    "forbidden-alerts": [{"match": {"alertname": "EtcdMemberDown"}}],
    "runbook": {"url": "https://runbooks.example/etcd-slow", "steps": [
      {"id": "ack", "title": "Acknowledge the page", "who": "oncall", "within": "10s",
       "verify": {"type": "ack"}},
      {"id": "check-drops", "title": "Read the drop counters", "within": "20s", "after": ["ack"]},
      {"id": "raise-ring", "title": "Raise the receive ring", "within": "30s", "weight": 3,
       "critical": true, "after": ["check-drops"],
       "verify": {"type": "probe", "probe": "nic-ring", "target": "victim",
                  "measure": "rx_slots", "tolerance": {"type": "range", "range": [512, 8192]}}}]},
    "objectives": {"ttd": "20s", "tta": "15s", "ttm": "60s", "ttr": "60s",
                   "slo": 0.999, "window": "30d"},
    "phases": {"baseline": "15s", "recovery": "60s", "steady-for": "5s"}})json");
}

class RunLog {
 public:
  Event& add(std::string_view kind, double at, Json data, std::string source = "controller") {
    Event event;
    event.seq = static_cast<std::int64_t>(events.size()) + 1;
    event.run = "20260301-120000-ring";
    event.at = at_s(at);
    event.source = std::move(source);
    event.kind = kind;
    event.data = std::move(data);
    return events.emplace_back(std::move(event));
  }

  void created(const Json& experiment = example_experiment(), bool sham = false) {
    const Json injections =
        Json::array({{{"id", "ring.1"}, {"host", "db-2"}, {"action", "lose"}},
                     {{"id", "ring.2"}, {"host", "db-2"}, {"action", "shrink"}}});
    add("run.created", -18,
        {{"experiment", experiment},
         {"experiment_id", "silent-nic-drops"},
         {"plan", {{"experiment", "silent-nic-drops"}, {"injections", injections}}},
         {"sham", sham},
         {"version", "0.1.0"}});
  }
  void phase(const std::string& name, double at) { add("run.phase", at, {{"phase", name}}); }

  /// One sample that covers [to - length, to].
  void sample(const std::string& probe, double to, double value, double length = 1) {
    const char* measure = probe == "write-p99" ? "p99_ms" : "error_ratio";
    add("probe.sample", to,
        {{"probe", probe},
         {"host", "client-1"},
         {"from_us", us(to - length)},
         {"to_us", us(to)},
         {"count", 20},
         {"errors", 0},
         {"values", {{measure, value}}}},
        "agent:client-1");
  }
  void active(const std::string& id, const std::string& fault, double started, double done) {
    add("injection.active", done,
        {{"injection", id},
         {"action", fault == "netem" ? "lose" : "shrink"},
         {"host", "db-2"},
         {"fault", fault},
         {"started_us", us(started)},
         {"done_us", us(done)},
         {"values", {{"loss", 0.05}}}},
        "agent:db-2")
        .uncertainty = Duration{2000};
  }
  void undone(const std::string& id, const std::string& fault, double started, double done,
              const std::string& cause) {
    add("injection.undone", done,
        {{"injection", id},
         {"host", "db-2"},
         {"fault", fault},
         {"cause", cause},
         {"verified", true},
         {"started_us", us(started)},
         {"done_us", us(done)},
         {"superseded", Json::array()}},
        "agent:db-2")
        .uncertainty = Duration{2000};
  }
  Event& alert(std::string_view kind, double at, const std::string& name, Json more,
               const std::string& detector = "prom") {
    Json data = {{"alertname", name},
                 {"labels", {{"alertname", name}, {"severity", "page"}}},
                 {"fingerprint", "f-" + name}};
    data.update(more);
    return add(kind, at, std::move(data), "detector:" + detector);
  }
  /// Fired by the source's own word.
  void fires(double at, const std::string& name = "EtcdSlowWrites") {
    alert("alert.firing", at + 0.2, name,
          {{"fired_us", us(at)},
           {"active_us", us(at - 5)},
           {"first_seen_us", us(at + 0.2)},
           {"last_quiet_us", us(at - 0.3)}})
        .uncertainty = Duration{50'000};
  }

  std::vector<Event> events;
};

}  // namespace firedrill::testing
