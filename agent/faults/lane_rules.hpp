// Which filters a lane needs beside those of the lanes that are on already, so that packets of
// several lanes go through all of them. Pure: takes matches, gives matches in order.
#pragma once

#include <string>
#include <vector>

#include "agent/faults/lane.hpp"

namespace firedrill::agent {

/// One filter to be, asked after all before it.
struct LaneRule {
  enum class Way : std::uint8_t {
    pass,   ///< no impairment of any lane
    alone,  ///< into the lane's own ifb
    joint,  ///< into an ifb that does what `over` does, and then what this lane does
  };
  kernel::FlowMatch match;
  Way way = Way::pass;
  kernel::IfIndex over;
  /// Consecutive rules of one step go the same way: they share a preference.
  std::size_t step = 0;
};

struct LaneRules {
  std::vector<LaneRule> rules;        ///< in the order in which they must be asked
  std::vector<kernel::IfIndex> over;  ///< the ifbs of other lanes that joints stand for
  std::size_t steps = 0;              ///< how many steps the rules have
};

/// The rules of one side. `filters` are all there now, in the order of their
/// preference; those of lanes count. For every packet: what
/// was done to it before is done still, and this lane's impairment after it. Asked in this order
/// ahead of the filters that are there, any first part of the rules leaves each packet either with
/// all of that or as it was: so adding goes from the front and removing from the back.
/// @errors conflict  a packet that this lane must let through is impaired by another; two netems of
///                   which one duplicates; a rate that would have to be shared between ifbs; more
///                   combinations than kMostJoints, or more rules than kMostRules
[[nodiscard]] Result<LaneRules> lane_rules(const LaneTraffic& traffic, LaneTraits traits,
                                           const std::vector<kernel::Filter>& filters,
                                           const std::string& device);

/// Of one side: four lanes on the same packets need seven.
inline constexpr std::size_t kMostJoints = 8;
inline constexpr std::size_t kMostRules = 1024;

}  // namespace firedrill::agent
