// A whole experiment that parses, and small changes of it; for the tests of this room.
#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "controller/experiment/experiment.hpp"

namespace firedrill {

inline Json whole_document() {
  return Json::parse(R"json({
    "title": "One database host loses packets",
    "configuration": {"loss": "5%", "p99": 150},
    "targets": {
      "victim": {"tags": {"role": "db"}, "mode": "one"},
      "client": {"hosts": ["client-1"]}
    },
    "steady-state-hypothesis": {"title": "writes are fast", "probes": [
      {"type": "probe", "name": "write-p99", "from": "client", "interval": "2s",
       "measure": "p99_ms", "unit": "ms", "tolerance": [0, "${p99}"], "breach-after": 3,
       "provider": {"type": "etcd", "endpoints": ["http://10.0.0.7:2379"], "rate": 20}},
      {"type": "probe", "name": "backlog", "tolerance": {"type": "regex", "pattern": "^ok"},
       "provider": {"type": "process", "path": "backlog", "arguments": "--of db", "timeout": 5}}
    ]},
    "method": [
      {"type": "action", "name": "drop", "target": "victim", "duration": "1m",
       "provider": {"type": "fault", "fault": "netem",
                    "arguments": {"device": "data0", "loss": "${loss}"}},
       "cured-by": {"probe": "nic-ring", "measure": "rx_slots", "min": 512},
       "pauses": {"before": 2, "after": "1s"}, "lease": "20s",
       "pattern": {"on": "10s", "off": "5s"},
       "ramp": {"parameter": "loss", "from": "0%", "over": "30s", "steps": 6}},
      {"ref": "write-p99"},
      {"type": "action", "name": "cut", "target": "victim", "duration": "PT30S",
       "start-after": "drop", "provider": {"type": "fault", "fault": "partition"}},
      {"type": "action", "name": "load", "provider":
       {"type": "process", "path": "load", "arguments": ["-n", "5"]}},
      {"type": "action", "name": "more-load", "provider": {"type": "process", "path": "load"}}
    ],
    "rollbacks": [{"type": "action", "name": "tidy", "provider":
                   {"type": "process", "path": "tidy"}}],
    "detectors": {"prom": {"type": "prometheus", "url": "http://127.0.0.1:9090"},
                  "am": {"type": "alertmanager", "webhook": true}},
    "expected-detections": [{"name": "slow", "source": "prom", "match": {"alertname": "Slow"},
                             "for-action": "drop", "within": "30s", "quiet-before": "10s"}],
    "forbidden-alerts": [{"match": {"alertname": "Down"}}],
    "runbook": {"url": "https://runbooks.example/slow", "steps": [
      {"id": "look", "within": "10s"},
      {"id": "mend", "after": "look", "weight": 3, "critical": true,
       "verify": {"type": "probe", "probe": "nic-ring", "target": "victim",
                  "measure": "rx_slots", "tolerance": [512, 9000]}},
      {"id": "say", "after": ["look", "mend"], "verify": {"type": "ack"}}]},
    "stop-conditions": [{"name": "hopeless", "probe": "write-p99", "tolerance": [0, 5000],
                         "for": "5s"}],
    "injects": [{"id": "mail", "at": "20s", "to": "on-call", "content": "customers complain"}],
    "objectives": {"slo": 0.999, "window": "30d", "ttd": "2m"},
    "phases": {"baseline": "10s", "recovery": "1m", "steady-for": "4s"}
  })json");
}

/// The whole document with the member at `pointer` replaced, or removed for a null.
inline Json changed(const std::string& pointer, const Json& value) {
  Json document = whole_document();
  const Json::json_pointer at(pointer);
  if (!value.is_null()) {
    document[at] = value;
  } else if (document[at.parent_pointer()].is_array()) {
    document[at.parent_pointer()].erase(std::stoul(at.back()));
  } else {
    document[at.parent_pointer()].erase(at.back());
  }
  return document;
}

inline Result<Experiment> parse(const Json& document, const Variables& overrides = {}) {
  return parse_experiment(document, "test", "/somewhere", overrides);
}

}  // namespace firedrill
