// Device-mapper through libdevmapper: one function, one ioctl. Needs CAP_SYS_ADMIN.
#pragma once

#include <optional>
#include <string>

#include "agent/kernel/disk_types.hpp"

namespace firedrill::agent::kernel {

/// What the kernel calls the live and the loaded table's flags; see Disks for what each call means.
struct DmInfo {
  std::string name;
  std::string uuid;
  bool suspended = false;
  bool read_only = false;
  bool has_inactive = false;
};

/// Every call keeps libdevmapper from printing, from waiting for udevd (the kernel's own event is
/// enough, and whoever recovers a disk must wait for nobody), and from touching nodes in /dev.
[[nodiscard]] Result<bool> dm_has_target(const std::string& type);
/// None when there is no such device-mapper device.
[[nodiscard]] Result<std::optional<DmInfo>> dm_info(DeviceNumber device);
[[nodiscard]] Result<DmTable> dm_table(DeviceNumber device, bool inactive);
[[nodiscard]] Result<void> dm_load(DeviceNumber device, const DmTable& table);
[[nodiscard]] Result<void> dm_resume(DeviceNumber device);
[[nodiscard]] Result<void> dm_clear(DeviceNumber device);

}  // namespace firedrill::agent::kernel
