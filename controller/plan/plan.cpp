// Binds an experiment to hosts.
#include "controller/plan/plan.hpp"

#include <algorithm>
#include <functional>
#include <set>

#include <fmt/format.h>

#include "controller/plan/support.hpp"
#include "controller/plan/targets.hpp"
#include "controller/plan/timeline.hpp"

namespace firedrill {
namespace {

constexpr std::size_t kSuffixLength = 8;

/// All that the parts below share.
struct Planner {
  const Experiment& experiment;
  std::span<const AgentView> agents;
  Plan plan;
  std::map<std::string, Span> spans;
};

/// A stable sort: std::stable_sort of this library uses what it calls deprecated itself.
template <class T, class Key>
void sort_keeping_order(std::vector<T>& list, Key key) {
  std::multimap<Duration, T> ordered;  // equal keys stay in the order of their insertion
  for (T& item : list) {
    const Duration at = std::invoke(key, item);
    ordered.emplace(at, std::move(item));
  }
  list.clear();
  for (auto& [at, item] : ordered) list.push_back(std::move(item));
}

bool good_run_id(std::string_view id) {
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

Result<void> check_connected_once(std::span<const AgentView> agents) {
  std::set<std::string_view> seen;
  for (const AgentView& agent : agents)
    if (!seen.insert(agent.host).second)
      return fail(ErrorCode::invalid_input,
                  fmt::format("two agents say that they are '{}'; rename one", agent.host));
  return {};
}

Result<void> resolve_targets(Planner& planner) {
  for (const auto& [name, target] : planner.experiment.targets) {
    auto hosts = resolve_target(target, planner.agents, planner.plan.seed);
    if (!hosts) return std::unexpected(hosts.error());
    planner.plan.targets.emplace(name, std::move(*hosts));
  }
  return {};
}

Result<void> check_action(const FaultAction& action, const AgentView& agent) {
  const std::string provider = pointer_join(action.pointer, "provider");
  const Place place{pointer_join(provider, "fault"), pointer_join(provider, "arguments"), {}};
  if (auto done = check_fault(agent, action.fault, action.arguments, place); !done) return done;
  if (action.ramp)
    if (auto done = check_ramp(agent, action.fault, action.arguments, *action.ramp,
                               pointer_join(action.pointer, "ramp"));
        !done)
      return done;
  if (!action.cured_by) return {};
  const std::string cure = pointer_join(action.pointer, "cured-by");
  const Place at{pointer_join(cure, "probe"), pointer_join(cure, "arguments"),
                 pointer_join(cure, "measure")};
  return check_probe(agent, action.cured_by->probe, action.cured_by->params, action.cured_by->value,
                     at);
}

FaultRequest request_for(const FaultAction& action, const Planner& planner) {
  return {.id = {},  // numbered once all are sorted
          .run = planner.plan.run,
          .fault = action.fault,
          .params = action.arguments,
          .duration = action.duration,
          .lease = action.lease.value_or(kDefaultLease),
          .cured_by = action.cured_by,
          .pattern = action.pattern,
          .ramp = action.ramp,
          .tags = planner.experiment.tags};
}

/// Whether two injections are one fault given twice. Anything less alike is for the agent to judge:
/// it knows what a fault holds.
bool same_at_once(const PlannedInjection& a, const PlannedInjection& b) {
  return a.host == b.host && a.request.fault == b.request.fault &&
         a.request.params == b.request.params && a.start < b.start + b.request.duration &&
         b.start < a.start + a.request.duration;
}

Result<void> plan_injections(Planner& planner) {
  std::vector<PlannedInjection>& out = planner.plan.injections;
  for (const FaultAction& action : planner.experiment.faults) {
    for (const std::string& host : planner.plan.targets.at(action.target)) {
      const AgentView* agent = find_agent(planner.agents, host);
      if (auto done = check_action(action, *agent); !done) return done;
      PlannedInjection injection{.id = {},
                                 .action = action.name,
                                 .host = host,
                                 .request = request_for(action, planner),
                                 .start = planner.spans.at(action.name).start,
                                 .pointer = action.pointer};
      for (const PlannedInjection& other : out)
        if (same_at_once(injection, other))
          return fail_at(action.pointer,
                         fmt::format("on {} this is the same fault as '{}' at the same time; let "
                                     "one start after the other, or name other hosts",
                                     host, other.action));
      out.push_back(std::move(injection));
    }
  }
  sort_keeping_order(out, &PlannedInjection::start);
  const std::string& run = planner.plan.run;
  const std::string suffix = run.substr(run.size() - std::min(run.size(), kSuffixLength));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i].id = out[i].request.id = fmt::format("{}.{}", suffix, i + 1);
  return {};
}

/// A target's hosts, or one host by its own name.
Result<std::vector<std::string>> hosts_of(const Planner& planner, const std::string& from,
                                          const std::string& pointer) {
  const auto target = planner.plan.targets.find(from);
  if (target != planner.plan.targets.end()) return target->second;
  if (find_agent(planner.agents, from) != nullptr) return std::vector{from};
  return std::unexpected(Error{ErrorCode::not_found, 0,
                               fmt::format("'{}' is neither a target nor a connected host.{}", from,
                                           host_suggestion(from, planner.agents)),
                               pointer});
}

/// The hosts that measure for a probe.
Result<std::vector<std::string>> vantage_hosts(const Planner& planner, const ProbeSpec& probe) {
  const std::string pointer = pointer_join(probe.pointer, "from");
  const auto target = planner.plan.targets.find(probe.from);
  if (target == planner.plan.targets.end()) return hosts_of(planner, probe.from, pointer);
  const bool all = planner.experiment.targets.at(probe.from).mode == TargetMode::all;
  if (all || target->second.size() == 1) return target->second;
  return fail_at(pointer, fmt::format("target '{}' gives {} hosts, and a probe measures from one; "
                                      "use mode 'one', or 'all' to measure from each",
                                      probe.from, target->second.size()));
}

Result<void> plan_probes(Planner& planner) {
  for (const ProbeSpec& probe : planner.experiment.probes) {
    if (probe.kind == "process") {
      planner.plan.probes.push_back({probe, {}});
      continue;
    }
    const auto hosts = vantage_hosts(planner, probe);
    if (!hosts) return std::unexpected(hosts.error());
    const std::string provider = pointer_join(probe.pointer, "provider");
    const Place place{pointer_join(provider, "type"), provider,
                      pointer_join(probe.pointer, "measure")};
    for (const std::string& host : *hosts) {
      const AgentView& agent = *find_agent(planner.agents, host);
      if (auto done = check_probe(agent, probe.kind, probe.arguments, probe.measure, place); !done)
        return done;
      planner.plan.probes.push_back({probe, host});
    }
  }
  return {};
}

Result<void> plan_steps(Planner& planner) {
  for (const RunbookStep& step : planner.experiment.steps) {
    const StepVerification& verify = step.verify;
    if (verify.kind != StepVerification::Kind::probe) continue;
    const std::string base = pointer_join(step.pointer, "verify");
    const Place place{pointer_join(base, "probe"), pointer_join(base, "arguments"),
                      pointer_join(base, "measure")};
    for (const std::string& host : planner.plan.targets.at(verify.target)) {
      const AgentView& agent = *find_agent(planner.agents, host);
      if (auto done = check_probe(agent, verify.probe, verify.arguments, verify.measure, place);
          !done)
        return done;
      planner.plan.step_probes.push_back({step.id, host, verify});
    }
  }
  return {};
}

/// A log is read on each of the hosts that the detector names.
Result<void> plan_detectors(Planner& planner) {
  for (const Detector& detector : planner.experiment.detectors) {
    if (detector.kind != Detector::Kind::log) continue;
    const auto hosts = hosts_of(planner, detector.from, pointer_join(detector.pointer, "from"));
    if (!hosts) return std::unexpected(hosts.error());
    const Place place{detector.pointer, detector.pointer, detector.pointer};
    for (const std::string& host : *hosts) {
      const AgentView& agent = *find_agent(planner.agents, host);
      if (auto done = check_probe(agent, "log", detector.arguments, "matches", place); !done)
        return done;
      planner.plan.detector_probes.push_back(
          {detector.name, host, detector.arguments, detector.poll});
    }
  }
  return {};
}

void plan_rest(Planner& planner) {
  const Experiment& experiment = planner.experiment;
  Plan& plan = planner.plan;
  for (const ProcessAction& action : experiment.processes)
    plan.processes.push_back({action, planner.spans.at(action.name).start});
  sort_keeping_order(plan.processes, &PlannedProcess::start);
  if (experiment.run_rollbacks) plan.rollbacks = experiment.rollbacks;
  plan.injects = experiment.injects;
  sort_keeping_order(plan.injects, &Inject::at);
  plan.phases = experiment.phases;
  plan.has_responder = experiment.responder.has_value();
  for (const auto& [name, span] : planner.spans)
    plan.fault_time = std::max(plan.fault_time, span.end);
}

}  // namespace

const PlannedInjection* Plan::find(std::string_view injection_id) const {
  const auto found = std::ranges::find(injections, injection_id, &PlannedInjection::id);
  return found == injections.end() ? nullptr : &*found;
}

std::vector<std::string> Plan::hosts() const {
  std::set<std::string> out;
  for (const PlannedInjection& injection : injections) out.insert(injection.host);
  for (const PlannedProbe& probe : probes)
    if (!probe.host.empty()) out.insert(probe.host);
  for (const PlannedStepProbe& probe : step_probes) out.insert(probe.host);
  for (const PlannedDetectorProbe& probe : detector_probes) out.insert(probe.host);
  return {out.begin(), out.end()};
}

Result<Plan> make_plan(const Experiment& experiment, std::span<const AgentView> agents,
                       const PlanOptions& options) {
  if (!good_run_id(options.run))
    return fail(ErrorCode::invalid_input,
                fmt::format("'{}' is no run id: 1 to 64 of letters, digits, '.', '_' and '-'",
                            options.run));
  auto spans = lay_out(experiment);
  if (!spans) return std::unexpected(spans.error());
  Planner planner{experiment, agents, {}, std::move(*spans)};
  planner.plan.run = options.run;
  planner.plan.experiment = experiment.id;
  planner.plan.seed = options.seed;
  planner.plan.sham = options.sham;
  if (auto done = check_connected_once(agents); !done) return std::unexpected(done.error());
  for (const auto part :
       {resolve_targets, plan_injections, plan_probes, plan_steps, plan_detectors})
    if (auto done = part(planner); !done) return std::unexpected(done.error());
  plan_rest(planner);
  return std::move(planner.plan);
}

}  // namespace firedrill
