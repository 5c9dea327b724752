// A plan as JSON, for the log, and as text, for a person.
#include <fmt/format.h>

#include "controller/plan/plan.hpp"

namespace firedrill {
namespace {

Json injection_json(const PlannedInjection& injection) {
  return {{"id", injection.id},           {"action", injection.action},
          {"host", injection.host},       {"start", to_string(injection.start)},
          {"pointer", injection.pointer}, {"request", to_json(injection.request)}};
}

Json process_json(const ProcessAction& action) {
  return {{"name", action.name},
          {"path", action.path},
          {"arguments", action.arguments},
          {"timeout", to_string(action.timeout)}};
}

std::string argument_text(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// "loss=5% device=data0": arguments as a person reads them.
std::string words_of(const Json& arguments) {
  std::string out;
  for (const auto& [name, value] : arguments.items())
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", name, argument_text(value));
  return out;
}

std::string bound_words(const CureCondition& cure) {
  std::string out = cure.value;
  if (cure.min) out = fmt::format("{:g} <= {}", *cure.min, out);
  if (cure.max) out += fmt::format(" <= {:g}", *cure.max);
  return out;
}

std::string injection_text(const PlannedInjection& injection) {
  const FaultRequest& request = injection.request;
  std::string out = fmt::format("  +{:<8} {:<10} {} {} for {} ({})\n", to_string(injection.start),
                                injection.host, request.fault, words_of(request.params),
                                to_string(request.duration), injection.action);
  if (request.pattern)
    out += fmt::format("            on for {}, off for {}, by turns\n",
                       to_string(request.pattern->on), to_string(request.pattern->off));
  if (const auto& ramp = request.ramp)
    out += fmt::format("            {} from {} to {} over {}, in {} steps\n", ramp->parameter,
                       ramp->from, argument_text(request.params.at(ramp->parameter)),
                       to_string(ramp->over), ramp->steps);
  if (request.cured_by)
    out += fmt::format("            cured once {} holds (probe {})\n",
                       bound_words(*request.cured_by), request.cured_by->probe);
  return out;
}

}  // namespace

Json to_json(const Plan& plan) {
  Json out = {{"run", plan.run},
              {"experiment", plan.experiment},
              {"seed", plan.seed},
              {"sham", plan.sham},
              {"targets", plan.targets},
              {"fault-time", to_string(plan.fault_time)},
              {"injections", Json::array()},
              {"probes", Json::array()},
              {"step-probes", Json::array()},
              {"detector-probes", Json::array()},
              {"processes", Json::array()},
              {"rollbacks", Json::array()}};
  for (const PlannedInjection& one : plan.injections)
    out["injections"].push_back(injection_json(one));
  for (const PlannedProbe& one : plan.probes)
    out["probes"].push_back({{"name", one.spec.name},
                             {"host", one.host},
                             {"kind", one.spec.kind},
                             {"interval", to_string(one.spec.interval)}});
  for (const PlannedStepProbe& one : plan.step_probes)
    out["step-probes"].push_back(
        {{"step", one.step}, {"host", one.host}, {"probe", one.verify.probe}});
  for (const PlannedDetectorProbe& one : plan.detector_probes)
    out["detector-probes"].push_back(
        {{"detector", one.detector}, {"host", one.host}, {"arguments", one.arguments}});
  for (const PlannedProcess& one : plan.processes) {
    Json json = process_json(one.action);
    json["start"] = to_string(one.start);
    out["processes"].push_back(std::move(json));
  }
  for (const ProcessAction& one : plan.rollbacks) out["rollbacks"].push_back(process_json(one));
  return out;
}

std::string to_text(const Plan& plan) {
  std::string out = fmt::format("plan of {} (seed {}{})\n", plan.experiment, plan.seed,
                                plan.sham ? ", sham: nothing will be touched" : "");
  out += "targets\n";
  for (const auto& [name, hosts] : plan.targets)
    out += fmt::format("  {:<10} {}\n", name, fmt::join(hosts, ", "));
  out += "faults, from t0\n";
  for (const PlannedInjection& one : plan.injections) out += injection_text(one);
  if (plan.injections.empty()) out += "  none\n";
  for (const PlannedProcess& one : plan.processes)
    out += fmt::format("  +{:<8} {:<10} {} {} for at most {} ({})\n", to_string(one.start),
                       "controller", one.action.path, fmt::join(one.action.arguments, " "),
                       to_string(one.action.timeout), one.action.name);
  out += "probes\n";
  for (const PlannedProbe& one : plan.probes)
    out += fmt::format("  {:<10} {} ({}, every {})\n", one.host.empty() ? "controller" : one.host,
                       one.spec.name, one.spec.kind, to_string(one.spec.interval));
  for (const PlannedStepProbe& one : plan.step_probes)
    out += fmt::format("  {:<10} step {} ({})\n", one.host, one.step, one.verify.probe);
  for (const PlannedDetectorProbe& one : plan.detector_probes)
    out += fmt::format("  {:<10} detector {} (log {})\n", one.host, one.detector,
                       words_of(one.arguments));
  out += fmt::format("time: {} baseline, {} faults, at most {} recovery\n",
                     to_string(plan.phases.baseline), to_string(plan.fault_time),
                     to_string(plan.phases.recovery));
  return out;
}

}  // namespace firedrill
