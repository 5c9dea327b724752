#include "controller/runner/quiet.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "controller/runner/live_parts.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

/// The sample of one probe, taken now; of the controller's own machine when it names no host.
Result<Json> sample_now(const PlannedProbe& probe, const Experiment& experiment, const Plan& plan,
                        Fleet& fleet) {
  if (probe.host.empty()) return process_sample(probe.spec, experiment.directory.string());
  return fleet.call_and_wait(probe.host, rpc::method::probe_once,
                             to_json(probe_request(plan.run, probe.spec)),
                             probe.spec.interval + 15s);
}

Check check_tolerance(const PlannedProbe& probe, const Result<Json>& sample) {
  Check check{.check = "probe " + probe.spec.name, .ok = false, .detail = {}};
  if (!sample) {
    check.detail = describe(sample.error());
    return check;
  }
  const Json values = sample->value("values", Json::object());
  const auto value = probe.spec.measure.empty() && !values.empty()
                         ? values.begin()
                         : values.find(probe.spec.measure);
  if (value == values.end()) {
    check.detail = fmt::format("gives no '{}'", probe.spec.measure);
    return check;
  }
  check.ok = tolerates(probe.spec.tolerance, *value);
  check.detail = fmt::format("{} is {}, out of its tolerance", probe.spec.measure, value->dump());
  return check;
}

}  // namespace

std::vector<Check> what_is_not_quiet(const Experiment& experiment, const Plan& plan, Fleet& fleet) {
  std::vector<Check> checks = run_preflight(experiment, plan, fleet);
  std::erase_if(checks, [](const Check& check) { return check.ok; });
  if (!checks.empty()) return checks;
  for (const PlannedProbe& probe : plan.probes)
    if (Check check = check_tolerance(probe, sample_now(probe, experiment, plan, fleet)); !check.ok)
      checks.push_back(std::move(check));
  return checks;
}

Duration quiet_time(const Experiment& experiment) {
  Duration longest = experiment.phases.steady_for;
  for (const ExpectedDetection& expected : experiment.expected)
    longest = std::max(longest, expected.quiet_before);
  return longest;
}

}  // namespace firedrill
