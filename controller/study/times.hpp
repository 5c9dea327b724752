// One named interval over many runs: how long it took, when some were watched too short. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/measure/measures.hpp"
#include "controller/stats/survival.hpp"

namespace firedrill {

/// The interval of one run, in seconds: `time` lies in [low, high]. Not observed: it had not come
/// after `time` of watching.
struct Timed {
  double time = 0, low = 0, high = 0;
  bool observed = true;
};

/// By the interval's name in Measures ("TTD"). None when the run has neither a value nor a time of
/// watching: there was nothing to wait for.
[[nodiscard]] std::optional<Timed> timed(const Measures& measures, std::string_view interval);

struct Distribution {
  std::size_t count = 0, censored = 0;
  stats::Curve curve{};
  stats::Quantile median{};
  /// What the measurements' own uncertainty makes of the median: the medians of all lower and of
  /// all upper bounds. There when the median is.
  std::optional<double> least{}, most{};
};

[[nodiscard]] Distribution distribution_of(std::span<const Timed> times);
[[nodiscard]] std::vector<stats::Observation> observations_of(std::span<const Timed> times);
[[nodiscard]] Json to_json(const Distribution& distribution);

}  // namespace firedrill
