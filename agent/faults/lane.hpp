// A lane of our own beside the host's traffic control: matched packets are redirected, by filters
// of ours in the interface's clsact, to an ifb of ours whose root is netem. The interface's root
// qdisc, its classes and its other filters are never touched (design.md §5, kernel-facts §2, §11).
//
// Everything of one lane carries its token: in the ifbs' names and addresses, in the cookie of each
// filter's action. Removal goes by the token alone, so it works from any half-built state.
//
// Our filters stand behind all filters the host has, so that those see each packet as before.
//
// Several lanes may take the same packets. The later one then makes further ifbs, its joints: each
// does what an ifb of the other lanes does and, inside that, what the later lane does; its filters
// stand ahead of theirs (lane_rules.hpp). A filter only ever leads to an ifb of its own lane. Each
// netem has the handle of the lane whose impairment it is, in whatever ifb it stands: a lane that
// goes makes its netems in the joints of others neutral and leaves those to their owner.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/fault.hpp"
#include "agent/host.hpp"

namespace firedrill::agent {

/// Who made the interface's clsact qdisc.
enum class ClsactOwner : std::uint8_t {
  host,       ///< it was there before any lane: it stays
  firedrill,  ///< absent, or made by another lane: the last lane that leaves removes it
};

/// What decides beside which other lanes one can be, over all of its ramp.
struct LaneTraits {
  bool duplicates = false;  ///< such a netem stands alone [kernel-facts §2]
  bool rated = false;       ///< its packets must all go through one ifb
  bool operator==(const LaneTraits&) const = default;
};
[[nodiscard]] LaneTraits lane_traits(const kernel::NetemSpec& peak);

/// What building and removing need; the undo record is this.
struct Lane {
  std::uint32_t token = 0;
  LaneTraits traits;
  kernel::NamespaceId where;
  std::string device;  ///< its name when captured, for people
  kernel::IfIndex index;
  std::vector<kernel::Side> sides;
  ClsactOwner clsact = ClsactOwner::host;
  Duration drain{};                     ///< how long removal waits for packets under way
  std::vector<std::string> host_state;  ///< the interface's own traffic control, a line an object
};

[[nodiscard]] Json to_json(const Lane& lane);
/// @errors corrupt
[[nodiscard]] Result<Lane> parse_lane(const Json& record);

/// The packets of one side, and which of them stay out of the lane.
struct LaneTraffic {
  kernel::Side side = kernel::Side::egress;
  std::vector<kernel::FlowMatch> impaired;
  std::vector<kernel::FlowMatch> exempted;  ///< let through, where an impaired match meets one
};

/// What never goes into a lane: each peer's connection, IPv6 neighbour discovery (ARP is no IP and
/// never matches), and these TCP ports of this host: its SSH server's and what its owner names.
[[nodiscard]] std::vector<kernel::FlowMatch> exempted_matches(
    const std::vector<kernel::Endpoint>& peers, const std::vector<std::uint16_t>& ports,
    kernel::Side side);

/// Looks at the host and plans a lane. Reads only.
/// @errors not_found    no such interface
///         conflict     another lane takes some of the same packets and the two cannot be composed,
///                      or an ingress qdisc is in the place of clsact
[[nodiscard]] Result<Lane> plan_lane(Host& host, const std::string& device, Duration drain,
                                     LaneTraits traits, const std::vector<LaneTraffic>& traffic);

/// Builds it: ifbs with netem, then clsact, then the filters in their order. Stops where it fails.
/// Returns what was read back.
/// @errors as plan_lane; unsupported  the kernel kept other netem settings than asked
[[nodiscard]] Result<Json> build_lane(Host& host, const Lane& lane, const kernel::NetemSpec& spec,
                                      const std::vector<LaneTraffic>& traffic);

/// Changes what happens in the lane that is there, in place and in every joint: packets in it keep
/// the times they were given, and none is lost by the change. Returns what was read back.
/// @errors conflict     the lane is not there any more: somebody removed it
///         unsupported  the kernel kept other netem settings than asked
[[nodiscard]] Result<Json> change_lane(Host& host, const Lane& lane, const kernel::NetemSpec& spec);

/// Removes it: makes its netems in joints of other lanes neutral; then its filters from the last to
/// the first (a redirect without its ifb is a black hole); lets packets under way out; then the
/// ifbs, and clsact when nobody needs it. Idempotent.
[[nodiscard]] Result<UndoOutcome> remove_lane(Host& host, const Lane& lane);

/// What is left of the lane, and what of the host's own differs from the record.
[[nodiscard]] Result<Verification> verify_lane(Host& host, const Lane& lane);

/// Builds and removes, on an ifb of its own, all the pieces a lane needs.
[[nodiscard]] Support probe_lane_support(Host& host);

}  // namespace firedrill::agent
