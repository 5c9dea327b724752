#include "controller/study/times.hpp"

#include <algorithm>

namespace firedrill {
namespace {

double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

std::optional<double> median_by(std::span<const Timed> times, double Timed::* bound) {
  std::vector<stats::Observation> all;
  for (const Timed& one : times)
    all.push_back({.time = one.observed ? one.*bound : one.time, .observed = one.observed});
  return stats::median(stats::kaplan_meier(all)).value;
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

std::optional<Timed> timed(const Measures& measures, std::string_view interval) {
  const auto found = std::ranges::find(measures.intervals, interval, &Interval::name);
  if (found == measures.intervals.end()) return std::nullopt;
  if (found->value)
    return Timed{.time = seconds(*found->value),
                 .low = seconds(found->low),
                 .high = seconds(found->high),
                 .observed = true};
  if (!found->censored_at) return std::nullopt;
  const double watched = seconds(*found->censored_at);
  return Timed{.time = watched, .low = watched, .high = watched, .observed = false};
}

std::vector<stats::Observation> observations_of(std::span<const Timed> times) {
  std::vector<stats::Observation> all;
  for (const Timed& one : times) all.push_back({.time = one.time, .observed = one.observed});
  return all;
}

Distribution distribution_of(std::span<const Timed> times) {
  Distribution out;
  out.count = times.size();
  out.censored = static_cast<std::size_t>(std::ranges::count(times, false, &Timed::observed));
  out.curve = stats::kaplan_meier(observations_of(times));
  out.median = stats::median(out.curve);
  out.least = median_by(times, &Timed::low);
  out.most = median_by(times, &Timed::high);
  return out;
}

Json to_json(const Distribution& distribution) {
  Json curve = Json::array();
  for (const stats::CurvePoint& point : distribution.curve.points)
    curve.push_back({{"s", point.time},
                     {"at_risk", point.at_risk},
                     {"events", point.events},
                     {"survival", point.survival},
                     {"standard_error", point.error},
                     {"low", point.low},
                     {"high", point.high}});
  return {{"count", distribution.count},
          {"censored", distribution.censored},
          {"median_s", or_null(distribution.median.value)},
          {"median_low_s", or_null(distribution.median.low)},
          {"median_high_s", or_null(distribution.median.high)},
          {"measured_low_s", or_null(distribution.least)},
          {"measured_high_s", or_null(distribution.most)},
          {"curve", std::move(curve)}};
}

}  // namespace firedrill
