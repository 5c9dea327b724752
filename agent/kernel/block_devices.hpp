// Block devices as sysfs and the mount table show them. Reads only; may be called from any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/kernel/disk_types.hpp"

namespace firedrill::agent::kernel {

/// By name of device-mapper or of the kernel, by /dev path, or by a path on a mounted file system.
/// @errors not_found  nothing of that name;  unsupported  the file system is on no block device
[[nodiscard]] Result<BlockDevice> find_block_device(const std::string& text);
/// @errors not_found  there is no such device
[[nodiscard]] Result<BlockDevice> block_device(DeviceNumber number);

/// The device that the file system of `path` is on.
/// @errors unsupported  it is on none (tmpfs, network, overlay)
[[nodiscard]] Result<DeviceNumber> device_below_path(const std::string& path);
/// `number` and every device below it: the disk of a partition, what device-mapper and md are made
/// of, the device that holds a loop device's file.
[[nodiscard]] std::vector<DeviceNumber> layers_below(DeviceNumber number);
/// Down from `number` while exactly one device is below, partitions to their disk.
[[nodiscard]] Result<BlockDevice> lowest_device(DeviceNumber number);
/// Devices and files that hold swap space.
[[nodiscard]] std::vector<std::string> swap_places();

/// A device's counters since it was made, and operations under way now.
struct BlockCounters {
  std::uint64_t reads = 0;  ///< completed
  std::uint64_t read_sectors = 0;
  std::uint64_t read_ms = 0;  ///< summed over operations
  std::uint64_t writes = 0;
  std::uint64_t write_sectors = 0;
  std::uint64_t write_ms = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t busy_ms = 0;  ///< during which any was under way
};
[[nodiscard]] Result<BlockCounters> read_block_counters(DeviceNumber number);
/// The text of /sys/block/NAME/stat.
[[nodiscard]] Result<BlockCounters> parse_block_counters(std::string_view text);

/// The source of the mount of /proc/self/mountinfo `text` whose device number is `number`, or
/// empty: what lies below file systems whose own number is made up (btrfs).
[[nodiscard]] std::string mount_source(std::string_view text, DeviceNumber number);

}  // namespace firedrill::agent::kernel
