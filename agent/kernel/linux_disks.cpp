#include "agent/kernel/linux_disks.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/kernel/block_devices.hpp"
#include "agent/kernel/device_mapper.hpp"

namespace firedrill::agent::kernel {
namespace {

constexpr std::uint64_t kSector = 512;
constexpr std::uint32_t kExtentsAtOnce = 256;
/// Data that is not in plain sectors of this device.
constexpr std::uint32_t kElsewhere = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC |
                                     FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_NOT_ALIGNED |
                                     FIEMAP_EXTENT_DATA_INLINE;

class OpenFile {
 public:
  explicit OpenFile(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

/// One FIEMAP call from `from` on: appends, and moves `from` behind what it got. True: go on.
Result<bool> append_extents(int fd, const std::string& path, std::uint64_t& from,
                            std::vector<SectorRange>& out) {
  alignas(fiemap) std::array<std::byte, sizeof(fiemap) + kExtentsAtOnce * sizeof(fiemap_extent)>
      buffer{};
  auto* map = reinterpret_cast<fiemap*>(buffer.data());
  map->fm_start = from;
  map->fm_length = FIEMAP_MAX_OFFSET - from;
  map->fm_flags = FIEMAP_FLAG_SYNC;
  map->fm_extent_count = kExtentsAtOnce;
  if (::ioctl(fd, FS_IOC_FIEMAP, map) < 0) {
    const int error = errno;
    if (error == EOPNOTSUPP || error == ENOTTY)
      return fail(ErrorCode::unsupported, error,
                  fmt::format("the file system of '{}' does not tell where files lie", path));
    return fail_errno(error, fmt::format("extents of '{}'", path));
  }
  for (std::uint32_t i = 0; i < map->fm_mapped_extents; ++i) {
    const fiemap_extent& extent = map->fm_extents[i];
    if ((extent.fe_flags & kElsewhere) != 0)
      return fail(
          ErrorCode::unsupported,
          fmt::format("'{}' is not stored in plain sectors (flags {:#x})", path, extent.fe_flags));
    out.push_back({extent.fe_physical / kSector, extent.fe_length / kSector});
    from = extent.fe_logical + extent.fe_length;
    if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) return false;
  }
  return map->fm_mapped_extents == kExtentsAtOnce;
}

}  // namespace

Result<BlockDevice> LinuxDisks::find(const std::string& text) {
  announce("disks.find");
  return find_block_device(text);
}

Result<BlockDevice> LinuxDisks::lowest(DeviceNumber device) {
  announce("disks.lowest");
  return lowest_device(device);
}

Result<std::vector<ProtectedPlace>> LinuxDisks::protected_places() {
  announce("disks.protected_places");
  std::vector<ProtectedPlace> out;
  const auto add = [&out](std::string what, const Result<DeviceNumber>& device,
                          bool by_owner = false) {
    // What is on no block device, or is not there, no disk can take away.
    if (device) out.push_back({std::move(what), layers_below(*device), by_owner});
  };
  add("the root file system", device_below_path("/"));
  add("the agent's own program", device_below_path("/proc/self/exe"));
  for (const std::filesystem::path& path : own_paths_)
    add(fmt::format("the agent's own directory '{}'", path.string()),
        device_below_path(path.string()));
  for (const std::string& place : owner_places_) {
    const auto device = find_block_device(place);
    add(fmt::format("'{}', which this host's owner protects", place),
        device ? Result<DeviceNumber>(device->number) : device_below_path(place), true);
  }
  for (const std::string& place : swap_places()) {
    const auto device = find_block_device(place);
    add(fmt::format("swap space '{}'", place),
        device ? Result<DeviceNumber>(device->number) : device_below_path(place));
  }
  return out;
}

Result<FileExtents> LinuxDisks::extents(const std::string& path) {
  announce("disks.extents");
  const OpenFile file(path);
  if (file.fd() < 0) return fail_errno(errno, path);
  struct stat status{};
  if (::fstat(file.fd(), &status) < 0) return fail_errno(errno, path);
  if (!S_ISREG(status.st_mode))
    return fail(ErrorCode::invalid_input, fmt::format("'{}' is no regular file", path));
  FileExtents out;
  out.device = {major(status.st_dev), minor(status.st_dev)};
  std::uint64_t from = 0;
  while (true) {
    const auto more = append_extents(file.fd(), path, from, out.ranges);
    if (!more) return std::unexpected(more.error());
    if (!*more) return out;
  }
}

Result<bool> LinuxDisks::has_target(const std::string& type) {
  announce("disks.has_target");
  return dm_has_target(type);
}

Result<std::optional<DmState>> LinuxDisks::state(DeviceNumber device) {
  announce("disks.state");
  auto info = dm_info(device);
  if (!info) return std::unexpected(info.error());
  if (!*info) return std::nullopt;
  DmState out{(*info)->name, (*info)->uuid, (*info)->suspended, (*info)->read_only, {}, {}};
  auto live = dm_table(device, false);
  if (!live) return std::unexpected(live.error());
  out.live = std::move(*live);
  if (!(*info)->has_inactive) return out;
  auto inactive = dm_table(device, true);
  if (!inactive) return std::unexpected(inactive.error());
  out.inactive = std::move(*inactive);
  return out;
}

Result<void> LinuxDisks::load(DeviceNumber device, const DmTable& table) {
  announce("disks.load");
  return dm_load(device, table);
}

Result<void> LinuxDisks::resume(DeviceNumber device) {
  announce("disks.resume");
  return dm_resume(device);
}

Result<void> LinuxDisks::clear(DeviceNumber device) {
  announce("disks.clear");
  return dm_clear(device);
}

}  // namespace firedrill::agent::kernel
