// Cgroups of agent/host_disk.hpp on the kernel that this process runs on.
#pragma once

#include <filesystem>

#include "agent/host_disk.hpp"

namespace firedrill::agent::kernel {

class LinuxCgroups final : public Cgroups {
 public:
  /// @param root  where cgroups are mounted; tests build a tree of their own
  explicit LinuxCgroups(OperationObserver observer, std::filesystem::path root = "/sys/fs/cgroup",
                        OwnerProtected owner = {})
      : observer_(std::move(observer)), root_(std::move(root)), owner_(std::move(owner)) {}

  Result<Cgroup> find(const std::string& path) override;
  Result<std::string> of_process(std::int64_t pid) override;
  Result<std::optional<std::string>> protected_member(const Cgroup& cgroup) override;
  Result<IoLimits> io_limits(const Cgroup& cgroup, DeviceNumber device) override;
  Result<void> set_io_limits(const Cgroup& cgroup, DeviceNumber device, const IoLimits& limits,
                             const std::vector<IoLimit>& which) override;
  Result<std::string> mark(const Cgroup& cgroup, const std::string& name) override;
  Result<void> set_mark(const Cgroup& cgroup, const std::string& name,
                        const std::string& text) override;
  Result<bool> systemd_runs() override;
  Result<UnitLimits> unit(const std::string& name, const std::string& device_node) override;
  Result<void> set_unit(const std::string& name, const std::string& device_node,
                        const IoLimits& limits, const std::vector<IoLimit>& which) override;
  Result<void> restore_drop_ins(const std::string& name, const UnitLimits& before,
                                const std::vector<IoLimit>& which) override;

 private:
  /// The hierarchy that limits io: where it is mounted, and its version.
  struct Hierarchy {
    std::filesystem::path mounted;
    bool version_one = false;
  };
  [[nodiscard]] Result<Hierarchy> hierarchy() const;
  [[nodiscard]] Result<std::filesystem::path> directory(const Cgroup& cgroup) const;
  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }

  OperationObserver observer_;
  std::filesystem::path root_;
  OwnerProtected owner_;
};

}  // namespace firedrill::agent::kernel
