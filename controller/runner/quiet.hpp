// Between runs: is everything as it should be before the next one begins?
#pragma once

#include <vector>

#include "controller/experiment/experiment.hpp"
#include "controller/fleet/fleet.hpp"
#include "controller/plan/plan.hpp"
#include "controller/runner/preflight.hpp"

namespace firedrill {

/// The checks of the preflight that fail, and the probes whose value is out of tolerance now.
/// Blocks for as long as the slowest probe takes. `plan` may be of any run.
[[nodiscard]] std::vector<Check> what_is_not_quiet(const Experiment& experiment, const Plan& plan,
                                                   Fleet& fleet);

/// How long quiet must last: the longest that the experiment asks for, of steady state and of each
/// expected alert.
[[nodiscard]] Duration quiet_time(const Experiment& experiment);

}  // namespace firedrill
