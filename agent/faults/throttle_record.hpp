// What io-throttle writes down, and the host looked at through it: whether the limits belong to a
// cgroup or to a systemd unit is decided here and nowhere else.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "agent/host_disk.hpp"
#include "firedrill/json.hpp"

namespace firedrill::agent {

/// An injection's place and what was there before it.
struct Throttle {
  std::string boot;
  kernel::DeviceNumber device;
  std::string device_name;
  std::string unit;         ///< empty: a plain cgroup
  std::string cgroup;       ///< the limited one; of a unit, the one above it, which outlives it
  std::uint64_t inode = 0;  ///< of that cgroup
  std::vector<kernel::IoLimit> which;  ///< limits that were asked for
  kernel::IoLimits asked;
  kernel::IoLimits before;
  std::array<std::optional<std::string>, std::size(kernel::kIoLimits)> drop_ins;  ///< of a unit

  [[nodiscard]] std::string device_node() const { return "/dev/" + device_name; }
};
[[nodiscard]] Json to_json(const Throttle& throttle);
/// @errors corrupt
[[nodiscard]] Result<Throttle> parse_throttle(const Json& record);

/// The place as it is now.
struct ThrottleReading {
  std::optional<kernel::Cgroup> cgroup;  ///< none: the one above a unit is gone for now
  kernel::IoLimits limits;
  std::array<std::optional<std::string>, std::size(kernel::kIoLimits)> drop_ins;
  /// Limits that are or may be there by our doing: what was last set, and what it was set from. A
  /// ramp moves them, and the undo record cannot follow.
  std::vector<kernel::IoLimits> ours;
};
/// None when the boot, the cgroup or the unit of the record is over.
[[nodiscard]] Result<std::optional<ThrottleReading>> read_throttle(Host& host,
                                                                   const Throttle& throttle);
/// Notes on the cgroup that these limits are ours. Empty: takes the note away.
/// @errors unsupported  this hierarchy keeps no notes
[[nodiscard]] Result<void> note_ours(Host& host, const Throttle& throttle,
                                     const ThrottleReading& reading,
                                     const std::vector<kernel::IoLimits>& ours);
/// Writes the limits of `which` and leaves the others as they are.
[[nodiscard]] Result<void> write_throttle(Host& host, const Throttle& throttle,
                                          const ThrottleReading& reading,
                                          const kernel::IoLimits& limits,
                                          const std::vector<kernel::IoLimit>& which);

/// As the parameters call it: "read-rate".
[[nodiscard]] std::string_view param_of(kernel::IoLimit which);

}  // namespace firedrill::agent
