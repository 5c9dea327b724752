// The plan: an experiment bound to the hosts that are connected now. Takes the experiment and what
// agents say of themselves; gives every injection, probe and instant. Pure: no clock, socket, file.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "controller/experiment/experiment.hpp"
#include "firedrill/rpc.hpp"

namespace firedrill {

/// The silence after which an agent undoes an injection whose action names no `lease`.
inline constexpr Duration kDefaultLease{10'000'000};

/// What planning needs to know of one connected agent: part of its rpc::Hello.
struct AgentView {
  std::string host;
  std::map<std::string, std::string> tags;
  std::vector<rpc::Capability> faults, probes;
  std::vector<rpc::InjectionStatus> open{};  ///< what is on the host now and not undone yet
};

struct PlanOptions {
  std::string run;         ///< run id, [A-Za-z0-9._-]{1,64}
  std::uint64_t seed = 0;  ///< the same seed, experiment and hosts choose the same targets
  bool sham = false;       ///< the same timeline, but nothing will be prepared or committed
};

/// One fault on one host. request.id is "<last 8 characters of the run id>.<n>", n from 1.
struct PlannedInjection {
  std::string id, action, host;
  FaultRequest request;
  Duration start{};     ///< from t0, the instant of the commit
  std::string pointer;  ///< of the action in the experiment
};

/// One steady-state probe on one vantage host; a probe from an `all` target has one per host.
struct PlannedProbe {
  ProbeSpec spec;
  std::string host;  ///< empty: kind "process", on the controller's machine
};

/// What shows that a runbook step was taken, on one host of its target.
struct PlannedStepProbe {
  std::string step, host;
  StepVerification verify;
};

/// What an agent watches for a detector of type `log`, on one host.
struct PlannedDetectorProbe {
  std::string detector, host;
  Json arguments = Json::object();  ///< of the agent's probe "log"
  Duration interval{};
};

struct PlannedProcess {
  ProcessAction action;
  Duration start{};  ///< from t0
};

/// Independent of t0: only offsets. What the log keeps, and what machine and runner work from.
struct Plan {
  std::string run, experiment;
  std::uint64_t seed = 0;
  bool sham = false;
  std::map<std::string, std::vector<std::string>> targets;  ///< resolved, sorted by name
  std::vector<PlannedInjection> injections;  ///< by start, then file order, then host
  std::vector<PlannedProbe> probes;
  std::vector<PlannedStepProbe> step_probes;
  std::vector<PlannedDetectorProbe> detector_probes;
  std::vector<PlannedProcess> processes;  ///< by start
  std::vector<ProcessAction> rollbacks;   ///< in file order, one after another; empty for "never"
  std::vector<Inject> injects;            ///< by `at`
  Phases phases;
  bool has_responder = false;
  Duration fault_time{};  ///< from t0 to the last planned end, pauses included

  [[nodiscard]] const PlannedInjection* find(std::string_view injection_id) const;
  /// Every host that injects or measures, sorted.
  [[nodiscard]] std::vector<std::string> hosts() const;
};

/// Resolves targets, checks every fault, probe and parameter against its host's own description,
/// and lays out the timeline.
///
/// Choice of hosts: candidates sorted by name are shuffled (Fisher-Yates) by SplitMix64 seeded with
/// seed XOR FNV-1a(target name). `one` takes the first, `fixed` the first n, `fixed-percent` the
/// first floor(n·value/100), `random-max-percent` the first k, with k drawn from 1 to that floor.
/// Timeline: an action starts at t0, or when the one named by start-after ends as planned, plus its
/// pauses; a process action is planned at its longest, its timeout.
/// @errors invalid_input  with pointer: empty target, too few hosts, a percentage that comes to no
///                        host, wrong parameters, several vantage hosts, the same fault twice at
///                        once
///         unsupported    a host cannot do a fault or probe; the text says why
///         not_found      a named host is not connected
[[nodiscard]] Result<Plan> make_plan(const Experiment& experiment,
                                     std::span<const AgentView> agents, const PlanOptions& options);

[[nodiscard]] Json to_json(const Plan& plan);
/// For `firedrill plan`: lines for a person, ending in a newline.
[[nodiscard]] std::string to_text(const Plan& plan);

}  // namespace firedrill
