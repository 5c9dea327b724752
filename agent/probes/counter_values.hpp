// From two readings of counters to a sample's values. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/probes/paced_session.hpp"

namespace firedrill::agent {

using Counters = std::map<std::string, std::uint64_t>;

/// rx_dropped, rx_errors, tx_dropped of the kernel, the counters in `chosen` under their own
/// names, and each again with "_per_s" for its rate since `before`. A counter that went backwards
/// (the driver was reset) has no rate this time.
[[nodiscard]] Values nic_values(const Counters& before, const Counters& now,
                                std::optional<Duration> elapsed,
                                const std::vector<std::string>& chosen);

/// Names of driver counters that tell of loss, by the words drivers use for it.
[[nodiscard]] std::vector<std::string> loss_counters(const Counters& counters);

/// retrans_segs and out_segs since `before`; retransmit_ratio is the share of retransmissions in
/// all that was sent (OutSegs leaves them out), when anything was. And, of the kernel's counters
/// that are there: timeouts, lost_retransmits, syn_retransmits, aborts_on_timeout,
/// failed_connects, resets_sent, connections_reset.
[[nodiscard]] Values tcp_values(const Counters& before, const Counters& now);

}  // namespace firedrill::agent
