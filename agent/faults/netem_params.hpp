// The netem fault's parameters: their table, the rules between them, and what they mean to the
// kernel. Pure; touches no host.
#pragma once

#include <span>
#include <vector>

#include "agent/kernel/netem.hpp"
#include "agent/kernel/types.hpp"
#include "firedrill/schema.hpp"

namespace firedrill::agent {

/// More filters than this on one side would make every packet slow: a fault of its own.
inline constexpr std::size_t kMaxMatches = 256;

[[nodiscard]] std::span<const ParamSpec> netem_schema();

/// Refuses what the table alone lets through: nothing impaired, jitter without delay, ports without
/// a protocol, a loss model's numbers without the model, addresses of two families, …
[[nodiscard]] Result<void> check_netem(const Params& params);

/// The same, but may impair nothing: as a ramp from zero does at its start.
[[nodiscard]] Result<void> check_netem_rules(const Params& params);

/// Needs parameters that check_netem() accepted.
[[nodiscard]] kernel::NetemSpec netem_spec(const Params& params);

/// Both for direction "both".
[[nodiscard]] std::vector<kernel::Side> netem_sides(const Params& params);

/// The packets to impair on one side. With direction "both" the ingress side takes the answers to
/// what the egress side takes: source and destination change places. Else packets' own fields
/// count. Without addresses: all of IPv4 and IPv6, and so never ARP.
/// @errors invalid_input  an address that does not parse, or families that never meet
[[nodiscard]] Result<std::vector<kernel::FlowMatch>> netem_matches(const Params& params,
                                                                   kernel::Side side);

}  // namespace firedrill::agent
