// Small translations between what a plan says and what agents, pollers and processes take.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/detect/poller.hpp"
#include "controller/fleet/fleet.hpp"
#include "controller/plan/plan.hpp"
#include "controller/process/process.hpp"

namespace firedrill {

[[nodiscard]] rpc::ProbeRequest probe_request(const std::string& run, const ProbeSpec& spec);
/// The probe that shows whether a step was taken; its id starts with kStepProbePrefix.
[[nodiscard]] rpc::ProbeRequest step_request(const std::string& run, const PlannedStepProbe& step);
/// The probe behind a detector of type `log`; its id starts with kDetectorProbePrefix.
[[nodiscard]] rpc::ProbeRequest detector_request(const std::string& run,
                                                 const PlannedDetectorProbe& probe);
/// For a detector that is polled. Only the rules of alerts that the experiment names are reported.
[[nodiscard]] PollerConfig poller_config(const Detector& detector, const Experiment& experiment);
[[nodiscard]] bool is_polled(const Detector& detector);
/// Injections of `run` in an agent's answer to undo or list. Malformed entries read `unknown`.
[[nodiscard]] std::vector<rpc::InjectionStatus> statuses_of(const Json& answer);
/// One sample of a `process` probe: runs it and blocks. values: exit_code, and `value` when the
/// output is a number.
[[nodiscard]] Json process_sample(const ProbeSpec& spec, const std::string& directory);
[[nodiscard]] std::vector<AgentView> agent_views(const std::vector<AgentInfo>& agents);

}  // namespace firedrill
