// Removing and verifying a lane, and asking whether this kernel can have one.
#include <algorithm>

#include <fmt/format.h>

#include "agent/faults/lane.hpp"
#include "agent/faults/lane_state.hpp"
#include "agent/faults/links.hpp"
#include "agent/faults/record.hpp"

namespace firedrill::agent {
namespace {

using kernel::Filter;
using kernel::Link;
using kernel::Side;

constexpr char kProbeRole = 'p';

bool is_gone(const Error& error) { return error.code == ErrorCode::not_found; }

/// An object that vanished between looking and deleting is as good as deleted.
Result<void> gone_is_fine(Result<void> result) {
  if (!result && is_gone(result.error())) return {};
  return result;
}

bool of_lane(const Filter& filter, const Lane& lane) {
  const auto mark = lane_mark(filter);
  return mark && mark->token == lane.token;
}

/// Deletes the lane's filters of one side, the last first, so that each packet has all of the lane
/// or nothing of it. True when there was one.
Result<bool> remove_filters(Network& network, const Lane& lane, Side side) {
  auto filters = network.filters(lane.index, side);
  if (!filters) return std::unexpected(filters.error());
  std::erase_if(*filters, [&](const Filter& filter) { return !of_lane(filter, lane); });
  std::ranges::reverse(*filters);  // they come in the order of their preference
  for (const Filter& filter : *filters)
    if (auto gone = gone_is_fine(network.delete_filter(lane.index, side, filter)); !gone)
      return std::unexpected(gone.error());
  return !filters->empty();
}

/// Makes the lane's netems neutral that stand in joints of other lanes. True when one was not.
Result<bool> leave_joints(Network& network, const Lane& lane, const std::vector<Link>& links) {
  bool found = false;
  for (const Link& link : links) {
    const auto whose = lane_ifb(link);
    if (!whose || whose->token == lane.token) continue;
    const auto netems = lane_netems(network, link.index);
    if (!netems && is_gone(netems.error())) continue;
    if (!netems) return std::unexpected(netems.error());
    for (const LaneNetem& netem : *netems) {
      if (netem.handle != lane_handle(lane.token) || is_neutral(netem.spec)) continue;
      found = true;
      if (auto done = network.change_netem(link.index, netem.handle, kernel::NetemSpec{}); !done)
        if (!is_gone(done.error())) return std::unexpected(done.error());
    }
  }
  return found;
}

/// Makes every netem of the ifb neutral, so that it empties. Returns how long that may take: as
/// long as what it did to the packets in it. A courtesy to packets under way: when it fails,
/// removal goes on, for an ifb that stays is worse than a packet that is lost.
Duration let_out(Network& network, kernel::IfIndex ifb, Duration longest) {
  constexpr Duration kMost = std::chrono::seconds(5);
  const auto netems = lane_netems(network, ifb);
  if (!netems) return {};
  for (const LaneNetem& netem : *netems)
    if (!network.change_netem(ifb, netem.handle, kernel::NetemSpec{})) return {};
  // A joint also holds packets that other lanes have delayed, even ones that are gone by now:
  // nothing tells by how much, but no packet comes in any more, so it waits no longer than needed.
  return netems->size() > 1 ? kMost : longest;
}

struct Own {
  kernel::IfIndex index;
  Duration drain;
};

/// In one go where nothing else has come into the lane's group, which is quicker; else one by one.
Result<void> delete_ifbs(Network& network, const Lane& lane, const std::vector<Own>& own,
                         const std::vector<Link>& links) {
  const auto in_group = std::ranges::count(links, lane_group(lane.token), &Link::group);
  const bool all_in_it = std::ranges::all_of(own, [&](const Own& each) {
    const auto link = std::ranges::find(links, each.index, &Link::index);
    return link != links.end() && link->group == lane_group(lane.token);
  });
  if (own.size() > 1 && all_in_it && in_group == std::ssize(own) &&
      network.delete_link_group(lane_group(lane.token)))
    return {};
  for (const Own& each : own)
    if (auto gone = gone_is_fine(network.delete_link(each.index)); !gone) return gone;
  return {};
}

Result<bool> remove_ifbs(Network& network, const Lane& lane, const std::vector<Link>& links) {
  std::vector<Own> own;
  for (const Link& link : links) {
    const auto whose = lane_ifb(link);
    if (!whose || whose->token != lane.token || whose->role == kProbeRole) continue;
    own.push_back({link.index, let_out(network, link.index, lane.drain)});
  }
  for (const auto& [ifb, longest] : own) {
    const auto netems = lane_netems(network, ifb);
    // From the outermost on, as packets go; whether one emptied changes nothing here.
    if (netems)
      for (const LaneNetem& netem : *netems) (void)network.drain(ifb, netem.handle, longest);
  }
  if (auto gone = delete_ifbs(network, lane, own, links); !gone)
    return std::unexpected(gone.error());
  return !own.empty();
}

/// Removes the clsact that lanes share, once nobody has a filter in it.
Result<bool> remove_clsact(Network& network, const Lane& lane) {
  const auto state = read_traffic_control(network, lane.index);
  if (!state) return std::unexpected(state.error());
  if (lane.clsact == ClsactOwner::host || state->ingress_kind() != "clsact") return false;
  if (state->has_foreign_filters() || state->has_lane_filters()) return false;
  if (auto gone = gone_is_fine(network.delete_clsact(lane.index)); !gone)
    return std::unexpected(gone.error());
  return true;
}

Result<RecordScope> scope(Host& host, const Lane& lane) {
  const auto now = host.network().namespace_id();
  if (!now) return std::unexpected(now.error());
  return scope_of(lane.where, *now);
}

/// How the host's own traffic control differs from the record. Nothing of it is ours.
Result<std::vector<std::string>> host_differences(Network& network, const Lane& lane) {
  const auto link = find_link(network, lane.index);
  if (!link) return std::unexpected(link.error());
  if (!*link)
    return std::vector{fmt::format("gone: interface '{}' ({})", lane.device, lane.index.value)};
  const auto state = read_traffic_control(network, lane.index);
  if (!state) return std::unexpected(state.error());
  return differing_lines(lane.host_state, host_lines(*state, lane.clsact));
}

Result<std::vector<std::string>> leftovers(Network& network, const std::vector<Link>& links,
                                           const TrafficControl& state, const Lane& lane) {
  std::vector<std::string> out;
  for (const Side side : {Side::egress, Side::ingress})
    for (const Filter& filter : state.filters(side))
      if (of_lane(filter, lane))
        out.push_back(fmt::format("left: {} filter pref {} '{}'", to_string(side), filter.pref,
                                  to_string(filter.match)));
  for (const Link& link : links) {
    const auto whose = lane_ifb(link);
    if (!whose) continue;
    if (whose->token == lane.token) {
      out.push_back(fmt::format("left: interface '{}'", link.name));
      continue;
    }
    const auto netems = lane_netems(network, link.index);
    if (!netems) return std::unexpected(netems.error());
    for (const LaneNetem& netem : *netems)
      if (netem.handle == lane_handle(lane.token) && !is_neutral(netem.spec))
        out.push_back(fmt::format("left: '{}' in the joint '{}' of another lane",
                                  to_string(netem.spec), link.name));
  }
  const bool clsact = lane.clsact == ClsactOwner::firedrill && state.ingress_kind() == "clsact";
  if (clsact && !state.has_foreign_filters() && !state.has_lane_filters())
    out.push_back(fmt::format("left: clsact on '{}'", lane.device));
  return out;
}

/// The pieces of a lane, on the probe's own ifb instead of a real interface.
Result<void> try_pieces(Network& network, kernel::IfIndex ifb, std::uint32_t token) {
  kernel::NetemSpec spec;
  spec.delay = std::chrono::milliseconds(1);
  if (auto done = network.add_netem(ifb, 0, lane_handle(token), spec); !done) return done;
  if (auto done = network.add_clsact(ifb); !done) return done;
  Filter filter;
  filter.cookie = lane_cookie(token, ClsactOwner::firedrill, {});
  filter.pref = 1;
  if (auto done = network.add_filter(ifb, Side::egress, filter); !done) return done;
  filter.pref = 2;
  filter.redirect_to = ifb;
  return network.add_filter(ifb, Side::ingress, filter);
}

/// Takes away what a probe that was killed half way has left, where there was no scratch network.
Result<void> remove_old_probes(Network& network) {
  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  for (const Link& link : *links)
    if (const auto whose = lane_ifb(link); whose && whose->role == kProbeRole)
      if (auto gone = gone_is_fine(network.delete_link(link.index)); !gone) return gone;
  return {};
}

std::string advice(const Error& error) {
  if (error.code == ErrorCode::permission_denied)
    return error.what + " (the agent needs CAP_NET_ADMIN)";
  return error.what +
         " (needs the kernel's ifb, sch_netem, sch_ingress, cls_flower, act_gact and act_mirred)";
}

}  // namespace

Result<UndoOutcome> remove_lane(Host& host, const Lane& lane) {
  Network& network = host.network();
  const auto where = scope(host, lane);
  if (!where) return std::unexpected(where.error());
  if (*where == RecordScope::before_reboot) return UndoOutcome::already_gone;
  const auto link = find_link(network, lane.index);
  if (!link) return std::unexpected(link.error());

  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  const auto left = leave_joints(network, lane, *links);
  if (!left) return std::unexpected(left.error());
  bool found = *left;
  if (*link)
    for (const Side side : {Side::egress, Side::ingress}) {
      const auto removed = remove_filters(network, lane, side);
      if (!removed && !is_gone(removed.error())) return std::unexpected(removed.error());
      found = found || (removed && *removed);
    }
  const auto ifbs = remove_ifbs(network, lane, *links);
  if (!ifbs) return std::unexpected(ifbs.error());
  found = found || *ifbs;
  if (*link) {
    const auto clsact = remove_clsact(network, lane);
    if (!clsact && !is_gone(clsact.error())) return std::unexpected(clsact.error());
    found = found || (clsact && *clsact);
  }
  const auto differences = host_differences(network, lane);
  if (!differences) return std::unexpected(differences.error());
  if (!differences->empty()) return UndoOutcome::superseded;
  return found ? UndoOutcome::restored : UndoOutcome::already_gone;
}

Result<Verification> verify_lane(Host& host, const Lane& lane) {
  Network& network = host.network();
  const auto where = scope(host, lane);
  if (!where) return std::unexpected(where.error());
  if (*where == RecordScope::before_reboot) return Verification{};
  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  TrafficControl state;
  if (std::ranges::find(*links, lane.index, &Link::index) != links->end()) {
    auto now = read_traffic_control(network, lane.index);
    if (!now) return std::unexpected(now.error());
    state = std::move(*now);
  }
  auto left = leftovers(network, *links, state, lane);
  if (!left) return std::unexpected(left.error());
  Verification out{std::move(*left)};
  const auto differences = host_differences(network, lane);
  if (!differences) return std::unexpected(differences.error());
  out.differences.insert(out.differences.end(), differences->begin(), differences->end());
  return out;
}

Support probe_lane_support(Host& host) {
  if (auto old = remove_old_probes(host.network()); !old) return {false, advice(old.error())};
  const auto scratch = host.scratch_network();
  Network& network = scratch ? **scratch : host.network();
  const std::uint32_t token = host.fresh_token();
  const auto ifb =
      network.create_ifb(lane_ifb_name(token, kProbeRole), lane_ifb_address(token, kProbeRole), 0);
  if (!ifb) return {false, advice(ifb.error())};
  const auto tried = try_pieces(network, *ifb, token);
  const auto removed = gone_is_fine(network.delete_link(*ifb));
  if (!tried) return {false, advice(tried.error())};
  if (!removed) return {false, advice(removed.error())};
  return {true, {}};
}

}  // namespace firedrill::agent
