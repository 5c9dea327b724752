// The named intervals between clock points: value with bounds, censored, or none with the reason.
#include <algorithm>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

Interval named(std::string name, std::string from, std::string to) {
  Interval interval;
  interval.name = std::move(name);
  interval.from = std::move(from);
  interval.to = std::move(to);
  return interval;
}

/// Fills the value when both ends are known. Bounds add up: the ends are taken as independent.
bool fill(Interval& interval, const std::optional<Instant>& from,
          const std::optional<Instant>& to) {
  if (!from || !to) return false;
  interval.value = to->at - from->at;
  interval.low = to->earliest() - from->latest();
  interval.high = to->latest() - from->earliest();
  return true;
}

void censor(Interval& interval, const Instant& from, UtcTime watched_until) {
  interval.censored_at = std::max(watched_until - from.at, Duration{0});
}

std::string without_injection(const Measures& measures) {
  return measures.sham ? "sham run: nothing was injected" : "no injection was confirmed";
}

constexpr std::string_view kNeverHurt = "users were never hurt";

Interval time_to_impact(const Measures& measures, UtcTime off) {
  Interval interval = named("TTI", "t_inj", "t_imp");
  const ClockPoints& points = measures.points;
  if (fill(interval, points.injected, points.impacted)) return interval;
  if (!points.injected) interval.why_none = without_injection(measures);
  else if (measures.series.empty()) interval.why_none = "no probe measured what users feel";
  else censor(interval, *points.injected, off);
  return interval;
}

Interval time_to_detect(const Experiment& experiment, const Measures& measures, bool from_impact) {
  const ClockPoints& points = measures.points;
  Interval interval = from_impact ? named("TTD", "t_imp", "t_fire")
                                  : named("TTD from injection", "t_inj", "t_fire");
  if (from_impact) interval.objective = experiment.objectives.ttd;
  const std::optional<Instant>& from = from_impact ? points.impacted : points.injected;
  if (fill(interval, from, points.fired)) return interval;
  if (!points.injected) interval.why_none = without_injection(measures);
  else if (experiment.expected.empty()) interval.why_none = "no detection was expected";
  else if (!from) interval.why_none = kNeverHurt;
  else censor(interval, *from, measures.ended);
  return interval;
}

Interval time_to_acknowledge(const Experiment& experiment, const Measures& measures) {
  Interval interval = named("TTA", "t_fire", "t_ack");
  interval.objective = experiment.objectives.tta;
  const ClockPoints& points = measures.points;
  if (fill(interval, points.fired, points.acknowledged)) return interval;
  if (!points.injected) interval.why_none = without_injection(measures);
  else if (!points.fired) interval.why_none = "no alert to acknowledge";
  else if (!measures.response_asked) interval.why_none = "nobody was asked to respond";
  else censor(interval, *points.fired, measures.ended);
  return interval;
}

Interval time_to_mitigate(const Experiment& experiment, const Measures& measures) {
  Interval interval = named("TTM", "t_imp", "t_mit");
  interval.objective = experiment.objectives.ttm;
  const ClockPoints& points = measures.points;
  if (fill(interval, points.impacted, points.mitigated)) return interval;
  if (!points.injected) interval.why_none = without_injection(measures);
  else if (!points.impacted) interval.why_none = kNeverHurt;
  else if (measures.mitigated_by == "undo")
    interval.why_none =
        measures.undo_too_near
            ? "nobody mitigated it for sure: users were whole for less than steady-for before our "
              "own undo"
            : "nobody mitigated it: recovery only followed our own undo";
  else censor(interval, *points.impacted, measures.ended);
  return interval;
}

Interval time_to_recover(const Experiment& experiment, const Measures& measures) {
  Interval interval = named("TTR", "t_imp", "t_rec");
  interval.objective = experiment.objectives.ttr;
  const ClockPoints& points = measures.points;
  if (fill(interval, points.impacted, points.recovered)) return interval;
  if (!points.injected) interval.why_none = without_injection(measures);
  else if (!points.impacted) interval.why_none = kNeverHurt;
  else censor(interval, *points.impacted, measures.ended);
  return interval;
}

}  // namespace

std::vector<Interval> intervals(const Experiment& experiment, const Measures& measures) {
  const UtcTime off = measures.points.reverted ? measures.points.reverted->at : measures.ended;
  return {time_to_impact(measures, off),
          time_to_detect(experiment, measures, true),
          time_to_detect(experiment, measures, false),
          time_to_acknowledge(experiment, measures),
          time_to_mitigate(experiment, measures),
          time_to_recover(experiment, measures)};
}

}  // namespace firedrill::measuring
