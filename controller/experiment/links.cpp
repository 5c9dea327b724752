// Names that refer to names: unknown ones, duplicates and cycles.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "controller/experiment/read.hpp"

namespace firedrill::format {
namespace {

using Names = std::vector<std::string_view>;

/// One thing that waits for others.
struct Node {
  std::string_view name;
  std::vector<std::string> after;
  std::string pointer;
};

template <class List, class Name>
Names names_of(const List& list, Name name) {
  Names out;
  for (const auto& item : list) out.emplace_back(name(item));
  return out;
}

Result<void> require_known(std::string_view word, const Names& known, std::string_view what,
                           const std::string& pointer) {
  if (std::ranges::find(known, word) != known.end()) return {};
  return fail_at(pointer,
                 fmt::format("there is no {} '{}'.{}", what, word, suggestion(word, known)));
}

/// @param names in the order of the file, so that the second of two is the one pointed at
Result<void> require_unique(const Names& names, std::string_view what,
                            const std::vector<std::string>& pointers) {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!seen.insert(names[i]).second)
      return fail_at(pointers[i], fmt::format("there are two of the {} '{}'", what, names[i]));
  return {};
}

std::vector<std::string> indexed(std::string_view base, std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(pointer_join(base, i));
  return out;
}

/// Takes away, round by round, what waits for nothing that is left; a rest is a cycle.
Result<void> refuse_cycles(std::vector<Node> nodes, std::string_view key) {
  while (!nodes.empty()) {
    const Names left = names_of(nodes, [](const Node& node) { return node.name; });
    const auto waits = [&](const Node& node) {
      return std::ranges::any_of(node.after, [&](const std::string& name) {
        return std::ranges::find(left, std::string_view(name)) != left.end();
      });
    };
    std::vector<Node> rest;
    std::ranges::copy_if(nodes, std::back_inserter(rest), waits);
    if (rest.size() == nodes.size())
      return fail_at(pointer_join(nodes.front().pointer, key),
                     fmt::format("'{}' waits for itself, by way of '{}'", nodes.front().name,
                                 nodes.front().after.front()));
    nodes = std::move(rest);
  }
  return {};
}

std::vector<Node> action_nodes(const Experiment& experiment) {
  std::vector<Node> out;
  const auto add = [&out](const auto& action) {
    Node node{action.name, {}, action.pointer};
    if (!action.start_after.empty()) node.after.push_back(action.start_after);
    out.push_back(std::move(node));
  };
  std::ranges::for_each(experiment.faults, add);
  std::ranges::for_each(experiment.processes, add);
  return out;
}

Result<void> check_graph(const std::vector<Node>& nodes, std::string_view key,
                         std::string_view what) {
  const Names names = names_of(nodes, [](const Node& node) { return node.name; });
  std::vector<std::string> pointers;
  for (const Node& node : nodes) pointers.push_back(pointer_join(node.pointer, "name"));
  if (auto done = require_unique(names, what, pointers); !done) return done;
  for (const Node& node : nodes)
    for (const std::string& name : node.after)
      if (auto done = require_known(name, names, what, pointer_join(node.pointer, key)); !done)
        return done;
  return refuse_cycles(nodes, key);
}

Result<void> check_targets(const Experiment& experiment) {
  const Names targets =
      names_of(experiment.targets, [](const auto& entry) { return std::string_view(entry.first); });
  for (const FaultAction& action : experiment.faults)
    if (auto done =
            require_known(action.target, targets, "target", pointer_join(action.pointer, "target"));
        !done)
      return done;
  for (const RunbookStep& step : experiment.steps)
    if (step.verify.kind == StepVerification::Kind::probe)
      if (auto done = require_known(step.verify.target, targets, "target",
                                    pointer_join(step.pointer, "verify") + "/target");
          !done)
        return done;
  return {};
}

Result<void> check_refs(const Json& document, const Names& probes) {
  const Json& method = list_of(document, "method");
  for (std::size_t i = 0; i < method.size(); ++i)
    if (method[i].contains("ref"))
      if (auto done = require_known(text_of(method[i], "ref"), probes, "probe",
                                    pointer_join(pointer_join("/method", i), "ref"));
          !done)
        return done;
  return {};
}

Result<void> check_detectors(const Experiment& experiment, const Names& probes) {
  for (const Detector& detector : experiment.detectors)
    if (detector.kind == Detector::Kind::probe)
      if (auto done = require_known(detector.probe, probes, "probe",
                                    pointer_join(detector.pointer, "probe"));
          !done)
        return done;
  return {};
}

Result<void> check_slos_and_modes(const Experiment& experiment, const Names& probes) {
  const auto check = [&](const auto& one) -> Result<void> {
    if (one.probe.empty()) return {};
    return require_known(one.probe, probes, "probe", pointer_join(one.pointer, "probe"));
  };
  for (const Slo& slo : experiment.slos)
    if (auto done = check(slo); !done) return done;
  for (const OperatingMode& mode : experiment.operating_modes)
    if (auto done = check(mode); !done) return done;
  return {};
}

Result<void> check_detections(const Experiment& experiment) {
  const Names detectors =
      names_of(experiment.detectors, [](const Detector& d) -> std::string_view { return d.name; });
  const Names actions =
      names_of(experiment.faults, [](const FaultAction& a) -> std::string_view { return a.name; });
  for (std::size_t i = 0; i < experiment.expected.size(); ++i) {
    const ExpectedDetection& expected = experiment.expected[i];
    const std::string pointer = pointer_join("/expected-detections", i);
    if (detectors.empty())
      return fail_at(pointer, "a detection is expected, but there are no 'detectors'");
    if (!expected.source.empty())
      if (auto done = require_known(expected.source, detectors, "detector", pointer + "/source");
          !done)
        return done;
    if (!expected.for_action.empty())
      if (auto done =
              require_known(expected.for_action, actions, "fault action", pointer + "/for-action");
          !done)
        return done;
  }
  const Names names = names_of(
      experiment.expected, [](const ExpectedDetection& e) -> std::string_view { return e.name; });
  return require_unique(names, "expected detection", indexed("/expected-detections", names.size()));
}

Result<void> check_stops_and_injects(const Experiment& experiment, const Names& probes) {
  const Names stops = names_of(experiment.stop_conditions,
                               [](const StopCondition& s) -> std::string_view { return s.name; });
  if (auto done =
          require_unique(stops, "stop condition", indexed("/stop-conditions", stops.size()));
      !done)
    return done;
  for (std::size_t i = 0; i < stops.size(); ++i)
    if (experiment.stop_conditions[i].slo.empty())
      if (auto done = require_known(experiment.stop_conditions[i].probe, probes, "probe",
                                    fmt::format("/stop-conditions/{}/probe", i));
          !done)
        return done;
  const Names injects =
      names_of(experiment.injects, [](const Inject& i) -> std::string_view { return i.id; });
  return require_unique(injects, "inject", indexed("/injects", injects.size()));
}

std::vector<Node> step_nodes(const Experiment& experiment) {
  std::vector<Node> out;
  for (const RunbookStep& step : experiment.steps)
    out.push_back({step.id, step.after, step.pointer});
  return out;
}

}  // namespace

Result<void> check_links(const Json& document, const Experiment& experiment) {
  const Names probes = names_of(
      experiment.probes, [](const ProbeSpec& probe) -> std::string_view { return probe.name; });
  if (auto done = require_unique(probes, "probe",
                                 indexed("/steady-state-hypothesis/probes", probes.size()));
      !done)
    return done;
  if (auto done = check_graph(action_nodes(experiment), "start-after", "action"); !done)
    return done;
  if (auto done = check_graph(step_nodes(experiment), "after", "step"); !done) return done;
  const Names rollbacks = names_of(
      experiment.rollbacks, [](const ProcessAction& a) -> std::string_view { return a.name; });
  if (auto done = require_unique(rollbacks, "rollback", indexed("/rollbacks", rollbacks.size()));
      !done)
    return done;
  if (auto done = check_targets(experiment); !done) return done;
  if (auto done = check_refs(document, probes); !done) return done;
  if (auto done = check_detectors(experiment, probes); !done) return done;
  if (auto done = check_detections(experiment); !done) return done;
  if (auto done = check_slos_and_modes(experiment, probes); !done) return done;
  return check_stops_and_injects(experiment, probes);
}

}  // namespace firedrill::format
