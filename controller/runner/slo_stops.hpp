// Does the error budget burn so fast that the run must stop? Pure: counts in, answers out.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/measure/burn.hpp"
#include "controller/runner/sample_watch.hpp"

namespace firedrill {

/// What is known of one SLO at one instant.
struct SloCounts {
  std::map<Duration, BadOfTotal> windows;  ///< the counts of each window that ends then
  /// Since the injection (or since watching began, before there is one), and how long that is.
  std::optional<BadOfTotal> exercise;
  Duration exercise_for{};
};

class SloStops {
 public:
  explicit SloStops(const Experiment& experiment);

  /// The windows that an SLO's rows and stop conditions look at, each once, from the shortest.
  [[nodiscard]] std::vector<Duration> windows(const std::string& slo) const;
  /// How many events a whole window brings, by what came before the run.
  void expect(const std::string& slo, double total) { expected_[slo] = total; }
  /// Stop conditions that are met now, once each.
  [[nodiscard]] std::vector<StopSeen> observe(const std::string& slo, UtcTime at,
                                              const SloCounts& counts);
  /// Nobody could read the counts since `since`. Whoever wanted the run to stop by them gets that
  /// after kMostBlind, or after the condition's own time when that is longer: it may be burning.
  [[nodiscard]] std::vector<StopSeen> blind(const std::string& slo, UtcTime since, UtcTime at);

  static constexpr Duration kMostBlind{30'000'000};

 private:
  [[nodiscard]] std::optional<std::string> broken(const StopCondition& stop, const Slo& slo,
                                                  const SloCounts& counts) const;

  std::vector<Slo> slos_;
  std::vector<StopCondition> stops_;
  std::map<std::string, double> expected_;  ///< by SLO
  std::map<std::string, UtcTime> since_;    ///< by stop condition: broken without a break
  std::map<std::string, bool> met_;
};

}  // namespace firedrill
