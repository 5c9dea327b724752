#include "agent/faults/lane_plan.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace firedrill::agent {
namespace {

using kernel::Filter;
using kernel::IfIndex;
using kernel::Side;

/// Where lanes start when the host has no filter: behind what people number by hand, and ahead of
/// what tc(8) numbers by itself (49152 and down).
constexpr std::uint32_t kFirstPref = 0x5100;
constexpr std::uint32_t kLastPref = 0xFFFF;
/// Left free ahead of the first lane, for lanes that come later and share its packets.
constexpr std::uint32_t kRoomAhead = 1024;

Result<void> check_clsact_place(const TrafficControl& state,
                                const std::vector<LaneTraffic>& traffic,
                                const std::string& device) {
  const bool egress = std::ranges::find(traffic, Side::egress, &LaneTraffic::side) != traffic.end();
  if (!egress || state.ingress_kind() != "ingress") return {};
  return fail(ErrorCode::conflict,
              fmt::format("'{}' has an ingress qdisc where clsact would go: only direction "
                          "ingress is possible",
                          device));
}

/// Behind everything the host has and, for a lane that shares packets, ahead of every other lane.
Result<LanePrefs> free_prefs(const TrafficControl& state, const std::vector<LaneRules>& rules) {
  std::size_t steps = 0;
  bool shares = false;
  for (const LaneRules& side : rules) {
    steps = std::max(steps, side.steps);
    shares = shares || !side.over.empty();
  }
  std::uint32_t behind = kFirstPref;
  std::uint32_t host = 0;
  std::uint32_t lanes = kLastPref + 1;
  for (const Side side : {Side::egress, Side::ingress})
    for (const Filter& filter : state.filters(side)) {
      behind = std::max(behind, std::uint32_t{filter.pref} + 1);
      if (lane_mark(filter)) lanes = std::min(lanes, std::uint32_t{filter.pref});
      else host = std::max(host, std::uint32_t{filter.pref});
    }
  const auto needed = static_cast<std::uint32_t>(2 * steps);  // for IPv4 and for IPv6
  if (shares) {
    if (lanes > host + needed) return LanePrefs{static_cast<std::uint16_t>(lanes - needed), needed};
    return fail(ErrorCode::conflict,
                fmt::format("no {} preferences are free between the host's last clsact filter "
                            "({}) and the lanes that match the same packets ({})",
                            needed, host, lanes));
  }
  if (lanes > kLastPref && behind + kRoomAhead + needed - 1 <= kLastPref) behind += kRoomAhead;
  if (behind + needed - 1 <= kLastPref)
    return LanePrefs{static_cast<std::uint16_t>(behind), needed};
  return fail(ErrorCode::conflict, "the host's last clsact filter leaves no preference behind it");
}

/// Handles of all netems in ifbs of ours, on whatever interface.
Result<std::set<std::uint32_t>> handles_in_use(Network& network) {
  std::set<std::uint32_t> out;
  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  for (const kernel::Link& link : *links) {
    if (!lane_ifb(link)) continue;
    const auto netems = lane_netems(network, link.index);
    if (!netems) return std::unexpected(netems.error());
    for (const LaneNetem& netem : *netems) out.insert(netem.handle);
  }
  return out;
}

}  // namespace

Result<LanePlan> lane_plan(Network& network, IfIndex link, const std::string& device,
                           LaneTraits traits, const std::vector<LaneTraffic>& traffic) {
  LanePlan plan;
  auto state = read_traffic_control(network, link);
  if (!state) return std::unexpected(state.error());
  plan.state = std::move(*state);
  for (const LaneTraffic& one : traffic) {
    auto rules = lane_rules(one, traits, plan.state.filters(one.side), device);
    if (!rules) return std::unexpected(rules.error());
    plan.rules.push_back(std::move(*rules));
  }
  if (auto place = check_clsact_place(plan.state, traffic, device); !place)
    return std::unexpected(place.error());
  const auto prefs = free_prefs(plan.state, plan.rules);
  if (!prefs) return std::unexpected(prefs.error());
  plan.prefs = *prefs;
  return plan;
}

std::set<std::uint32_t> lane_handles(const TrafficControl& state) {
  std::set<std::uint32_t> out;
  for (const Side side : {Side::egress, Side::ingress})
    for (const Filter& filter : state.filters(side))
      if (const auto mark = lane_mark(filter)) out.insert(lane_handle(mark->token));
  return out;
}

Result<std::uint32_t> free_token(Host& host) {
  const auto used = handles_in_use(host.network());
  if (!used) return std::unexpected(used.error());
  std::uint32_t token = host.fresh_token();
  while (used->contains(lane_handle(token))) token = host.fresh_token();
  return token;
}

}  // namespace firedrill::agent
