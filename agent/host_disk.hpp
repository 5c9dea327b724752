// The host as the disk faults see it; see agent/host.hpp for what holds for all of it.
#pragma once

#include <array>
#include <cstdint>

#include "agent/host.hpp"
#include "agent/kernel/disk_types.hpp"

namespace firedrill::agent {

/// Block devices: device-mapper tables, what lies on what, where files lie.
/// @errors not_found when the device is gone, permission_denied without CAP_SYS_ADMIN
class Disks {
 public:
  virtual ~Disks() = default;

  /// `text` is a name of device-mapper ("db-1-data"), a device ("/dev/mapper/…", "/dev/dm-3",
  /// "sda"), or a mount point or any path on one: the device that its file system is on.
  [[nodiscard]] virtual Result<kernel::BlockDevice> find(const std::string& text) = 0;
  /// The device that carries it in the end: down through partitions and through layers that lie on
  /// one other device. Where that is several, or none, it is the device itself.
  [[nodiscard]] virtual Result<kernel::BlockDevice> lowest(kernel::DeviceNumber device) = 0;
  /// The root file system, swap space, the agent's program and its own directories.
  [[nodiscard]] virtual Result<std::vector<kernel::ProtectedPlace>> protected_places() = 0;
  /// Where the file's data lies, after what is dirty was written.
  /// @errors unsupported  the file system does not tell, or keeps the data elsewhere
  [[nodiscard]] virtual Result<kernel::FileExtents> extents(const std::string& path) = 0;

  /// Is there a device-mapper target of this type? May load its module.
  [[nodiscard]] virtual Result<bool> has_target(const std::string& type) = 0;
  /// None when there is no device-mapper device of this number.
  [[nodiscard]] virtual Result<std::optional<kernel::DmState>> state(
      kernel::DeviceNumber device) = 0;
  /// Puts `table` into the device's second slot, whatever is there; the live one goes on working.
  [[nodiscard]] virtual Result<void> load(kernel::DeviceNumber device,
                                          const kernel::DmTable& table) = 0;
  /// Makes the loaded table the live one and lets the device run. One system call: a running
  /// device is suspended, changed and running again inside the kernel, and a process that is killed
  /// meanwhile leaves it running. The file system is not frozen, so that one that has seen errors
  /// is no obstacle. A suspended device without a loaded table just runs again.
  /// When the new table does not fit after all, the device stays suspended: clear, then resume.
  [[nodiscard]] virtual Result<void> resume(kernel::DeviceNumber device) = 0;
  /// Forgets the loaded table.
  [[nodiscard]] virtual Result<void> clear(kernel::DeviceNumber device) = 0;
};

/// A systemd unit with the limits it puts on one device.
struct UnitLimits {
  std::string cgroup;  ///< "/system.slice/etcd.service"; empty when the unit does not run
  kernel::IoLimits limits;
  /// Contents of systemd's own run-time drop-in of each property; none: there is no such file.
  std::array<std::optional<std::string>, std::size(kernel::kIoLimits)> drop_ins;
  auto operator<=>(const UnitLimits&) const = default;
};

/// Control groups of both versions, and the systemd properties that stand for them.
class Cgroups {
 public:
  virtual ~Cgroups() = default;

  /// `path` is below the root of the hierarchy that limits io, with or without its mount point.
  /// @errors not_found, or unsupported: no cgroups here, or none that limit io
  [[nodiscard]] virtual Result<kernel::Cgroup> find(const std::string& path) = 0;
  /// The path of a process's cgroup.
  [[nodiscard]] virtual Result<std::string> of_process(std::int64_t pid) = 0;
  /// A process in it or below it that no fault may starve: PID 1, sshd, the agent. As words.
  [[nodiscard]] virtual Result<std::optional<std::string>> protected_member(
      const kernel::Cgroup& cgroup) = 0;
  [[nodiscard]] virtual Result<kernel::IoLimits> io_limits(const kernel::Cgroup& cgroup,
                                                           kernel::DeviceNumber device) = 0;
  /// Sets the limits of `which`; io that waits for a limit that is lifted goes on at once.
  [[nodiscard]] virtual Result<void> set_io_limits(const kernel::Cgroup& cgroup,
                                                   kernel::DeviceNumber device,
                                                   const kernel::IoLimits& limits,
                                                   const std::vector<kernel::IoLimit>& which) = 0;
  /// A note on the cgroup (a trusted extended attribute), gone with it; empty: none.
  /// @errors unsupported  cgroup v1 mounted without extended attributes
  [[nodiscard]] virtual Result<std::string> mark(const kernel::Cgroup& cgroup,
                                                 const std::string& name) = 0;
  /// An empty text removes it.
  [[nodiscard]] virtual Result<void> set_mark(const kernel::Cgroup& cgroup, const std::string& name,
                                              const std::string& text) = 0;

  // Units. systemd follows the node to the disk below it; these take up to a second.

  /// Does systemd manage this host's units?
  [[nodiscard]] virtual Result<bool> systemd_runs() = 0;
  /// @errors not_found no such unit
  [[nodiscard]] virtual Result<UnitLimits> unit(const std::string& name,
                                                const std::string& device_node) = 0;
  /// Sets the limits of `which` until the next boot; other devices' limits stay.
  [[nodiscard]] virtual Result<void> set_unit(const std::string& name,
                                              const std::string& device_node,
                                              const kernel::IoLimits& limits,
                                              const std::vector<kernel::IoLimit>& which) = 0;
  /// Puts the drop-ins of `which` back as they were and has systemd read them.
  [[nodiscard]] virtual Result<void> restore_drop_ins(
      const std::string& name, const UnitLimits& before,
      const std::vector<kernel::IoLimit>& which) = 0;
};

}  // namespace firedrill::agent
