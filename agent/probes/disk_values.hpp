// From two readings of a disk's counters, and from lines of the kernel's log, to sample values.
// Pure.
#pragma once

#include <optional>
#include <string_view>

#include "agent/kernel/block_devices.hpp"
#include "agent/probes/paced_session.hpp"

namespace firedrill::agent {

/// As iostat(1) has them, over the operations that completed since `before`: read_await_ms,
/// write_await_ms and await_ms (time in queue and device per operation; none when there were none),
/// util_pct (share of the time during which any was under way), read_per_s, write_per_s,
/// read_bytes_per_s, write_bytes_per_s; and in_flight as it is now. A device that was made anew
/// meanwhile, or no earlier reading: in_flight only.
[[nodiscard]] Values disk_values(const std::optional<kernel::BlockCounters>& before,
                                 const kernel::BlockCounters& now, std::optional<Duration> elapsed);

/// One record of /dev/kmsg: "6,1234,567890,-;text". Is it the kernel's own, of level error or
/// worse, and does its text hold `wanted`? What does not parse is not.
[[nodiscard]] bool is_kernel_error(std::string_view record, std::string_view wanted);

}  // namespace firedrill::agent
