// Reading lanes and the host's own traffic control back from the kernel. Changes nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/faults/lane.hpp"

namespace firedrill::agent {

/// The netem of that lane, in whatever ifb of ours: its major number is of the token's lower half.
/// plan_lane chooses tokens so that no two lanes share one.
[[nodiscard]] std::uint32_t lane_handle(std::uint32_t token);

/// The group that a lane's ifbs are in, so that they can go in one operation.
[[nodiscard]] std::uint32_t lane_group(std::uint32_t token);

/// "fd1a2b3c4de": `role` is 'e' or 'i' for the sides, 'p' for the support probe, and what
/// joint_role() gives.
[[nodiscard]] std::string lane_ifb_name(std::uint32_t token, char role);
[[nodiscard]] kernel::MacAddress lane_ifb_address(std::uint32_t token, char role);
[[nodiscard]] char lane_role(kernel::Side side);
/// Of a lane's joints on one side, `number` from 0 to kMostJoints - 1.
[[nodiscard]] char joint_role(kernel::Side side, std::size_t number);
/// Is this link the ifb of that token and role? By kind, name and address.
[[nodiscard]] bool is_lane_ifb(const kernel::Link& link, std::uint32_t token, char role);
struct LaneIfb {
  std::uint32_t token = 0;
  char role = 0;
};
/// Whose ifb this link is; none for any other link.
[[nodiscard]] std::optional<LaneIfb> lane_ifb(const kernel::Link& link);

/// The netems of one of our ifbs, the outermost first: packets go through them in this order.
/// @errors corrupt, unsupported  as parse_netem
struct LaneNetem {
  std::uint32_t handle = 0;
  kernel::NetemSpec spec;
};
[[nodiscard]] Result<std::vector<LaneNetem>> lane_netems(Network& network, kernel::IfIndex ifb);
/// Lets every packet through at once, however many can wait.
[[nodiscard]] bool is_neutral(kernel::NetemSpec spec);

/// Marks a filter as of that lane and says whether Firedrill made the clsact it is in, so that a
/// lane that comes later knows: at most 16 bytes.
[[nodiscard]] std::string lane_cookie(std::uint32_t token, ClsactOwner owner, LaneTraits traits);
struct LaneMark {
  std::uint32_t token = 0;
  ClsactOwner owner = ClsactOwner::host;
  LaneTraits traits;
};
/// None for a filter that is not of any lane.
[[nodiscard]] std::optional<LaneMark> lane_mark(const kernel::Filter& filter);

/// One interface's traffic control as it is now.
struct TrafficControl {
  std::vector<kernel::Qdisc> qdiscs;
  std::vector<std::string> classes;
  std::vector<kernel::Filter> egress;
  std::vector<kernel::Filter> ingress;

  [[nodiscard]] const std::vector<kernel::Filter>& filters(kernel::Side side) const {
    return side == kernel::Side::egress ? egress : ingress;
  }
  /// "clsact", "ingress" or empty.
  [[nodiscard]] std::string ingress_kind() const;
  [[nodiscard]] bool has_foreign_filters() const;
  [[nodiscard]] bool has_lane_filters() const;
};
[[nodiscard]] Result<TrafficControl> read_traffic_control(Network& network, kernel::IfIndex link);

/// Who made the clsact that is there, or will make it.
[[nodiscard]] ClsactOwner clsact_owner(const TrafficControl& state);

/// The host's own objects, a sorted line each; lanes, and a clsact that only lanes use, left out.
[[nodiscard]] std::vector<std::string> host_lines(const TrafficControl& state, ClsactOwner owner);

/// "gone: …" and "new: …" for each line of one list that the other lacks.
[[nodiscard]] std::vector<std::string> differing_lines(const std::vector<std::string>& before,
                                                       const std::vector<std::string>& now);

}  // namespace firedrill::agent
