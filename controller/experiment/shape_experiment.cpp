// The table of the whole file, and of what judges and guides.
#include <array>

#include "controller/experiment/experiment.hpp"
#include "controller/experiment/shape_limits.hpp"
#include "controller/experiment/shape_method.hpp"
#include "controller/experiment/shape_slos.hpp"

namespace firedrill::format {
namespace {

using namespace std::string_view_literals;

constexpr std::array kContributionLevels{"high"sv, "medium"sv, "low"sv, "none"sv};
constexpr std::array kDetectorTypes{"prometheus"sv, "alertmanager"sv, "promql"sv,
                                    "grafana"sv,    "pager"sv,        "webhook"sv,
                                    "log"sv,        "probe"sv,        "person"sv};
constexpr std::array kVerifyTypes{"attested"sv, "ack"sv, "probe"sv};
constexpr std::array kHypothesisStrategies{"default"sv, "continuously"sv};
constexpr std::array kRollbackStrategies{"default"sv, "always"sv, "never"sv};
constexpr double kLongest = 7 * kDay;

constexpr Key kFieldsKeys[] = {
    {.name = "state", .help = "JSON pointer to what tells on from off; each post means on without"},
    {.name = "on", .kind = Kind::words, .help = "the values of state that mean on"},
    {.name = "name", .help = "JSON pointer to the alert's name"},
    {.name = "id", .help = "JSON pointer to what tells one alert from another"},
    {.name = "at",
     .help = "JSON pointer to its instant: RFC 3339, or Unix seconds or milliseconds"},
    {.name = "severity", .help = "JSON pointer to its severity"},
};
constexpr Shape kFields{"fields", kFieldsKeys};

constexpr Key kDetectorKeys[] = {
    {.name = "type", .kind = Kind::choice, .required = true, .choices = kDetectorTypes},
    {.name = "url", .help = "base URL; an alertmanager with a webhook may leave it out"},
    {.name = "poll",
     .kind = Kind::duration,
     .help = "500ms unless given",
     .min = kSecond / 10,
     .max = kMinute},
    {.name = "alert", .help = "name of the alert it raises; the detector's own unless given"},
    {.name = "severity", .help = "of the alert it raises"},
    {.name = "query", .help = "promql: on while this gives a series"},
    {.name = "fields",
     .kind = Kind::object,
     .help = "webhook: where the posted JSON says what",
     .shape = &kFields},
    {.name = "from", .help = "log: the target or host whose log it is"},
    {.name = "file", .help = "log: below /var/log, or named *.log"},
    {.name = "unit", .help = "log: a systemd unit, read from the journal"},
    {.name = "contains", .help = "log: lines that hold this text"},
    {.name = "regex", .help = "log: lines that match this POSIX extended expression"},
    {.name = "probe", .help = "probe: one of the steady state; on while it is in breach"},
    {.name = "clock-error",
     .kind = Kind::duration,
     .help = "its clock is this close to true, by your word: its own instants then count",
     .max = kMinute},
    {.name = "webhook",
     .kind = Kind::flag,
     .help = "it posts to the controller: the instant of notification is then known"},
};
constexpr Shape kDetector{"a detector", kDetectorKeys};

constexpr Key kExpectedKeys[] = {
    {.name = "name", .required = true},
    {.name = "source", .help = "a detector by name; any unless given"},
    {.name = "match", .kind = Kind::labels, .required = true, .help = "labels, all equal"},
    {.name = "for-action", .help = "the fault action it should notice; any unless given"},
    {.name = "within",
     .kind = Kind::duration,
     .required = true,
     .help = "from the injection",
     .max = kLongest},
    {.name = "quiet-before",
     .kind = Kind::duration,
     .help = "it must not have fired for so long before",
     .max = kLongest},
    {.name = "severity"},
};
constexpr Shape kExpected{"an expected detection", kExpectedKeys};

constexpr Key kPagingKeys[] = {
    {.name = "label", .help = "severity unless given"},
    {.name = "wakes", .kind = Kind::words, .help = "page and critical unless given"},
};
constexpr Shape kPaging{"paging", kPagingKeys};

constexpr Key kForbiddenKeys[] = {
    {.name = "match", .kind = Kind::labels, .required = true, .help = "labels, all equal"},
};
constexpr Shape kForbidden{"a forbidden alert", kForbiddenKeys};

constexpr Key kVerifyKeys[] = {
    {.name = "type",
     .kind = Kind::choice,
     .required = true,
     .help = "attested: a person's word; ack: an acknowledgement; probe: seen by machine",
     .choices = kVerifyTypes},
    {.name = "probe", .help = "a probe of the agents"},
    {.name = "arguments", .kind = Kind::open},
    {.name = "target", .help = "the target whose hosts are looked at"},
    {.name = "measure", .help = "which of the sample's values"},
    {.name = "tolerance", .kind = Kind::tolerance, .help = "what shows that it was done"},
};
constexpr Shape kVerify{"verify", kVerifyKeys};

constexpr Key kStepKeys[] = {
    {.name = "id", .required = true},
    {.name = "title"},
    {.name = "who", .help = "the role that takes it"},
    {.name = "within", .kind = Kind::duration, .help = "from the alert's firing", .max = kLongest},
    {.name = "weight", .kind = Kind::number, .help = "1 unless given", .min = 0, .max = 100},
    {.name = "critical", .kind = Kind::flag},
    {.name = "after", .kind = Kind::words, .help = "steps that come before it"},
    {.name = "verify", .kind = Kind::object, .help = "attested unless given", .shape = &kVerify},
};
constexpr Shape kStep{"a runbook step", kStepKeys};

constexpr Key kRunbookKeys[] = {
    {.name = "url"},
    {.name = "steps", .kind = Kind::list, .shape = &kStep},
};
constexpr Shape kRunbook{"runbook", kRunbookKeys};

constexpr Key kResponderKeys[] = {
    {.name = "path",
     .required = true,
     .help = "started at the first expected alert, which it reads on its standard input"},
    {.name = "arguments", .kind = Kind::texts},
};
constexpr Shape kResponder{"responder", kResponderKeys};

constexpr Key kInjectKeys[] = {
    {.name = "id", .required = true},
    {.name = "at",
     .kind = Kind::duration,
     .required = true,
     .help = "from the injection",
     .max = kLongest},
    {.name = "to", .help = "who receives it"},
    {.name = "content", .required = true},
};
constexpr Shape kInject{"an inject", kInjectKeys};

constexpr Key kObjectivesKeys[] = {
    {.name = "slo",
     .kind = Kind::number,
     .help = "share of good operations, e.g. 0.999",
     .min = 0,
     .max = 1},
    {.name = "window",
     .kind = Kind::duration,
     .help = "of the SLO",
     .min = kMinute,
     .max = 366 * kDay},
    {.name = "clock-error",
     .kind = Kind::duration,
     .help = "a clock known worse than this makes a run inconclusive; 1s unless given",
     .min = 1000,
     .max = kMinute},
    {.name = "ttd", .kind = Kind::duration, .max = kLongest},
    {.name = "tta", .kind = Kind::duration, .max = kLongest},
    {.name = "ttm", .kind = Kind::duration, .max = kLongest},
    {.name = "ttr", .kind = Kind::duration, .max = kLongest},
};
constexpr Shape kObjectives{"objectives", kObjectivesKeys};

constexpr Key kPhasesKeys[] = {
    {.name = "baseline", .kind = Kind::duration, .help = "15s unless given", .max = kDay},
    {.name = "baseline-within",
     .kind = Kind::duration,
     .help = "wait up to this long until the steady state has held for 'baseline'; no longer than "
             "'baseline' unless given",
     .max = kDay},
    {.name = "recovery", .kind = Kind::duration, .help = "5m unless given", .max = kDay},
    {.name = "steady-for", .kind = Kind::duration, .help = "5s unless given", .max = kDay},
};
constexpr Shape kPhases{"phases", kPhasesKeys};

constexpr Key kHypothesisRuntimeKeys[] = {
    {.name = "strategy", .kind = Kind::choice, .required = true, .choices = kHypothesisStrategies}};
constexpr Shape kHypothesisRuntime{"runtime.hypothesis", kHypothesisRuntimeKeys};
constexpr Key kRollbackRuntimeKeys[] = {
    {.name = "strategy", .kind = Kind::choice, .required = true, .choices = kRollbackStrategies}};
constexpr Shape kRollbackRuntime{"runtime.rollbacks", kRollbackRuntimeKeys};
constexpr Key kRuntimeKeys[] = {
    {.name = "hypothesis",
     .kind = Kind::object,
     .help = "always before, during and after",
     .shape = &kHypothesisRuntime},
    {.name = "rollbacks",
     .kind = Kind::object,
     .help = "default is always",
     .shape = &kRollbackRuntime},
};
constexpr Shape kRuntime{"runtime", kRuntimeKeys};

constexpr const Shape* kMethodShapes[] = {&kFaultAction, &kProcessAction, &kRef};

constexpr Key kExperimentKeys[] = {
    {.name = "$schema"},
    {.name = "version", .help = "of the Chaos Toolkit format; for other tools"},
    {.name = "title", .required = true},
    {.name = "description"},
    {.name = "tags", .kind = Kind::texts},
    {.name = "contributions", .kind = Kind::labels, .choices = kContributionLevels},
    {.name = "configuration",
     .kind = Kind::open,
     .help = "values for ${name}, or {\"type\": \"env\", \"key\", \"default\"}"},
    {.name = "secrets",
     .kind = Kind::open,
     .help = "environment variables that processes need; never replaced in texts"},
    {.name = "targets", .kind = Kind::map, .shape = &kTarget},
    {.name = "steady-state-hypothesis", .kind = Kind::object, .shape = &kHypothesis},
    {.name = "method",
     .kind = Kind::list,
     .required = true,
     .alternatives = kMethodShapes,
     .pick = pick_method_item},
    {.name = "rollbacks", .kind = Kind::list, .shape = &kProcessAction},
    {.name = "detectors", .kind = Kind::map, .shape = &kDetector},
    {.name = "expected-detections", .kind = Kind::list, .shape = &kExpected},
    {.name = "forbidden-alerts", .kind = Kind::list, .shape = &kForbidden},
    {.name = "paging",
     .kind = Kind::object,
     .help = "which alerts wake somebody, by a label",
     .shape = &kPaging},
    {.name = "runbook", .kind = Kind::object, .shape = &kRunbook},
    {.name = "responder", .kind = Kind::object, .shape = &kResponder},
    {.name = "slos",
     .kind = Kind::map,
     .help = "what users were promised, and how fast its error budget burns",
     .shape = &kSlo},
    {.name = "operating-modes",
     .kind = Kind::map,
     .help = "what the target itself says of how it works",
     .shape = &kOperatingMode},
    {.name = "stop-conditions", .kind = Kind::list, .shape = &kStop},
    {.name = "injects", .kind = Kind::list, .shape = &kInject},
    {.name = "objectives", .kind = Kind::object, .shape = &kObjectives},
    {.name = "phases", .kind = Kind::object, .shape = &kPhases},
    {.name = "blast-radius",
     .kind = Kind::object,
     .help = "how much may be hurt at once, other runs counted; the plan is refused beyond",
     .shape = &kBlastRadius},
    {.name = "runtime", .kind = Kind::object, .shape = &kRuntime},
    {.name = "extensions", .kind = Kind::any, .help = "of other tools; not read"},
    {.name = "controls",
     .kind = Kind::refused,
     .help = "Firedrill has no controls; detectors, stop-conditions and process actions do their "
             "work"},
};
constexpr Shape kExperiment{"an experiment", kExperimentKeys};

}  // namespace

const Shape& experiment_shape() { return kExperiment; }

}  // namespace firedrill::format

namespace firedrill {

Json experiment_schema() {
  Json out = format::to_schema(format::experiment_shape());
  out["title"] = "Firedrill experiment";
  out["description"] = "Generated from the code; see `firedrill schema`.";
  return out;
}

}  // namespace firedrill
