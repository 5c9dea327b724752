// Times until something happens, when some were watched too short to see it. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace firedrill::stats {

/// It happened at `time`, or (not observed) it had not happened by then: right-censored.
struct Observation {
  double time = 0;
  bool observed = true;
};

/// From `time` on, until the next point. Only times at which something happened have a point.
struct CurvePoint {
  double time = 0;
  std::size_t at_risk = 0, events = 0;  ///< just before, and at this time
  double survival = 1;                  ///< share to which it has not happened yet
  double error = 0;                     ///< Greenwood's standard error of it
  double low = 0, high = 1;             ///< 95 %, on the log(-log) scale, so within 0 and 1
};

struct Curve {
  std::vector<CurvePoint> points;  ///< by time
  std::size_t count = 0, events = 0;
  double last = 0;  ///< the longest time, observed or censored
};

/// The product-limit estimator (Kaplan, Meier 1958) with Greenwood's variance. What was censored at
/// the time of an event counts as still at risk then.
[[nodiscard]] Curve kaplan_meier(std::span<const Observation> observations);

/// A missing value or end was not reached: it is beyond the longest time watched.
struct Quantile {
  std::optional<double> value, low, high;
};

/// The least time at which survival is 1/2 or less. Its 95 % interval is that of Brookmeyer and
/// Crowley (Biometrics 38:29-41, 1982) with the log(-log) transform: the times whose interval for
/// survival covers 1/2; the end is the first time at which it no longer does. A single observation
/// has no interval.
[[nodiscard]] Quantile median(const Curve& curve);

struct LogRank {
  double observed_a = 0, expected_a = 0, observed_b = 0, expected_b = 0;
  double variance = 0;    ///< hypergeometric, of observed_a
  double chi_square = 0;  ///< one degree of freedom
  double p = 1;
};

/// Log-rank test (Mantel 1966) of two samples, ties as they are. None when there is nothing to
/// compare: no time at which both had somebody at risk and something happened.
[[nodiscard]] std::optional<LogRank> log_rank(std::span<const Observation> a,
                                              std::span<const Observation> b);

/// Share of the chi-square distribution with one degree of freedom above `value`.
[[nodiscard]] double chi_square_tail(double value);

}  // namespace firedrill::stats
