// Disks of agent/host_disk.hpp on the kernel that this process runs on.
#pragma once

#include <filesystem>

#include "agent/host_disk.hpp"

namespace firedrill::agent::kernel {

class LinuxDisks final : public Disks {
 public:
  /// @param own_paths     directories that must stay usable: the agent's journal
  /// @param owner_places  what the host's owner protects, as find() takes it
  LinuxDisks(OperationObserver observer, std::vector<std::filesystem::path> own_paths,
             std::vector<std::string> owner_places)
      : observer_(std::move(observer)),
        own_paths_(std::move(own_paths)),
        owner_places_(std::move(owner_places)) {}

  Result<BlockDevice> find(const std::string& text) override;
  Result<BlockDevice> lowest(DeviceNumber device) override;
  Result<std::vector<ProtectedPlace>> protected_places() override;
  Result<FileExtents> extents(const std::string& path) override;
  Result<bool> has_target(const std::string& type) override;
  Result<std::optional<DmState>> state(DeviceNumber device) override;
  Result<void> load(DeviceNumber device, const DmTable& table) override;
  Result<void> resume(DeviceNumber device) override;
  Result<void> clear(DeviceNumber device) override;

 private:
  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }

  OperationObserver observer_;
  std::vector<std::filesystem::path> own_paths_;
  std::vector<std::string> owner_places_;
};

}  // namespace firedrill::agent::kernel
