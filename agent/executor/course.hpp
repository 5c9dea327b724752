// What an injection does by itself while it is active: periods of on and off, and a ramp. Pure:
// takes the time since it became active, gives what should be the case.
#pragma once

#include <optional>

#include "firedrill/fault_request.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent {

struct Course {
  std::optional<Pattern> pattern;
  Duration ramp_over{};
  int ramp_steps = 0;  ///< zero: there is no ramp
};

/// Both count from the instant of becoming active; a ramp goes on while the pattern is off.
struct CourseMoment {
  bool on = true;
  int step = 0;                     ///< of the ramp, 0 .. ramp_steps
  Duration next = Duration::max();  ///< when, on the same scale, one of the two changes next
};

/// Looks at the time only: whoever asks late skips what would have been in between, and whoever
/// asks twice gets the same.
[[nodiscard]] CourseMoment moment_of(const Course& course, Duration elapsed);

}  // namespace firedrill::agent
