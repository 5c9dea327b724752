#include "controller/runner/live_parts.hpp"

#include <algorithm>
#include <charconv>

#include "controller/runner/loop.hpp"
#include "controller/runner/sample_watch.hpp"

namespace firedrill {

using namespace std::chrono_literals;

rpc::ProbeRequest probe_request(const std::string& run, const ProbeSpec& spec) {
  return {.id = spec.name,
          .run = run,
          .probe = spec.kind,
          .params = spec.arguments,
          .interval = spec.interval};
}

rpc::ProbeRequest step_request(const std::string& run, const PlannedStepProbe& step) {
  // Often enough that the step's instant is known well beside the seconds that runbooks count in.
  return {.id = std::string(kStepProbePrefix) + step.step,
          .run = run,
          .probe = step.verify.probe,
          .params = step.verify.arguments,
          .interval = 250ms};
}

rpc::ProbeRequest detector_request(const std::string& run, const PlannedDetectorProbe& probe) {
  return {.id = std::string(kDetectorProbePrefix) + probe.detector,
          .run = run,
          .probe = "log",
          .params = probe.arguments,
          .interval = probe.interval};
}

bool is_polled(const Detector& detector) {
  return detector.kind == Detector::Kind::promql || detector.kind == Detector::Kind::prometheus ||
         (detector.kind == Detector::Kind::alertmanager && !detector.url.empty());
}

PollerConfig poller_config(const Detector& detector, const Experiment& experiment) {
  PollerConfig config{.name = detector.name,
                      .kind = DetectorKind::prometheus,
                      .url = detector.url,
                      .interval = detector.poll,
                      .timeout = 2s,
                      .authorization = {},
                      .ca_file = {},
                      .query = detector.query,
                      .alert = detector.alert,
                      .severity = detector.severity};
  if (detector.kind == Detector::Kind::alertmanager) config.kind = DetectorKind::alertmanager;
  if (detector.kind == Detector::Kind::promql) config.kind = DetectorKind::promql;
  for (const ExpectedDetection& expected : experiment.expected)
    if (const auto name = expected.match.labels.find("alertname");
        name != expected.match.labels.end())
      config.rules.insert(name->second);
  return config;
}

std::vector<rpc::InjectionStatus> statuses_of(const Json& answer) {
  std::vector<rpc::InjectionStatus> out;
  const auto list = answer.find("injections");
  if (list == answer.end() || !list->is_array()) return out;
  for (const Json& one : *list) {
    if (auto status = rpc::parse_injection_status(one)) out.push_back(std::move(*status));
  }
  return out;
}

Json process_sample(const ProbeSpec& spec, const std::string& directory) {
  ProcessSpec process{.path = spec.arguments.value("path", ""),
                      .arguments = {},
                      .environment = {},
                      .working_directory = directory,
                      .stdin_text = {},
                      .timeout = 30s};
  if (const auto arguments = spec.arguments.find("arguments");
      arguments != spec.arguments.end() && arguments->is_array())
    for (const Json& one : *arguments)
      process.arguments.push_back(one.is_string() ? one.get<std::string>() : one.dump());
  if (const auto timeout = parse_duration(spec.arguments.value("timeout", "30s")))
    process.timeout = *timeout;
  const std::int64_t from = to_micros(utc_now());
  const auto result = run_to_end(process);
  Json values = Json::object();
  std::string error;
  if (!result) {
    error = describe(result.error());
  } else {
    values["exit_code"] = result->exit_code;
    std::string_view text = result->output;
    while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
    values["output"] = text;
    double number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code == std::errc{} && end == text.data() + text.size()) values["value"] = number;
    if (result->timed_out) error = "timed out";
  }
  return {{"probe", spec.name},
          {"host", ""},
          {"from_us", from},
          {"to_us", to_micros(utc_now())},
          {"count", 1},
          {"errors", error.empty() ? 0 : 1},
          {"values", std::move(values)},
          {"error", error}};
}

std::vector<AgentView> agent_views(const std::vector<AgentInfo>& agents) {
  std::vector<AgentView> views;
  for (const AgentInfo& agent : agents)
    if (agent.connected)
      views.push_back({agent.hello.host, agent.hello.tags, agent.hello.faults, agent.hello.probes,
                       agent.hello.injections});
  return views;
}

}  // namespace firedrill
