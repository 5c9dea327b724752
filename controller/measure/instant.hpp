// Instants and intervals with their bounds, and the clock points of a run. Plain values.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "firedrill/units.hpp"

namespace firedrill {

/// The true instant lies in [at - early, at + late], all on the controller's clock.
struct Instant {
  UtcTime at{};
  Duration early{}, late{};
  [[nodiscard]] UtcTime earliest() const { return at - early; }
  [[nodiscard]] UtcTime latest() const { return at + late; }
};

/// One named interval between two named clock points.
struct Interval {
  std::string name;      ///< "TTD"
  std::string from, to;  ///< "t_imp", "t_fire"
  std::optional<Duration> value;
  Duration low{}, high{};               ///< bounds of the true value, when there is one
  std::optional<Duration> censored_at;  ///< "> this long": watched so long and it did not come
  std::optional<Duration> objective;
  std::string why_none;  ///< when neither value nor censoring: the reason, for people
};

struct ClockPoints {
  std::optional<Instant> injected, impacted, fired, notified, acknowledged, mitigated, reverted,
      recovered;
};

using Window = std::pair<UtcTime, UtcTime>;

}  // namespace firedrill
