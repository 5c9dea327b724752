// Values that the kernel room and the disk faults exchange: block devices, device-mapper tables,
// file extents, io limits. No libdevmapper, no JSON, no experiment words.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// What the kernel calls a block device (dev_t). Reused once the device is gone.
struct DeviceNumber {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  auto operator<=>(const DeviceNumber&) const = default;
};
/// "253:0", as sysfs and io.max write it.
[[nodiscard]] std::string to_string(DeviceNumber number);
[[nodiscard]] Result<DeviceNumber> parse_device_number(std::string_view text);

struct BlockDevice {
  DeviceNumber number;
  std::string name;         ///< the kernel's: "dm-3", "sda1"
  std::string mapper_name;  ///< device-mapper's; empty when it is no such device
  std::string mapper_uuid;  ///< may be empty even then
  DeviceNumber whole;       ///< the disk that a partition is cut from; else `number`
};

/// One line of a device-mapper table; a sector is 512 bytes.
struct DmTarget {
  std::uint64_t start = 0;
  std::uint64_t length = 0;
  std::string type;    ///< "linear", "delay", …
  std::string params;  ///< exactly as the kernel prints them
  auto operator<=>(const DmTarget&) const = default;
};
using DmTable = std::vector<DmTarget>;
/// "0 1048576 linear 7:0 0", as dmsetup(8) prints it.
[[nodiscard]] std::string to_string(const DmTarget& target);
[[nodiscard]] Result<DmTarget> parse_dm_target(std::string_view line);

struct DmState {
  std::string name;
  std::string uuid;
  bool suspended = false;
  bool read_only = false;
  DmTable live;
  std::optional<DmTable> inactive;  ///< loaded, not yet in use
};

/// Consecutive sectors.
struct SectorRange {
  std::uint64_t start = 0;
  std::uint64_t length = 0;
  auto operator<=>(const SectorRange&) const = default;
};

/// Where a file lies: sectors of the block device that its file system is on.
struct FileExtents {
  DeviceNumber device;
  std::vector<SectorRange> ranges;  ///< in the order of the file
};

/// Something that must go on working, and all devices below it, through every layer.
struct ProtectedPlace {
  std::string what;  ///< "the root file system", "the agent's journal (/var/lib/firedrill)"
  std::vector<DeviceNumber> devices;
  bool by_owner = false;  ///< named by the host's owner: nothing at all may be done to it
};

enum class IoLimit : std::uint8_t { read_bytes, write_bytes, read_operations, write_operations };
inline constexpr IoLimit kIoLimits[] = {IoLimit::read_bytes, IoLimit::write_bytes,
                                        IoLimit::read_operations, IoLimit::write_operations};

/// Per second; none: not limited.
struct IoLimits {
  std::optional<std::uint64_t> read_bytes;
  std::optional<std::uint64_t> write_bytes;
  std::optional<std::uint64_t> read_operations;
  std::optional<std::uint64_t> write_operations;
  auto operator<=>(const IoLimits&) const = default;

  [[nodiscard]] std::optional<std::uint64_t>& at(IoLimit which);
  [[nodiscard]] const std::optional<std::uint64_t>& at(IoLimit which) const;
};
/// "rbps=max wbps=1048576 riops=max wiops=max", as io.max has it after the device.
[[nodiscard]] std::string to_string(const IoLimits& limits);
/// Only those of `which`.
[[nodiscard]] std::string to_string(const IoLimits& limits, const std::vector<IoLimit>& which);
/// One device's part of an io.max file; no limits when it has no line.
[[nodiscard]] Result<IoLimits> parse_io_max(std::string_view file, DeviceNumber device);

struct Cgroup {
  std::string path;          ///< below the hierarchy's root, "/db-1/etcd"
  std::uint64_t inode = 0;   ///< new when it is made again under the same name
  bool limits_io = false;    ///< the io (v1: blkio) controller works on it
  bool version_one = false;  ///< of the blkio hierarchy of cgroup v1
};

}  // namespace firedrill::agent::kernel
