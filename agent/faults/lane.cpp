// Planning and building a lane.
#include "agent/faults/lane.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <netinet/in.h>

#include "agent/faults/lane_state.hpp"
#include "agent/faults/links.hpp"
#include "agent/faults/netem_params.hpp"
#include "agent/faults/record.hpp"

namespace firedrill::agent {
namespace {

using kernel::Filter;
using kernel::FlowMatch;
using kernel::IfIndex;
using kernel::Side;

/// Where lanes start when the host has no filter: behind what people number by hand, and ahead of
/// what tc(8) numbers by itself (49152 and down).
constexpr std::uint32_t kFirstPref = 0x5100;
constexpr std::uint32_t kPrefsOfLane = 4;  // exempt and redirect, for IPv4 and IPv6

constexpr std::uint16_t kSshPort = 22;
constexpr std::uint8_t kFirstNeighbourType = 133;  // ICMPv6: router solicitation …
constexpr std::uint8_t kLastNeighbourType = 137;   // … to redirect (RFC 4861)

/// An IPv4 peer of a socket that speaks both families shows as ::ffff:a.b.c.d; its packets are
/// IPv4.
kernel::IpAddress unmapped(const kernel::IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (!address.v6 || !std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin()))
    return address;
  kernel::IpAddress out;
  std::copy_n(address.bytes.begin() + 12, 4, out.bytes.begin());
  return out;
}

/// Refuses when another lane would take some of the same packets first: then neither would do what
/// it says.
Result<void> check_overlap(const TrafficControl& state, const std::vector<LaneTraffic>& traffic,
                           const std::string& device) {
  for (const LaneTraffic& one : traffic)
    for (const Filter& filter : state.filters(one.side)) {
      const auto mark = lane_mark(filter);
      if (!mark || !filter.redirect_to) continue;
      for (const FlowMatch& match : one.impaired)
        if (overlaps(match, filter.match))
          return fail(ErrorCode::conflict,
                      fmt::format("'{}' {}: '{}' and '{}' of the lane {:08x} that is already on "
                                  "match the same packets; only one can impair them",
                                  device, to_string(one.side), to_string(match),
                                  to_string(filter.match), mark->token));
    }
  return {};
}

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

/// The first of kPrefsOfLane preferences behind everything that is there.
Result<std::uint16_t> free_prefs(const TrafficControl& state) {
  std::uint32_t first = kFirstPref;
  for (const Side side : {Side::egress, Side::ingress})
    for (const Filter& filter : state.filters(side))
      first = std::max(first, std::uint32_t{filter.pref} + 1);
  if (first + kPrefsOfLane - 1 <= 0xFFFF) return static_cast<std::uint16_t>(first);
  return fail(ErrorCode::conflict, "the host's last clsact filter leaves no preference behind it");
}

/// The filters of one side, exemptions first. What is exempted is only what would be impaired, so
/// that other lanes and other filters are not kept from packets that are none of our business.
std::vector<Filter> filters_of(const Lane& lane, const LaneTraffic& traffic, std::uint16_t pref,
                               IfIndex ifb) {
  std::vector<FlowMatch> exempted;
  for (const FlowMatch& impaired : traffic.impaired)
    for (const FlowMatch& exempt : traffic.exempted)
      if (const auto both = intersection(impaired, exempt)) exempted.push_back(*both);
  std::ranges::sort(exempted);
  const auto same = std::ranges::unique(exempted);
  exempted.erase(same.begin(), same.end());

  std::vector<Filter> out;
  const auto add = [&](const FlowMatch& match, int offset, std::optional<IfIndex> target) {
    Filter filter;
    filter.pref = static_cast<std::uint16_t>(pref + offset + (match.v6 ? 1 : 0));
    filter.match = match;
    filter.redirect_to = target;
    filter.cookie = lane_cookie(lane.token, lane.clsact);
    out.push_back(std::move(filter));
  };
  for (const FlowMatch& match : exempted) add(match, 0, std::nullopt);
  for (const FlowMatch& match : traffic.impaired) add(match, 2, ifb);
  return out;
}

/// The interface as it is now, still the one that was captured.
Result<TrafficControl> look_again(Host& host, const Lane& lane,
                                  const std::vector<LaneTraffic>& traffic) {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto link = find_link(host.network(), lane.index);
  if (!link) return std::unexpected(link.error());
  if (*where != lane.where || !*link || (*link)->name != lane.device)
    return fail(ErrorCode::not_found, fmt::format("interface '{}' ({}) is not what it was",
                                                  lane.device, lane.index.value));
  auto state = read_traffic_control(host.network(), lane.index);
  if (!state) return state;
  if (auto free = check_overlap(*state, traffic, lane.device); !free)
    return std::unexpected(free.error());
  if (auto place = check_clsact_place(*state, traffic, lane.device); !place)
    return std::unexpected(place.error());
  if (lane.clsact == ClsactOwner::host && state->ingress_kind().empty())
    return fail(ErrorCode::conflict,
                fmt::format("the clsact of '{}' has gone since it was captured", lane.device));
  if (lane.clsact == ClsactOwner::firedrill && clsact_owner(*state) == ClsactOwner::host)
    return fail(ErrorCode::conflict,
                fmt::format("the host has put a clsact on '{}' since it was captured: prepare "
                            "again, so that undo knows to leave it",
                            lane.device));
  return state;
}

Result<IfIndex> build_ifb(Host& host, const Lane& lane, Side side, const kernel::NetemSpec& spec) {
  const char role = lane_role(side);
  Network& network = host.network();
  const auto ifb =
      network.create_ifb(lane_ifb_name(lane.token, role), lane_ifb_address(lane.token, role));
  if (!ifb) return ifb;
  if (auto set = network.add_netem(*ifb, kLaneHandle, spec); !set)
    return std::unexpected(set.error());
  const std::string alias =
      fmt::format("firedrill lane {:08x}: {} {}", lane.token, lane.device, to_string(side));
  if (auto up = network.start_ifb(*ifb, alias); !up) return std::unexpected(up.error());
  return ifb;
}

/// Is netem in the ifb as it was asked for?
Result<void> check_netem_kept(Network& network, IfIndex ifb, const kernel::NetemSpec& spec) {
  const auto link = find_link(network, ifb);
  if (!link) return std::unexpected(link.error());
  const auto qdiscs = network.qdiscs(ifb);
  if (!qdiscs) return std::unexpected(qdiscs.error());
  const auto root = std::ranges::find(*qdiscs, kLaneHandle, &kernel::Qdisc::handle);
  if (!*link || !(*link)->up || root == qdiscs->end())
    return fail(ErrorCode::io_failed, "the ifb of the lane is not up with netem at its root");
  const auto kept = kernel::parse_netem(root->options);
  if (!kept) return std::unexpected(kept.error());
  if (*kept != spec)
    return fail(ErrorCode::unsupported, fmt::format("asked netem for '{}', the kernel kept '{}'",
                                                    to_string(spec), to_string(*kept)));
  return {};
}

/// What the kernel kept, or an error when that is not what was asked.
Result<void> check_kept(Network& network, const Lane& lane, const LaneTraffic& traffic, IfIndex ifb,
                        std::size_t filters, const kernel::NetemSpec& spec) {
  if (auto kept = check_netem_kept(network, ifb, spec); !kept) return kept;
  const auto now = network.filters(lane.index, traffic.side);
  if (!now) return std::unexpected(now.error());
  const auto ours = std::ranges::count_if(*now, [&lane](const Filter& filter) {
    const auto mark = lane_mark(filter);
    return mark && mark->token == lane.token;
  });
  if (static_cast<std::size_t>(ours) == filters) return {};
  return fail(ErrorCode::io_failed,
              fmt::format("{} of {} filters are there after adding them", ours, filters));
}

}  // namespace

std::vector<FlowMatch> exempted_matches(const std::vector<kernel::Endpoint>& peers, bool ssh,
                                        Side side) {
  const bool out = side == Side::egress;
  std::vector<FlowMatch> matches;
  for (const kernel::Endpoint& peer : peers) {
    const kernel::IpAddress address = unmapped(peer.address);
    const kernel::IpPrefix host{address, static_cast<std::uint8_t>(address.v6 ? 128 : 32)};
    FlowMatch match;
    match.v6 = address.v6;
    match.protocol = IPPROTO_TCP;
    (out ? match.destination : match.source) = host;
    (out ? match.destination_port : match.source_port) = peer.port;
    matches.push_back(match);
  }
  for (const bool v6 : {false, true}) {
    FlowMatch match;
    match.v6 = v6;
    match.protocol = IPPROTO_TCP;
    (out ? match.source_port : match.destination_port) = kSshPort;
    if (ssh) matches.push_back(match);
  }
  for (std::uint8_t type = kFirstNeighbourType; type <= kLastNeighbourType; ++type) {
    FlowMatch match;
    match.v6 = true;
    match.protocol = IPPROTO_ICMPV6;
    match.icmp_type = type;
    matches.push_back(match);
  }
  return matches;
}

Result<Lane> plan_lane(Host& host, const std::string& device, Duration drain,
                       const std::vector<LaneTraffic>& traffic) {
  Lane lane;
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto link = find_link(host.network(), device);
  if (!link) return std::unexpected(link.error());
  const auto state = read_traffic_control(host.network(), link->index);
  if (!state) return std::unexpected(state.error());
  if (auto free = check_overlap(*state, traffic, device); !free)
    return std::unexpected(free.error());
  if (auto place = check_clsact_place(*state, traffic, device); !place)
    return std::unexpected(place.error());
  if (auto prefs = free_prefs(*state); !prefs) return std::unexpected(prefs.error());
  lane.token = host.fresh_token();
  lane.where = *where;
  lane.device = device;
  lane.index = link->index;
  for (const LaneTraffic& one : traffic) lane.sides.push_back(one.side);
  lane.clsact = clsact_owner(*state);
  lane.drain = drain;
  lane.host_state = host_lines(*state, lane.clsact);
  return lane;
}

Result<Json> build_lane(Host& host, const Lane& lane, const kernel::NetemSpec& spec,
                        const std::vector<LaneTraffic>& traffic) {
  Network& network = host.network();
  const auto state = look_again(host, lane, traffic);
  if (!state) return std::unexpected(state.error());
  const auto pref = free_prefs(*state);
  if (!pref) return std::unexpected(pref.error());

  std::vector<IfIndex> ifbs;
  for (const LaneTraffic& one : traffic) {
    const auto ifb = build_ifb(host, lane, one.side, spec);
    if (!ifb) return std::unexpected(ifb.error());
    ifbs.push_back(*ifb);
  }
  if (state->ingress_kind().empty())
    if (auto added = network.add_clsact(lane.index); !added) return std::unexpected(added.error());

  std::size_t redirects = 0;
  std::size_t exemptions = 0;
  for (std::size_t i = 0; i < traffic.size(); ++i) {
    const std::vector<Filter> filters = filters_of(lane, traffic[i], *pref, ifbs[i]);
    for (const Filter& filter : filters)
      if (auto added = network.add_filter(lane.index, traffic[i].side, filter); !added)
        return std::unexpected(added.error());
    redirects += traffic[i].impaired.size();
    exemptions += filters.size() - traffic[i].impaired.size();
    if (auto kept = check_kept(network, lane, traffic[i], ifbs[i], filters.size(), spec); !kept)
      return std::unexpected(kept.error());
  }
  std::size_t ahead = 0;  // a host's filter that ends the search there hides packets from the lane
  for (const LaneTraffic& one : traffic)
    ahead += std::ranges::count_if(state->filters(one.side),
                                   [](const Filter& filter) { return !lane_mark(filter); });
  return Json{{"device", lane.device},
              {"ifindex", lane.index.value},
              {"lane", fmt::format("{:08x}", lane.token)},
              {"netem", to_string(spec)},
              {"redirects", redirects},
              {"exemptions", exemptions},
              {"host_filters_ahead", ahead}};
}

Result<Json> change_lane(Host& host, const Lane& lane, const kernel::NetemSpec& spec) {
  Network& network = host.network();
  const auto where = network.namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  for (const Side side : lane.sides) {
    const auto ifb = std::ranges::find_if(*links, [&](const kernel::Link& link) {
      return is_lane_ifb(link, lane.token, lane_role(side));
    });
    if (*where != lane.where || ifb == links->end())
      return fail(ErrorCode::conflict,
                  fmt::format("the lane on '{}' is not there any more", lane.device));
    if (auto changed = network.change_netem(ifb->index, kLaneHandle, spec); !changed)
      return std::unexpected(changed.error());
    if (auto kept = check_netem_kept(network, ifb->index, spec); !kept)
      return std::unexpected(kept.error());
  }
  return Json{{"device", lane.device},
              {"ifindex", lane.index.value},
              {"lane", fmt::format("{:08x}", lane.token)},
              {"netem", to_string(spec)}};
}

Json to_json(const Lane& lane) {
  Json sides = Json::array();
  for (const Side side : lane.sides) sides.push_back(to_string(side));
  return Json{{"token", lane.token},
              {"boot_id", lane.where.boot},
              {"namespace", lane.where.inode},
              {"device", lane.device},
              {"ifindex", lane.index.value},
              {"sides", std::move(sides)},
              {"clsact", lane.clsact == ClsactOwner::host ? "host" : "firedrill"},
              {"drain_us", lane.drain.count()},
              {"host_state", lane.host_state}};
}

Result<Lane> parse_lane(const Json& record) {
  RecordReader reader(record, "netem");
  Lane lane;
  lane.token = reader.number32("token");
  lane.where = reader.namespace_id();
  lane.device = reader.text("device");
  lane.index = {reader.number32("ifindex")};
  for (const std::string& side : reader.texts("sides"))
    lane.sides.push_back(side == "egress" ? Side::egress : Side::ingress);
  lane.clsact = reader.text("clsact") == "host" ? ClsactOwner::host : ClsactOwner::firedrill;
  lane.drain = Duration{static_cast<std::int64_t>(reader.number("drain_us"))};
  lane.host_state = reader.texts("host_state");
  if (auto status = reader.status(); !status) return std::unexpected(status.error());
  return lane;
}

}  // namespace firedrill::agent
