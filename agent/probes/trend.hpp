// How fast something grows: a straight line through its last readings. Pure.
#pragma once

#include <deque>
#include <optional>

#include "firedrill/units.hpp"

namespace firedrill::agent {

class Trend {
 public:
  /// Keeps readings of the last `span`.
  explicit Trend(Duration span) : span_(span) {}

  /// `at` on any clock that does not go back.
  void add(Duration at, double value);
  void clear() { readings_.clear(); }
  /// Growth per second by least squares; none before three readings at different times.
  [[nodiscard]] std::optional<double> slope_per_second() const;

 private:
  struct Reading {
    Duration at;
    double value = 0;
  };
  Duration span_;
  std::deque<Reading> readings_;
};

/// Seconds until `room` is used up at that slope; none when it does not grow by as much as one
/// page (4 KiB) a second, which is within what any process breathes.
[[nodiscard]] std::optional<double> seconds_to_exhaustion(std::optional<double> slope, double room);

}  // namespace firedrill::agent
