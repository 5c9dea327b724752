// Expected detections, runbook, stop conditions, injects, objectives and phases.
#include <fmt/format.h>

#include "controller/experiment/read.hpp"
#include "controller/experiment/tolerance.hpp"

namespace firedrill::format {
namespace {

Result<AlertMatch> read_match(const Json& json, const std::string& pointer) {
  AlertMatch out{labels_of(json, "match")};
  if (out.labels.empty())
    return fail_at(pointer_join(pointer, "match"), "an empty match fits every alert; name a label");
  return out;
}

Result<StepVerification> read_verification(const Json& json, const std::string& pointer) {
  StepVerification out;
  const std::string type = text_of(json, "type");
  if (type != "probe") {
    if (json.size() > (json.contains("type") ? 1U : 0U))
      return fail_at(pointer, fmt::format("'{}' takes no probe", type));
    if (type == "ack") out.kind = StepVerification::Kind::ack;
    return out;
  }
  out.kind = StepVerification::Kind::probe;
  for (const std::string_view key : {"probe", "target", "measure", "tolerance"})
    if (!json.contains(key))
      return fail_at(pointer, fmt::format("'{}' is missing: a probe verifies this step", key));
  out.probe = text_of(json, "probe");
  out.arguments = object_of(json, "arguments");
  out.target = text_of(json, "target");
  out.measure = text_of(json, "measure");
  auto tolerance = parse_tolerance(json["tolerance"], pointer_join(pointer, "tolerance"));
  if (!tolerance) return std::unexpected(tolerance.error());
  out.tolerance = std::move(*tolerance);
  return out;
}

Result<RunbookStep> read_step(const Json& json, const std::string& pointer) {
  RunbookStep out;
  out.id = text_of(json, "id");
  out.title = text_of(json, "title");
  out.who = text_of(json, "who");
  out.within = optional_duration(json, "within");
  out.weight = number_of(json, "weight", out.weight);
  out.critical = flag_of(json, "critical");
  out.after = texts_of(json, "after");
  out.pointer = pointer;
  auto verify = read_verification(object_of(json, "verify"), pointer_join(pointer, "verify"));
  if (!verify) return std::unexpected(verify.error());
  out.verify = std::move(*verify);
  return out;
}

}  // namespace

Result<void> read_detections(const Json& document, Experiment& out) {
  const Json& expected = list_of(document, "expected-detections");
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Json& json = expected[i];
    auto match = read_match(json, pointer_join("/expected-detections", i));
    if (!match) return std::unexpected(match.error());
    out.expected.push_back({.name = text_of(json, "name"),
                            .source = text_of(json, "source"),
                            .match = std::move(*match),
                            .for_action = text_of(json, "for-action"),
                            .within = duration_of(json, "within"),
                            .quiet_before = duration_of(json, "quiet-before"),
                            .severity = text_of(json, "severity")});
  }
  const Json& forbidden = list_of(document, "forbidden-alerts");
  for (std::size_t i = 0; i < forbidden.size(); ++i) {
    auto match = read_match(forbidden[i], pointer_join("/forbidden-alerts", i));
    if (!match) return std::unexpected(match.error());
    out.forbidden.push_back(std::move(*match));
  }
  return {};
}

Result<void> read_runbook(const Json& document, Experiment& out) {
  const Json& runbook = object_of(document, "runbook");
  out.runbook_url = text_of(runbook, "url");
  const Json& steps = list_of(runbook, "steps");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    auto step = read_step(steps[i], pointer_join("/runbook/steps", i));
    if (!step) return std::unexpected(step.error());
    out.steps.push_back(std::move(*step));
  }
  const Json& responder = object_of(document, "responder");
  if (!responder.empty())
    out.responder =
        Responder{text_of(responder, "path"), texts_of(responder, "arguments"), out.directory};
  return {};
}

Result<void> read_exercise(const Json& document, Experiment& out) {
  for (const Json& json : list_of(document, "injects"))
    out.injects.push_back({.id = text_of(json, "id"),
                           .to = text_of(json, "to"),
                           .content = text_of(json, "content"),
                           .at = duration_of(json, "at")});
  const Json& goals = object_of(document, "objectives");
  Objectives& objectives = out.objectives;
  objectives.ttd = optional_duration(goals, "ttd");
  objectives.tta = optional_duration(goals, "tta");
  objectives.ttm = optional_duration(goals, "ttm");
  objectives.ttr = optional_duration(goals, "ttr");
  if (goals.contains("slo")) objectives.slo = number_of(goals, "slo", 0);
  if (objectives.slo && (*objectives.slo <= 0 || *objectives.slo >= 1))
    return fail_at("/objectives/slo", "an SLO lies between 0 and 1, e.g. 0.999");
  objectives.window = optional_duration(goals, "window");
  objectives.clock_error = duration_of(goals, "clock-error", objectives.clock_error);
  const Json& phases = object_of(document, "phases");
  out.phases.baseline = duration_of(phases, "baseline", out.phases.baseline);
  out.phases.baseline_within = duration_of(phases, "baseline-within", out.phases.baseline);
  if (out.phases.baseline_within < out.phases.baseline)
    return fail_at("/phases/baseline-within", "is shorter than 'baseline', so it can never be met");
  out.phases.recovery = duration_of(phases, "recovery", out.phases.recovery);
  out.phases.steady_for = duration_of(phases, "steady-for", out.phases.steady_for);
  if (out.phases.steady_for > out.phases.recovery)
    return fail_at("/phases", "'steady-for' is longer than 'recovery', so it can never be met");
  const Json& rollbacks = object_of(object_of(document, "runtime"), "rollbacks");
  out.run_rollbacks = text_of(rollbacks, "strategy") != "never";
  return {};
}

}  // namespace firedrill::format
