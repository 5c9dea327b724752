// Planning a lane, and its record.
#include "agent/faults/lane.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <netinet/in.h>

#include "agent/faults/lane_plan.hpp"
#include "agent/faults/links.hpp"
#include "agent/faults/record.hpp"

namespace firedrill::agent {
namespace {

using kernel::FlowMatch;
using kernel::Side;

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

}  // namespace

std::vector<FlowMatch> exempted_matches(const std::vector<kernel::Endpoint>& peers,
                                        const std::vector<std::uint16_t>& ports, Side side) {
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
  for (const std::uint16_t port : ports)
    for (const bool v6 : {false, true}) {
      FlowMatch match;
      match.v6 = v6;
      match.protocol = IPPROTO_TCP;
      (out ? match.source_port : match.destination_port) = port;
      matches.push_back(match);
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

LaneTraits lane_traits(const kernel::NetemSpec& peak) {
  return {.duplicates = peak.duplicate.value != 0, .rated = peak.rate_bytes != 0};
}

Result<Lane> plan_lane(Host& host, const std::string& device, Duration drain, LaneTraits traits,
                       const std::vector<LaneTraffic>& traffic) {
  Lane lane;
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto link = find_link(host.network(), device);
  if (!link) return std::unexpected(link.error());
  const auto plan = lane_plan(host.network(), link->index, device, traits, traffic);
  if (!plan) return std::unexpected(plan.error());
  const auto token = free_token(host);
  if (!token) return std::unexpected(token.error());
  lane.token = *token;
  lane.traits = traits;
  lane.where = *where;
  lane.device = device;
  lane.index = link->index;
  for (const LaneTraffic& one : traffic) lane.sides.push_back(one.side);
  lane.clsact = clsact_owner(plan->state);
  lane.drain = drain;
  lane.host_state = host_lines(plan->state, lane.clsact);
  return lane;
}

Json to_json(const Lane& lane) {
  Json sides = Json::array();
  for (const Side side : lane.sides) sides.push_back(to_string(side));
  return Json{{"token", lane.token},
              {"duplicates", lane.traits.duplicates},
              {"rated", lane.traits.rated},
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
  // Older records do not say.
  const auto said = [&record](const char* trait) {
    return record.is_object() && record.value(trait, Json()) == Json(true);
  };
  lane.traits = {.duplicates = said("duplicates"), .rated = said("rated")};
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
