#include "controller/experiment/shape_slos.hpp"

#include "controller/experiment/shape_method.hpp"

namespace firedrill::format {
namespace {

constexpr double kLongestWindow = 366 * kDay;

constexpr Key kBurnRowKeys[] = {
    {.name = "factor",
     .kind = Kind::number,
     .required = true,
     .help = "1 spends the whole budget in the whole window",
     .min = 0.01,
     .max = 1e6},
    {.name = "long",
     .kind = Kind::duration,
     .required = true,
     .min = kSecond,
     .max = kLongestWindow},
    {.name = "short",
     .kind = Kind::duration,
     .required = true,
     .help = "both windows must burn above the factor; the short one ends the alert soon",
     .min = kSecond,
     .max = kLongestWindow},
    {.name = "severity", .help = "page unless given"},
};
constexpr Shape kBurnRow{"a burn rate", kBurnRowKeys};

constexpr Key kSloKeys[] = {
    {.name = "objective",
     .kind = Kind::count,
     .required = true,
     .help = "share of good events: \"99.9%\" or 0.999"},
    {.name = "window",
     .kind = Kind::duration,
     .help = "30d unless given",
     .min = kMinute,
     .max = kLongestWindow},
    {.name = "source", .help = "the detector whose Prometheus counts; the only one unless given"},
    {.name = "total",
     .help = "PromQL: all events. A counter, or an expression with [$window] as its range"},
    {.name = "bad", .help = "PromQL, as total: the bad ones of them"},
    {.name = "good", .help = "PromQL, as total: the good ones; instead of bad"},
    {.name = "probe",
     .help = "instead of PromQL: time out of the tolerance of this steady-state probe is bad"},
    {.name = "poll",
     .kind = Kind::duration,
     .help = "5s unless given",
     .min = kSecond / 2,
     .max = 10 * kMinute},
    {.name = "minimum-budget",
     .kind = Kind::count,
     .help = "preflight refuses below this share of the error budget; \"10%\" unless given"},
    {.name = "burn-rates",
     .kind = Kind::list,
     .help = "14.4 over 1h and 5m, 6 over 6h and 30m, 3 over 24h and 2h, 1 over 3d and 6h unless "
             "given",
     .shape = &kBurnRow},
};

constexpr Key kModesKeys[] = {
    {.name = "normal", .kind = Kind::tolerance},
    {.name = "degraded", .kind = Kind::tolerance, .help = "it still does all, but worse"},
    {.name = "floor", .kind = Kind::tolerance, .help = "it does the least that it promised"},
    {.name = "recovery", .kind = Kind::tolerance, .help = "it is on its way back"},
};
constexpr Shape kModes{"modes", kModesKeys};

constexpr Key kOperatingModeKeys[] = {
    {.name = "query", .help = "PromQL: the value of its only series is the answer"},
    {.name = "source", .help = "query: the detector whose Prometheus answers; as for an SLO"},
    {.name = "url", .help = "instead: an HTTP address, asked by the controller"},
    {.name = "field", .help = "url: JSON pointer into its answer; the whole text unless given"},
    {.name = "probe", .help = "instead: the value of this steady-state probe"},
    {.name = "poll",
     .kind = Kind::duration,
     .help = "1s unless given; of a probe, its own interval",
     .min = kSecond / 10,
     .max = kMinute},
    {.name = "modes",
     .kind = Kind::object,
     .help = "which answers mean which mode, the first that fits; the words themselves unless "
             "given",
     .shape = &kModes},
    {.name = "flapping-within",
     .kind = Kind::duration,
     .help = "back in the same mode within this is flapping; 1m unless given",
     .min = kSecond,
     .max = kDay},
};

constexpr Key kStopKeys[] = {
    {.name = "name", .required = true},
    {.name = "probe", .help = "a probe of the steady state"},
    {.name = "tolerance",
     .kind = Kind::tolerance,
     .help = "of the probe: must hold; the run stops when it does not"},
    {.name = "slo", .help = "instead of a probe: an SLO"},
    {.name = "burns-above",
     .kind = Kind::number,
     .help = "slo: a burn rate",
     .min = 0.01,
     .max = 1e6},
    {.name = "over",
     .kind = Kind::duration,
     .help = "burns-above: counted over so long; the shortest window of the SLO unless given",
     .min = kSecond,
     .max = kLongestWindow},
    {.name = "spends-above",
     .kind = Kind::count,
     .help = "slo: share of the error budget that the exercise may spend, like \"2%\""},
    {.name = "for",
     .kind = Kind::duration,
     .help = "broken for so long; at once unless given",
     .max = kDay},
};

}  // namespace

const Shape kSlo{"an SLO", kSloKeys};
const Shape kOperatingMode{"an operating mode", kOperatingModeKeys};
const Shape kStop{"a stop condition", kStopKeys};

}  // namespace firedrill::format
