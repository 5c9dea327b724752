// When an alert should have come, by the rules and routes as they stood, against when it came.
// Plain values; prediction.cpp says how each segment is found.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "firedrill/units.hpp"

namespace firedrill {

/// A span of time that is known to lie between two ends.
struct Range {
  Duration low{}, high{};
};

/// One part of the way from the fault to a person.
struct Segment {
  std::string name{};  ///< scrape, evaluation, condition, for, grouping, delivery, person
  std::optional<Range> predicted{}, measured{};
  std::string why{};  ///< where the prediction comes from, or why there is none
  /// How far measured lies outside of predicted: above 0 it took longer. 0 within, or unknown.
  [[nodiscard]] Duration excess() const;
};

struct Prediction {
  std::string detection{}, alertname{};
  std::optional<Range> fire{};           ///< predicted, from the injection to firing
  std::optional<Range> fire_measured{};  ///< the same as it was; absent when it never fired
  std::vector<Segment> segments{};       ///< in the order of time; empty without a rule
  std::optional<Duration> gap{};         ///< measured minus the nearest predicted; 0 within
  std::string cause{};                   ///< the segment that the gap is owed to, in words
  std::string why_none{};                ///< why nothing could be predicted
};

}  // namespace firedrill
