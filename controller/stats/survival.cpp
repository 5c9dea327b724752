#include "controller/stats/survival.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "controller/stats/proportion.hpp"

namespace firedrill::stats {
namespace {

std::size_t at_risk(std::span<const Observation> all, double time) {
  return static_cast<std::size_t>(
      std::ranges::count_if(all, [&](const Observation& one) { return one.time >= time; }));
}

std::size_t events_at(std::span<const Observation> all, double time) {
  return static_cast<std::size_t>(std::ranges::count_if(
      all, [&](const Observation& one) { return one.observed && one.time == time; }));
}

/// Distinct times at which something happened, in order.
std::set<double> event_times(std::span<const Observation> all) {
  std::set<double> times;
  for (const Observation& one : all)
    if (one.observed) times.insert(one.time);
  return times;
}

/// On the log(-log) scale. Where survival is 0 or 1, that scale has no end and no width.
void bound(CurvePoint& point, double greenwood) {
  if (point.survival <= 0 || point.survival >= 1) {
    point.low = point.high = point.survival;
    return;
  }
  const double log_survival = std::log(point.survival);
  const double half = kZ95 * std::sqrt(greenwood) / std::fabs(log_survival);
  point.low = std::exp(log_survival * std::exp(half));
  point.high = std::exp(log_survival * std::exp(-half));
}

}  // namespace

Curve kaplan_meier(std::span<const Observation> observations) {
  Curve curve;
  curve.count = observations.size();
  if (observations.empty()) return curve;
  curve.last = std::ranges::max(observations, {}, &Observation::time).time;
  for (const Observation& one : observations) curve.events += one.observed ? 1 : 0;
  double survival = 1, greenwood = 0;
  for (const double time : event_times(observations)) {
    CurvePoint point{.time = time,
                     .at_risk = at_risk(observations, time),
                     .events = events_at(observations, time)};
    const auto n = static_cast<double>(point.at_risk), d = static_cast<double>(point.events);
    survival *= (n - d) / n;
    if (point.events < point.at_risk) greenwood += d / (n * (n - d));
    point.survival = survival;
    point.error = survival * std::sqrt(greenwood);
    bound(point, greenwood);
    curve.points.push_back(point);
  }
  return curve;
}

Quantile median(const Curve& curve) {
  constexpr double kHalf = 0.5 + 1e-12;  // a product of fractions may miss 1/2 by a rounding
  Quantile out;
  for (const CurvePoint& point : curve.points) {
    if (!out.value && point.survival <= kHalf) out.value = point.time;
    if (curve.count < 2) continue;
    if (!out.low && point.low <= kHalf) out.low = point.time;
    if (!out.high && point.high < 0.5 - 1e-12) out.high = point.time;
  }
  return out;
}

std::optional<LogRank> log_rank(std::span<const Observation> a, std::span<const Observation> b) {
  std::set<double> times = event_times(a);
  times.merge(event_times(b));
  LogRank out;
  for (const double time : times) {
    const auto risk_a = static_cast<double>(at_risk(a, time));
    const auto risk_b = static_cast<double>(at_risk(b, time));
    const auto events_a = static_cast<double>(events_at(a, time));
    const auto events_b = static_cast<double>(events_at(b, time));
    const double n = risk_a + risk_b, d = events_a + events_b;
    out.observed_a += events_a;
    out.observed_b += events_b;
    out.expected_a += d * risk_a / n;
    out.expected_b += d * risk_b / n;
    if (n > 1) out.variance += d * (risk_a / n) * (risk_b / n) * (n - d) / (n - 1);
  }
  if (out.variance <= 0) return std::nullopt;
  const double gap = out.observed_a - out.expected_a;
  out.chi_square = gap * gap / out.variance;
  out.p = chi_square_tail(out.chi_square);
  return out;
}

double chi_square_tail(double value) {
  // With one degree of freedom it is the square of a normal value: P(|Z| > sqrt(value)).
  return std::erfc(std::sqrt(std::max(value, 0.0) / 2));
}

}  // namespace firedrill::stats
