#include "controller/runner/slo_stops.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace firedrill {

SloStops::SloStops(const Experiment& experiment) : slos_(experiment.slos) {
  for (const StopCondition& stop : experiment.stop_conditions)
    if (!stop.slo.empty()) stops_.push_back(stop);
}

std::vector<Duration> SloStops::windows(const std::string& name) const {
  std::vector<Duration> out;
  const auto slo = std::ranges::find(slos_, name, &Slo::name);
  if (slo != slos_.end()) out = slo->windows();
  for (const StopCondition& stop : stops_)
    if (stop.slo == name && stop.burns_above) out.push_back(stop.over);
  std::ranges::sort(out);
  const auto twins = std::ranges::unique(out);
  out.erase(twins.begin(), twins.end());
  return out;
}

/// What is wrong, in words, or nothing.
std::optional<std::string> SloStops::broken(const StopCondition& stop, const Slo& slo,
                                            const SloCounts& counts) const {
  if (stop.burns_above) {
    const auto counted = counts.windows.find(stop.over);
    if (counted == counts.windows.end()) return std::nullopt;
    const auto rate = burn_rate(counted->second, slo.objective);
    if (!rate || *rate <= *stop.burns_above) return std::nullopt;
    return fmt::format("SLO '{}' burned at {:.3g} over {}, above {:g}", slo.name, *rate,
                       to_string(stop.over), *stop.burns_above);
  }
  if (!counts.exercise) return std::nullopt;
  const auto known = expected_.find(slo.name);
  const auto expected = known != expected_.end() ? std::optional(known->second)
                                                 : expected_total(counts.exercise->total,
                                                                  counts.exercise_for, slo.window);
  if (!expected) return std::nullopt;
  const auto spent = budget_spent(counts.exercise->bad, *expected, slo.objective);
  if (!spent || *spent <= *stop.spends_above) return std::nullopt;
  return fmt::format("the exercise spent {:.3g} % of the error budget of SLO '{}', above {:g} %",
                     100 * *spent, slo.name, 100 * *stop.spends_above);
}

std::vector<StopSeen> SloStops::observe(const std::string& name, UtcTime at,
                                        const SloCounts& counts) {
  std::vector<StopSeen> out;
  const auto slo = std::ranges::find(slos_, name, &Slo::name);
  for (const StopCondition& stop : stops_) {
    if (stop.slo != name || met_[stop.name] || slo == slos_.end()) continue;
    const auto wrong = broken(stop, *slo, counts);
    if (!wrong) {
      since_.erase(stop.name);
      continue;
    }
    const UtcTime since = since_.try_emplace(stop.name, at).first->second;
    if (at - since < stop.for_time) continue;
    met_[stop.name] = true;
    out.push_back({stop.name, stop.for_time == Duration{}
                                  ? *wrong
                                  : fmt::format("{}, for {}", *wrong, to_string(at - since))});
  }
  return out;
}

std::vector<StopSeen> SloStops::blind(const std::string& name, UtcTime since, UtcTime at) {
  std::vector<StopSeen> out;
  for (const StopCondition& stop : stops_) {
    if (stop.slo != name || met_[stop.name]) continue;
    if (at - since < std::max(stop.for_time, kMostBlind)) continue;
    met_[stop.name] = true;
    out.push_back(
        {stop.name,
         fmt::format("the counts of SLO '{}' could not be read for {}, so nobody could "
                     "say that it does not burn",
                     name, to_string(std::chrono::floor<std::chrono::seconds>(at - since)))});
  }
  return out;
}

}  // namespace firedrill
