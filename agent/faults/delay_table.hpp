// A device-mapper table of linear targets made slow: pure conversion, no device is touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/kernel/disk_types.hpp"

namespace firedrill::agent {

/// Milliseconds, each kind apart (the nine-argument form of dm-delay; in the shorter forms flushes
/// take the delay of writes, and every fsync pays several times [kernel-facts §4]). The kernel
/// rounds up to a tick of its clock: 4 ms at HZ=250.
struct Delays {
  std::uint32_t read_ms = 0;
  std::uint32_t write_ms = 0;
  std::uint32_t flush_ms = 0;
  auto operator<=>(const Delays&) const = default;
};
[[nodiscard]] std::string to_string(const Delays& delays);

/// Sorted and without overlaps; neighbours become one.
[[nodiscard]] std::vector<kernel::SectorRange> merge_ranges(
    std::vector<kernel::SectorRange> ranges);

/// `table` with the sectors of `ranges` delayed, or all of them when there are none.
/// @param ranges as merge_ranges gives them
/// @errors unsupported  a target is not linear, or its parameters do not read;
///         invalid_input  a range lies beyond the device
[[nodiscard]] Result<kernel::DmTable> delayed_table(const kernel::DmTable& table,
                                                    const std::vector<kernel::SectorRange>& ranges,
                                                    const Delays& delays);

/// The delays with which `live` is delayed_table(table, ranges, …); none when it is not.
[[nodiscard]] std::optional<Delays> delays_of(const kernel::DmTable& live,
                                              const kernel::DmTable& table,
                                              const std::vector<kernel::SectorRange>& ranges);

}  // namespace firedrill::agent
