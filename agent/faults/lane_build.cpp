// Building a lane, and changing what happens in it.
#include <algorithm>

#include <fmt/format.h>

#include "agent/faults/lane.hpp"
#include "agent/faults/lane_plan.hpp"
#include "agent/faults/links.hpp"

namespace firedrill::agent {
namespace {

using kernel::Filter;
using kernel::IfIndex;
using kernel::Side;

/// Has another lane's netem this one's handle? Our own is neutral when it stands in a joint that
/// was made while this lane was on before.
Result<bool> handle_taken(Network& network, const Lane& lane) {
  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  for (const kernel::Link& link : *links) {
    const auto whose = lane_ifb(link);
    if (!whose || whose->token == lane.token) continue;
    const auto netems = lane_netems(network, link.index);
    if (!netems) return std::unexpected(netems.error());
    for (const LaneNetem& netem : *netems)
      if (netem.handle == lane_handle(lane.token) && !is_neutral(netem.spec)) return true;
  }
  return false;
}

/// The interface as it is now, still the one that was captured.
Result<LanePlan> look_again(Host& host, const Lane& lane, const std::vector<LaneTraffic>& traffic) {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto link = find_link(host.network(), lane.index);
  if (!link) return std::unexpected(link.error());
  if (*where != lane.where || !*link || (*link)->name != lane.device)
    return fail(ErrorCode::not_found, fmt::format("interface '{}' ({}) is not what it was",
                                                  lane.device, lane.index.value));
  auto plan = lane_plan(host.network(), lane.index, lane.device, lane.traits, traffic);
  if (!plan) return plan;
  const auto taken = handle_taken(host.network(), lane);
  if (!taken) return std::unexpected(taken.error());
  if (*taken)
    return fail(ErrorCode::conflict, "another lane has taken this one's handle: prepare again");
  if (lane.clsact == ClsactOwner::host && plan->state.ingress_kind().empty())
    return fail(ErrorCode::conflict,
                fmt::format("the clsact of '{}' has gone since it was captured", lane.device));
  if (lane.clsact == ClsactOwner::firedrill && clsact_owner(plan->state) == ClsactOwner::host)
    return fail(ErrorCode::conflict,
                fmt::format("the host has put a clsact on '{}' since it was captured: prepare "
                            "again, so that undo knows to leave it",
                            lane.device));
  return plan;
}

/// One ifb to make, with the netems that packets go through in it.
struct IfbPlan {
  char role = 0;
  std::string alias;
  std::vector<LaneNetem> netems;  ///< the outermost first
};

Result<IfIndex> build_ifb(Network& network, const Lane& lane, const IfbPlan& plan) {
  const auto ifb =
      network.create_ifb(lane_ifb_name(lane.token, plan.role),
                         lane_ifb_address(lane.token, plan.role), lane_group(lane.token));
  if (!ifb) return ifb;
  std::uint32_t parent = 0;
  for (const LaneNetem& netem : plan.netems) {
    if (auto set = network.add_netem(*ifb, parent, netem.handle, netem.spec); !set)
      return std::unexpected(set.error());
    parent = netem.handle;
  }
  if (auto up = network.start_ifb(*ifb, plan.alias); !up) return std::unexpected(up.error());
  return ifb;
}

/// The netems of a joint: those of the lanes that are on, then ours.
Result<std::vector<LaneNetem>> joint_netems(Network& network, const TrafficControl& state,
                                            IfIndex over, const LaneNetem& own) {
  auto netems = lane_netems(network, over);
  if (!netems) return netems;
  const std::set<std::uint32_t> present = lane_handles(state);
  // What lanes have left behind there is neutral; our own may be among it.
  std::erase_if(*netems, [&](const LaneNetem& netem) {
    return netem.handle == own.handle || !present.contains(netem.handle);
  });
  netems->push_back(own);
  return netems;
}

/// Is netem in the ifb as it was asked for?
Result<void> check_netem_kept(Network& network, IfIndex ifb, std::uint32_t handle,
                              const kernel::NetemSpec& spec) {
  const auto link = find_link(network, ifb);
  if (!link) return std::unexpected(link.error());
  const auto netems = lane_netems(network, ifb);
  if (!netems) return std::unexpected(netems.error());
  const auto kept = std::ranges::find(*netems, handle, &LaneNetem::handle);
  if (!*link || !(*link)->up || kept == netems->end())
    return fail(ErrorCode::io_failed, "an ifb of the lane is not up with netem in it");
  if (kept->spec != spec)
    return fail(ErrorCode::unsupported, fmt::format("asked netem for '{}', the kernel kept '{}'",
                                                    to_string(spec), to_string(kept->spec)));
  return {};
}

/// Makes the ifbs of one side: the lane's own, then its joints in the order of `rules.over`.
Result<std::vector<IfIndex>> build_ifbs(Network& network, const Lane& lane, Side side,
                                        const LanePlan& plan, const LaneRules& rules,
                                        const kernel::NetemSpec& spec) {
  const LaneNetem own{lane_handle(lane.token), spec};
  std::vector<IfbPlan> plans{
      {lane_role(side),
       fmt::format("firedrill lane {:08x}: {} {}", lane.token, lane.device, to_string(side)),
       {own}}};
  for (std::size_t i = 0; i < rules.over.size(); ++i) {
    auto netems = joint_netems(network, plan.state, rules.over[i], own);
    if (!netems) return std::unexpected(netems.error());
    plans.push_back({joint_role(side, i),
                     fmt::format("firedrill lane {:08x}: {} {}, after what ifb {} does", lane.token,
                                 lane.device, to_string(side), rules.over[i].value),
                     std::move(*netems)});
  }
  std::vector<IfIndex> ifbs;
  for (const IfbPlan& one : plans) {
    const auto ifb = build_ifb(network, lane, one);
    if (!ifb) return std::unexpected(ifb.error());
    ifbs.push_back(*ifb);
  }
  return ifbs;
}

/// The filters of one side in the order of adding. `ifbs` as build_ifbs() gave them.
std::vector<Filter> filters_of(const Lane& lane, const LaneRules& rules, std::uint16_t pref,
                               const std::vector<IfIndex>& ifbs) {
  std::vector<Filter> out;
  for (const LaneRule& rule : rules.rules) {
    Filter& filter = out.emplace_back();
    filter.pref = static_cast<std::uint16_t>(pref + 2 * rule.step + (rule.match.v6 ? 1 : 0));
    filter.match = rule.match;
    filter.cookie = lane_cookie(lane.token, lane.clsact, lane.traits);
    if (rule.way == LaneRule::Way::pass) continue;
    std::size_t number = 0;
    if (rule.way == LaneRule::Way::joint)
      number = 1 + static_cast<std::size_t>(std::ranges::find(rules.over, rule.over) -
                                            rules.over.begin());
    filter.redirect_to = ifbs[number];
  }
  return out;
}

/// Adds them, and asks whether all are there.
Result<void> put_filters(Network& network, const Lane& lane, Side side,
                         const std::vector<Filter>& filters) {
  for (const Filter& filter : filters)
    if (auto added = network.add_filter(lane.index, side, filter); !added) return added;
  const auto now = network.filters(lane.index, side);
  if (!now) return std::unexpected(now.error());
  const auto ours = std::ranges::count_if(*now, [&lane](const Filter& filter) {
    const auto mark = lane_mark(filter);
    return mark && mark->token == lane.token;
  });
  if (static_cast<std::size_t>(ours) == filters.size()) return {};
  return fail(ErrorCode::io_failed,
              fmt::format("{} of {} filters are there after adding them", ours, filters.size()));
}

}  // namespace

Result<Json> build_lane(Host& host, const Lane& lane, const kernel::NetemSpec& spec,
                        const std::vector<LaneTraffic>& traffic) {
  Network& network = host.network();
  const auto plan = look_again(host, lane, traffic);
  if (!plan) return std::unexpected(plan.error());
  std::vector<std::vector<IfIndex>> ifbs;
  for (std::size_t i = 0; i < traffic.size(); ++i) {
    auto made = build_ifbs(network, lane, traffic[i].side, *plan, plan->rules[i], spec);
    if (!made) return std::unexpected(made.error());
    for (const IfIndex ifb : *made)
      if (auto kept = check_netem_kept(network, ifb, lane_handle(lane.token), spec); !kept)
        return std::unexpected(kept.error());
    ifbs.push_back(std::move(*made));
  }
  if (plan->state.ingress_kind().empty())
    if (auto added = network.add_clsact(lane.index); !added) return std::unexpected(added.error());

  std::size_t redirects = 0;
  std::size_t exemptions = 0;
  std::size_t joints = 0;
  std::size_t ahead = 0;  // a host's filter that ends the search there hides packets from the lane
  for (std::size_t i = 0; i < traffic.size(); ++i) {
    const auto filters = filters_of(lane, plan->rules[i], plan->prefs.first, ifbs[i]);
    if (auto put = put_filters(network, lane, traffic[i].side, filters); !put)
      return std::unexpected(put.error());
    for (const Filter& filter : filters) ++(filter.redirect_to ? redirects : exemptions);
    joints += plan->rules[i].over.size();
    ahead += std::ranges::count_if(plan->state.filters(traffic[i].side),
                                   [](const Filter& filter) { return !lane_mark(filter); });
  }
  Json values{{"device", lane.device},
              {"ifindex", lane.index.value},
              {"lane", fmt::format("{:08x}", lane.token)},
              {"netem", to_string(spec)},
              {"redirects", redirects},
              {"exemptions", exemptions},
              {"host_filters_ahead", ahead}};
  if (joints > 0) values["joints"] = joints;
  return values;
}

Result<Json> change_lane(Host& host, const Lane& lane, const kernel::NetemSpec& spec) {
  Network& network = host.network();
  const auto where = network.namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  const std::uint32_t handle = lane_handle(lane.token);
  std::size_t own = 0;
  for (const kernel::Link& link : *links) {
    const auto whose = lane_ifb(link);
    if (!whose || *where != lane.where) continue;
    if (whose->token != lane.token) {
      const auto netems = lane_netems(network, link.index);
      if (!netems) return std::unexpected(netems.error());
      if (std::ranges::find(*netems, handle, &LaneNetem::handle) == netems->end()) continue;
    }
    if (auto changed = network.change_netem(link.index, handle, spec); !changed)
      return std::unexpected(changed.error());
    if (auto kept = check_netem_kept(network, link.index, handle, spec); !kept)
      return std::unexpected(kept.error());
    for (const Side side : lane.sides)
      if (is_lane_ifb(link, lane.token, lane_role(side))) ++own;
  }
  if (own != lane.sides.size())
    return fail(ErrorCode::conflict,
                fmt::format("the lane on '{}' is not there any more", lane.device));
  return Json{{"device", lane.device},
              {"ifindex", lane.index.value},
              {"lane", fmt::format("{:08x}", lane.token)},
              {"netem", to_string(spec)}};
}

}  // namespace firedrill::agent
