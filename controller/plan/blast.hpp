// Is a plan within what may be hurt at once? Takes the plan, what is on the hosts already, and the
// limits of experiment and fleet. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/plan/plan.hpp"

namespace firedrill {

/// What the fleet's owner says, and whom nobody can ask.
struct FleetState {
  BlastRadius limits;
  std::string file;                 ///< where the limits stand, for refusals
  std::vector<std::string> absent;  ///< hosts that have a certificate and are not connected
};

/// Counts hosts, each once: those of the plan's injections that are on at one instant (touching
/// ends count as together), and those on which another run's injections are open. A sham hurts
/// nobody. For a group with a quorum of n members at most (n - 1) / 2 may be hurt or away.
/// @errors refused  with the pointer of the limit, the hosts, and what to do
[[nodiscard]] Result<void> check_blast_radius(const Plan& plan, const BlastRadius& own,
                                              std::span<const AgentView> agents,
                                              const FleetState& fleet);

}  // namespace firedrill
