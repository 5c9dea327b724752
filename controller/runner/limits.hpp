// Holds a plan against what may be hurt at once: asks the agents what is on, and the fleet's owner
// by his file. Blocks; the runner's thread.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "controller/fleet/fleet.hpp"
#include "controller/plan/blast.hpp"

namespace firedrill {

/// fleet.json in `home`; none: no limits. @errors as reading it; it is never passed over
[[nodiscard]] Result<BlastRadius> load_fleet_limits(const std::filesystem::path& home);

/// Checks a plan as check_blast_radius() says. Each connected agent is asked for its open
/// injections; of one that does not answer, what it said when it connected counts.
/// @param issued  hosts that have a certificate
[[nodiscard]] Result<void> hold_plan_to_limits(const Plan& plan, const Experiment& experiment,
                                               Fleet& fleet, const std::filesystem::path& home,
                                               const std::set<std::string>& issued);

}  // namespace firedrill
