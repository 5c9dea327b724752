#include "agent/faults/netem.hpp"

#include <algorithm>

#include "agent/faults/lane.hpp"
#include "agent/faults/netem_params.hpp"

namespace firedrill::agent {
namespace {

/// Undo waits for delayed packets, but no longer than this: beyond it they are lost, as after any
/// delay that long most of their senders have given up.
constexpr Duration kLongestDrain = std::chrono::seconds(5);
constexpr Duration kDrainSlack = std::chrono::milliseconds(250);

Duration drain_for(const kernel::NetemSpec& spec) {
  if (spec.rate_bytes != 0) return kLongestDrain;  // a queue at a rate can be far longer
  return std::min(kLongestDrain, spec.delay + spec.jitter + kDrainSlack);
}

Result<std::vector<LaneTraffic>> traffic_of(Host& host, const Params& params) {
  std::vector<LaneTraffic> out;
  const std::vector<std::uint16_t> ports = host.protected_ports(params.flag("protect-ssh"));
  for (const kernel::Side side : netem_sides(params)) {
    auto matches = netem_matches(params, side);
    if (!matches) return std::unexpected(matches.error());
    out.push_back(
        {side, std::move(*matches), exempted_matches(host.protected_peers(), ports, side)});
  }
  return out;
}

}  // namespace

std::string_view Netem::summary() const {
  return "Loses, delays, duplicates, corrupts, reorders or slows packets of one interface";
}

std::span<const ParamSpec> Netem::schema() const { return netem_schema(); }

Json Netem::example() const {
  return Json{{"device", "eth0"},
              {"direction", "egress"},
              {"destination", {"10.0.0.0/24"}},
              {"protocol", "tcp"},
              {"destination-port", {2380}},
              {"loss", "5%"},
              {"delay", "100ms"},
              {"jitter", "10ms"}};
}

Support Netem::probe_support(Host& host) const { return probe_lane_support(host); }

Result<void> Netem::check(const Params& params) const { return check_netem(params); }

Result<void> Netem::check_step(const Params& params) const { return check_netem_rules(params); }

std::vector<std::string> Netem::exclusive_resources(const Params&) const { return {}; }

Result<Json> Netem::capture(Host& host, const Params& params) const {
  const auto traffic = traffic_of(host, params);
  if (!traffic) return std::unexpected(traffic.error());
  const kernel::NetemSpec peak = netem_spec(params);
  const auto lane =
      plan_lane(host, params.text("device"), drain_for(peak), lane_traits(peak), *traffic);
  if (!lane) return std::unexpected(lane.error());
  return to_json(*lane);
}

Result<Json> Netem::apply(Host& host, const Params& params, const Json& record) const {
  const auto lane = parse_lane(record);
  if (!lane) return std::unexpected(lane.error());
  const auto traffic = traffic_of(host, params);
  if (!traffic) return std::unexpected(traffic.error());
  return build_lane(host, *lane, netem_spec(params), *traffic);
}

Result<Json> Netem::adjust(Host& host, const Params& params, const Json& record) const {
  const auto lane = parse_lane(record);
  if (!lane) return std::unexpected(lane.error());
  return change_lane(host, *lane, netem_spec(params));
}

Result<UndoOutcome> Netem::undo(Host& host, const Json& record) const {
  auto lane = parse_lane(record);
  if (!lane) return std::unexpected(lane.error());
  // A ramp may have started from a longer delay; an empty lane is not waited for.
  if (record.contains("ramp")) lane->drain = kLongestDrain;
  return remove_lane(host, *lane);
}

Result<Verification> Netem::verify(Host& host, const Json& record) const {
  const auto lane = parse_lane(record);
  if (!lane) return std::unexpected(lane.error());
  return verify_lane(host, *lane);
}

}  // namespace firedrill::agent
