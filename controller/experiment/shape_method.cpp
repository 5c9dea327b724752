// The tables of targets, probes and actions.
#include "controller/experiment/shape_method.hpp"

#include <array>

namespace firedrill::format {
namespace {

using namespace std::string_view_literals;

constexpr std::array kModes{"one"sv, "all"sv, "fixed"sv, "fixed-percent"sv, "random-max-percent"sv};
constexpr std::array kProbeWord{"probe"sv};
constexpr std::array kActionWord{"action"sv};
constexpr std::array kFaultWord{"fault"sv};
constexpr std::array kProcessWord{"process"sv};
constexpr std::string_view kNoControls =
    "Firedrill has no controls; detectors, stop-conditions and process actions do their work";

constexpr Key kTargetKeys[] = {
    {.name = "hosts", .kind = Kind::texts, .help = "hosts by name"},
    {.name = "tags", .kind = Kind::labels, .help = "tags that a host must all have"},
    {.name = "mode",
     .kind = Kind::choice,
     .help = "how many of them; all unless given",
     .choices = kModes},
    {.name = "value", .kind = Kind::count, .help = "a count for fixed, a percentage otherwise"},
};

constexpr Key kPausesKeys[] = {
    {.name = "before", .kind = Kind::seconds, .max = kDay},
    {.name = "after", .kind = Kind::seconds, .max = kDay},
};
constexpr Shape kPauses{"pauses", kPausesKeys};

constexpr Key kCureKeys[] = {
    {.name = "probe", .required = true, .help = "a probe of the agent on the injected host"},
    {.name = "arguments", .kind = Kind::open},
    {.name = "measure", .required = true, .help = "which of the sample's values"},
    {.name = "min", .kind = Kind::number, .help = "cured from this value on"},
    {.name = "max", .kind = Kind::number, .help = "cured up to this value"},
    {.name = "interval", .kind = Kind::duration, .min = kSecond / 10, .max = kMinute},
};
constexpr Shape kCure{"cured-by", kCureKeys};

constexpr Key kPatternKeys[] = {
    {.name = "on", .kind = Kind::duration, .required = true, .min = kSecond / 10, .max = kDay},
    {.name = "off", .kind = Kind::duration, .required = true, .min = kSecond / 10, .max = kDay},
};
constexpr Shape kPattern{"pattern", kPatternKeys};

constexpr Key kRampKeys[] = {
    {.name = "parameter",
     .required = true,
     .help = "a number among the arguments, where its value is what the ramp ends at"},
    {.name = "from",
     .kind = Kind::any,
     .required = true,
     .help = "what it starts at, written like the argument"},
    {.name = "over",
     .kind = Kind::duration,
     .required = true,
     .help = "how long it takes; then the value stays",
     .min = kSecond / 10,
     .max = kDay},
    {.name = "steps",
     .kind = Kind::integer,
     .help = "equal steps, of at least 100ms; 10 unless given",
     .min = 1,
     .max = 1000},
};
constexpr Shape kRamp{"ramp", kRampKeys};

constexpr Key kFaultProviderKeys[] = {
    {.name = "type", .kind = Kind::choice, .required = true, .choices = kFaultWord},
    {.name = "fault", .required = true, .help = "name in the agents' catalogue"},
    {.name = "arguments", .kind = Kind::open, .help = "checked against the agent's own table"},
};
constexpr Shape kFaultProvider{"a fault provider", kFaultProviderKeys};

constexpr Key kProcessProviderKeys[] = {
    {.name = "type", .kind = Kind::choice, .required = true, .choices = kProcessWord},
    {.name = "path", .required = true, .help = "runs on the controller's machine, without a shell"},
    {.name = "arguments", .kind = Kind::words, .help = "a list; a string is split at blanks"},
    {.name = "timeout", .kind = Kind::seconds, .help = "30s unless given", .max = kDay},
};
constexpr Shape kProcessProvider{"a process provider", kProcessProviderKeys};

constexpr Key kProbeProviderKeys[] = {
    {.name = "type", .required = true, .help = "etcd, http, tcp or another probe of the agents"},
};
constexpr Shape kProbeProvider{"a probe provider", kProbeProviderKeys, true};

#define FIREDRILL_PROBE_KEYS                                                              \
  {.name = "type", .kind = Kind::choice, .choices = kProbeWord},                          \
      {.name = "name", .required = true},                                                 \
      {.name = "tolerance", .kind = Kind::tolerance, .required = true},                   \
      {.name = "interval",                                                                \
       .kind = Kind::duration,                                                            \
       .help = "one sample per interval; 1s unless given",                                \
       .min = kSecond / 100,                                                              \
       .max = kHour},                                                                     \
      {.name = "unit", .help = "for people: ms, %"},                                      \
      {.name = "breach-after",                                                            \
       .kind = Kind::integer,                                                             \
       .help = "consecutive samples out of tolerance that make a breach; 2 unless given", \
       .min = 1,                                                                          \
       .max = 1000},                                                                      \
  {                                                                                       \
    .name = "controls", .kind = Kind::refused, .help = kNoControls                        \
  }

constexpr Key kAgentProbeKeys[] = {
    FIREDRILL_PROBE_KEYS,
    {.name = "from", .required = true, .help = "the target or host that measures"},
    {.name = "measure", .required = true, .help = "which of the sample's values, e.g. p99_ms"},
    {.name = "provider", .kind = Kind::object, .required = true, .shape = &kProbeProvider},
};
constexpr Shape kAgentProbe{"a probe", kAgentProbeKeys};

constexpr Key kProcessProbeKeys[] = {
    FIREDRILL_PROBE_KEYS,
    {.name = "measure", .help = "exit_code or stdout; by the tolerance unless given"},
    {.name = "provider", .kind = Kind::object, .required = true, .shape = &kProcessProvider},
};
constexpr Shape kProcessProbe{"a process probe", kProcessProbeKeys};
#undef FIREDRILL_PROBE_KEYS

std::string_view provider_type(const Json& item) {
  if (!item.is_object()) return {};
  const auto provider = item.find("provider");
  if (provider == item.end() || !provider->is_object()) return {};
  const auto type = provider->find("type");
  if (type == provider->end() || !type->is_string()) return {};
  return type->get_ref<const std::string&>();
}

const Shape& pick_probe(const Json& item) {
  return provider_type(item) == "process" ? kProcessProbe : kAgentProbe;
}

constexpr const Shape* kProbeShapes[] = {&kAgentProbe, &kProcessProbe};
constexpr Key kHypothesisKeys[] = {
    {.name = "title"},
    {.name = "probes",
     .kind = Kind::list,
     .required = true,
     .alternatives = kProbeShapes,
     .pick = pick_probe},
    {.name = "controls", .kind = Kind::refused, .help = kNoControls},
};

#define FIREDRILL_ACTION_KEYS                                                                \
  {.name = "type", .kind = Kind::choice, .choices = kActionWord},                            \
      {.name = "name", .required = true},                                                    \
      {.name = "start-after", .help = "starts when this action ends; at once unless given"}, \
      {.name = "pauses", .kind = Kind::object, .shape = &kPauses},                           \
      {.name = "background", .kind = Kind::flag}, {                                          \
    .name = "controls", .kind = Kind::refused, .help = kNoControls                           \
  }

constexpr Key kFaultActionKeys[] = {
    FIREDRILL_ACTION_KEYS,
    {.name = "target", .required = true},
    {.name = "provider", .kind = Kind::object, .required = true, .shape = &kFaultProvider},
    {.name = "duration",
     .kind = Kind::duration,
     .required = true,
     .help = "from apply to undo, by the agent's own clock",
     .min = 1000,
     .max = 7 * kDay},
    {.name = "cured-by", .kind = Kind::object, .help = "what ends it as cured", .shape = &kCure},
    {.name = "pattern",
     .kind = Kind::object,
     .help = "on and off by turns, from the instant of applying",
     .shape = &kPattern},
    {.name = "ramp",
     .kind = Kind::object,
     .help = "a number that moves while the fault is on",
     .shape = &kRamp},
    {.name = "lease",
     .kind = Kind::duration,
     .help = "undone when the controller is silent this long",
     .min = kSecond,
     .max = kDay},
};

constexpr Key kProcessActionKeys[] = {
    FIREDRILL_ACTION_KEYS,
    {.name = "provider", .kind = Kind::object, .required = true, .shape = &kProcessProvider},
};
#undef FIREDRILL_ACTION_KEYS

constexpr Key kRefKeys[] = {
    {.name = "ref", .required = true, .help = "a probe of the steady state; measured all along"},
};

}  // namespace

const Shape kTarget{"a target", kTargetKeys};
const Shape kHypothesis{"steady-state-hypothesis", kHypothesisKeys};
const Shape kFaultAction{"a fault action", kFaultActionKeys};
const Shape kProcessAction{"a process action", kProcessActionKeys};
const Shape kRef{"a reference", kRefKeys};

const Shape& pick_method_item(const Json& item) {
  if (item.is_object() && item.contains("ref")) return kRef;
  return provider_type(item) == "process" ? kProcessAction : kFaultAction;
}

}  // namespace firedrill::format
