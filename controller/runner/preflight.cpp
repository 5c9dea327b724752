#include "controller/runner/preflight.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "controller/detect/poller.hpp"
#include "controller/runner/live_parts.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

void check_agents(const Plan& plan, Fleet& fleet, std::vector<Check>& checks) {
  std::map<std::string, AgentInfo> agents;
  for (AgentInfo& info : fleet.agents()) {
    std::string host = info.hello.host;
    agents.emplace(std::move(host), std::move(info));
  }
  for (const std::string& host : plan.hosts()) {
    const auto it = agents.find(host);
    const bool there = it != agents.end() && it->second.connected;
    checks.push_back({"agent " + host, there,
                      there ? "connected from " + it->second.remote_address
                            : "not connected: start firedrill-agent on it"});
    if (!there) continue;
    for (const rpc::InjectionStatus& left : it->second.hello.injections) {
      if (left.state == InjectionState::undone) continue;
      checks.push_back({"leftovers " + host, false,
                        fmt::format("injection {} ({}) is {} there: run 'firedrill-agent undo {}' "
                                    "on {}",
                                    left.id, left.fault, to_string(left.state), left.id, host)});
    }
    const auto clock = fleet.clock(host);
    const bool bounded = clock && clock->error <= kMaxClockError;
    checks.push_back({"clock " + host, bounded,
                      clock ? fmt::format("offset {:+.1f} ms, known to ±{:.1f} ms{}",
                                          static_cast<double>(clock->offset.count()) / 1e3,
                                          static_cast<double>(clock->error.count()) / 1e3,
                                          bounded ? "" : ": the link is too slow to act in step")
                            : "no exchange yet"});
  }
}

void check_probes(const Plan& plan, Fleet& fleet, std::vector<Check>& checks) {
  for (const PlannedProbe& probe : plan.probes) {
    if (probe.host.empty()) continue;  // a process probe: the baseline shows it
    const std::string name = fmt::format("probe {} on {}", probe.spec.name, probe.host);
    const auto answer = fleet.call_and_wait(probe.host, rpc::method::probe_once,
                                            to_json(probe_request(plan.run, probe.spec)),
                                            probe.spec.interval + 15s);
    if (!answer) {
      checks.push_back({name, false, describe(answer.error())});
      continue;
    }
    const auto sample = rpc::parse_sample(*answer);
    if (!sample) {
      checks.push_back({name, false, describe(sample.error())});
      continue;
    }
    const auto value = sample->values.find(probe.spec.measure);
    if (value == sample->values.end())
      checks.push_back({name, false,
                        fmt::format("gives no '{}': {}", probe.spec.measure,
                                    sample->error.empty() ? "no operation ended" : sample->error)});
    else
      checks.push_back(
          {name, true,
           fmt::format("{} {:.1f} {}", probe.spec.measure, value->second, probe.spec.unit)});
  }
}

void check_logs(const Plan& plan, Fleet& fleet, std::vector<Check>& checks) {
  for (const PlannedDetectorProbe& probe : plan.detector_probes) {
    rpc::ProbeRequest request = detector_request(plan.run, probe);
    request.interval = 10ms;  // whether it can be read shows at once
    const auto answer =
        fleet.call_and_wait(probe.host, rpc::method::probe_once, to_json(request), 15s);
    checks.push_back({fmt::format("log {} on {}", probe.detector, probe.host), answer.has_value(),
                      answer ? "can be read" : describe(answer.error())});
  }
}

/// The labels of an alert as Json, as AlertMatch reads them.
bool is_expected(const Experiment& experiment, const AlertNow& alert) {
  const Json labels = alert.labels;
  return std::ranges::any_of(experiment.expected, [&](const ExpectedDetection& expected) {
    return expected.match.matches(labels);
  });
}

/// May the alert come from the rules of `detector`? Alertmanager passes on what Prometheus fires;
/// what a webhook, a log or a person is expected to tell is no rule's name.
bool is_of_rules(const Experiment& experiment, const ExpectedDetection& expected,
                 const Detector& detector) {
  if (expected.source.empty() || expected.source == detector.name) return true;
  const auto source = std::ranges::find(experiment.detectors, expected.source, &Detector::name);
  return source != experiment.detectors.end() && source->kind == Detector::Kind::alertmanager;
}

void check_rules(const Experiment& experiment, const Detector& detector, const DetectorCheck& found,
                 std::vector<Check>& checks) {
  if (found.alert_names.empty()) return;
  const std::vector<std::string_view> names(found.alert_names.begin(), found.alert_names.end());
  std::set<std::string> asked;
  for (const ExpectedDetection& expected : experiment.expected) {
    if (!is_of_rules(experiment, expected, detector)) continue;
    const auto wanted = expected.match.labels.find("alertname");
    if (wanted == expected.match.labels.end() || !asked.insert(wanted->second).second) continue;
    const bool known = std::ranges::find(names, wanted->second) != names.end();
    checks.push_back({"rule " + wanted->second, known,
                      known ? "loaded in " + detector.name
                            : fmt::format("{} has no such alert rule.{}", detector.name,
                                          suggestion(wanted->second, names))});
  }
}

void check_monitoring(const Experiment& experiment, std::vector<Check>& checks) {
  for (const Detector& detector : experiment.detectors) {
    if (!is_polled(detector)) continue;
    const auto found = probe_once(poller_config(detector, experiment));
    if (!found) {
      checks.push_back({"monitoring " + detector.name, false,
                        fmt::format("{}: {}", detector.url, describe(found.error()))});
      continue;
    }
    checks.push_back({"monitoring " + detector.name, true,
                      fmt::format("{} answers; {} alerts on", detector.url, found->alerts.size())});
    check_rules(experiment, detector, *found, checks);
    for (const AlertNow& alert : found->alerts) {
      if (!is_expected(experiment, alert)) continue;
      checks.push_back({"quiet " + alert.alertname, false,
                        fmt::format("is {} already on {}, so it could not be told from a "
                                    "detection: wait until it is resolved",
                                    alert.state,
                                    alert.labels.contains("instance") ? alert.labels.at("instance")
                                                                      : detector.name)});
    }
  }
}

}  // namespace

std::vector<Check> run_preflight(const Experiment& experiment, const Plan& plan, Fleet& fleet) {
  std::vector<Check> checks;
  check_agents(plan, fleet, checks);
  if (std::ranges::any_of(checks, [](const Check& check) { return !check.ok; })) return checks;
  check_probes(plan, fleet, checks);
  check_logs(plan, fleet, checks);
  check_monitoring(experiment, checks);
  check_slos(experiment, checks);
  return checks;
}

}  // namespace firedrill
