// Percentiles of latencies, and the sample values made from them. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "firedrill/units.hpp"

namespace firedrill::agent {

/// Nearest rank: the smallest value that at least `share` of all values do not exceed, that is the
/// element of rank ceil(share × n) of the sorted list, so always a value that was measured.
/// @param sorted ascending, not empty
/// @param share  above 0, at most 1
[[nodiscard]] Duration nearest_rank(const std::vector<Duration>& sorted, Ratio share);

/// p50_ms, p95_ms, p99_ms, max_ms and mean_ms of the latencies; nothing when there are none.
[[nodiscard]] std::map<std::string, double> latency_values(std::vector<Duration> latencies);

}  // namespace firedrill::agent
