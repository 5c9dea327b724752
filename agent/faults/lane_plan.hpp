// Where a lane would go on an interface: its rules and preferences. Reads only.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "agent/faults/lane_rules.hpp"
#include "agent/faults/lane_state.hpp"

namespace firedrill::agent {

/// The preferences of a lane: `needed` of them.
struct LanePrefs {
  std::uint16_t first = 0;
  std::uint32_t needed = 0;
};

/// What building needs to know of the interface, looked at together.
struct LanePlan {
  TrafficControl state;
  std::vector<LaneRules> rules;  ///< as `traffic`
  LanePrefs prefs;
};

/// @errors conflict  as plan_lane
[[nodiscard]] Result<LanePlan> lane_plan(Network& network, kernel::IfIndex link,
                                         const std::string& device, LaneTraits traits,
                                         const std::vector<LaneTraffic>& traffic);

/// The lanes that have a filter on the interface, by the handle of their netems.
[[nodiscard]] std::set<std::uint32_t> lane_handles(const TrafficControl& state);

/// A token whose handle no other lane has.
[[nodiscard]] Result<std::uint32_t> free_token(Host& host);

}  // namespace firedrill::agent
