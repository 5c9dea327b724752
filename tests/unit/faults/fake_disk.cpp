// The bodies of tests/support/fake_disk.hpp.
#include "tests/support/fake_disk.hpp"

#include <cerrno>

#include <fmt/format.h>

#include "tests/support/fake_host.hpp"

namespace firedrill::agent::test {

using kernel::BlockDevice;
using kernel::Cgroup;
using kernel::DeviceNumber;
using kernel::DmState;
using kernel::DmTable;
using kernel::IoLimit;
using kernel::IoLimits;

namespace {

/// Runs `effect` unless this operation is to fail before it.
template <class Effect>
auto enter_and(FakeKernel& kernel, std::string_view name, Effect effect) -> decltype(effect()) {
  const bool fails = kernel.enter(name);
  if (fails && !kernel.fails_after) return fail_errno(EIO, fmt::format("fake {}", name));
  auto result = effect();
  if (fails) return fail_errno(EIO, fmt::format("fake {}, done all the same", name));
  return result;
}

constexpr DeviceNumber kMapper{253, 0}, kLoop{7, 0}, kDisk{8, 0}, kPartition{8, 1};

}  // namespace

template <class Effect>
auto FakeDisks::act(std::string_view name, Effect effect) -> decltype(effect()) {
  return enter_and(k_, name, effect);
}

template <class Effect>
auto FakeCgroups::act(std::string_view name, Effect effect) -> decltype(effect()) {
  return enter_and(k_, name, effect);
}

FakeDisks::FakeDisks(FakeKernel& state) : k_(state) {
  const BlockDevice data{kMapper, "dm-0", "db-1-data", "LVM-1234", kMapper};
  for (const char* name : {"db-1-data", "/dev/mapper/db-1-data", "/dev/dm-0", "/srv/db-1"})
    names[name] = data;
  names["/"] = names["/dev/sda1"] = {kPartition, "sda1", "", "", kDisk};
  lowest_of[kMapper] = {kLoop, "loop0", "", "", kLoop};
  lowest_of[kPartition] = {kDisk, "sda", "", "", kDisk};
  mapper[kMapper] = {"db-1-data",
                     "LVM-1234",
                     false,
                     false,
                     {{0, 1000, "linear", "7:0 2048"}, {1000, 1000, "linear", "7:0 8192"}},
                     {}};
  files["/srv/db-1/wal"] = {kMapper, {{100, 50}}};
  files["/srv/db-1/empty"] = {kMapper, {}};
  files["/etc/passwd"] = {kPartition, {{5, 8}}};
  places = {{"the root file system", {kPartition, kDisk}}};
}

Result<BlockDevice> FakeDisks::find(const std::string& text) {
  return act("disks.find", [&]() -> Result<BlockDevice> {
    const auto found = names.find(text);
    if (found == names.end()) return fail_errno(ENOENT, text);
    return found->second;
  });
}

Result<BlockDevice> FakeDisks::lowest(DeviceNumber device) {
  return act("disks.lowest", [&]() -> Result<BlockDevice> {
    const auto found = lowest_of.find(device);
    if (found == lowest_of.end()) return fail_errno(ENODEV, to_string(device));
    return found->second;
  });
}

Result<std::vector<kernel::ProtectedPlace>> FakeDisks::protected_places() {
  return act("disks.protected_places",
             [&]() -> Result<std::vector<kernel::ProtectedPlace>> { return places; });
}

Result<kernel::FileExtents> FakeDisks::extents(const std::string& path) {
  return act("disks.extents", [&]() -> Result<kernel::FileExtents> {
    const auto found = files.find(path);
    if (found == files.end()) return fail_errno(ENOENT, path);
    return found->second;
  });
}

Result<bool> FakeDisks::has_target(const std::string& type) {
  return act("disks.has_target", [&]() -> Result<bool> { return has_delay && type == "delay"; });
}

Result<std::optional<DmState>> FakeDisks::state(DeviceNumber device) {
  return act("disks.state", [&]() -> Result<std::optional<DmState>> {
    const auto found = mapper.find(device);
    if (found == mapper.end()) return std::nullopt;
    return found->second;
  });
}

Result<void> FakeDisks::load(DeviceNumber device, const DmTable& table) {
  return act("disks.load", [&]() -> Result<void> {
    const auto found = mapper.find(device);
    if (found == mapper.end()) return fail_errno(ENXIO, "load");
    found->second.inactive = table;
    if (rewrites_tables) found->second.inactive->front().params += " extra";
    return {};
  });
}

Result<void> FakeDisks::resume(DeviceNumber device) {
  return act("disks.resume", [&]() -> Result<void> {
    const auto found = mapper.find(device);
    if (found == mapper.end()) return fail_errno(ENXIO, "resume");
    DmState& state = found->second;
    if (state.inactive && swap_fails) {
      state.inactive.reset();
      state.suspended = true;
      return fail_errno(EINVAL, "resume");
    }
    if (state.inactive) state.live = *state.inactive;
    state.inactive.reset();
    state.suspended = false;
    return {};
  });
}

Result<void> FakeDisks::clear(DeviceNumber device) {
  return act("disks.clear", [&]() -> Result<void> {
    const auto found = mapper.find(device);
    if (found == mapper.end()) return fail_errno(ENXIO, "clear");
    found->second.inactive.reset();
    return {};
  });
}

std::string FakeDisks::state() const {
  std::string out;
  for (const auto& [number, state] : mapper) {
    out += fmt::format("dm {} {} {} suspended {} read-only {}\n", to_string(number), state.name,
                       state.uuid, state.suspended, state.read_only);
    for (const auto& target : state.live) out += fmt::format("  live {}\n", to_string(target));
    if (!state.inactive) continue;
    out += "  loaded:\n";
    for (const auto& target : *state.inactive) out += fmt::format("  {}\n", to_string(target));
  }
  return out;
}

FakeCgroups::FakeCgroups(FakeKernel& state) : k_(state) {
  std::uint64_t inode = 1;
  for (const char* path :
       {"/", "/db-1", "/db-1/etcd", "/system.slice", "/system.slice/etcd.service"})
    groups[path].cgroup = {path, inode++, true, false};
  groups["/db-1/bare"].cgroup = {"/db-1/bare", inode++, false, false};
  groups["/"].protects = groups["/db-1"].protects = "process 1 (init)";
  processes[42] = "/db-1/etcd";
  units["etcd.service"].cgroup = "/system.slice/etcd.service";
}

Result<FakeCgroups::Group*> FakeCgroups::group(const Cgroup& cgroup) {
  const auto found = groups.find(cgroup.path);
  if (found == groups.end()) return fail_errno(ENOENT, cgroup.path);
  return &found->second;
}

Result<Cgroup> FakeCgroups::find(const std::string& path) {
  return act("cgroups.find", [&]() -> Result<Cgroup> {
    std::string below = path.starts_with('/') ? path : "/" + path;
    if (below.size() > 1 && below.ends_with('/')) below.pop_back();
    const auto found = groups.find(below);
    if (found == groups.end()) return fail_errno(ENOENT, path);
    return found->second.cgroup;
  });
}

Result<std::string> FakeCgroups::of_process(std::int64_t pid) {
  return act("cgroups.of_process", [&]() -> Result<std::string> {
    const auto found = processes.find(pid);
    if (found == processes.end()) return fail(ErrorCode::not_found, "no such process");
    return found->second;
  });
}

Result<std::optional<std::string>> FakeCgroups::protected_member(const Cgroup& cgroup) {
  return act("cgroups.protected_member", [&]() -> Result<std::optional<std::string>> {
    const auto found = group(cgroup);
    if (!found) return std::unexpected(found.error());
    if ((*found)->protects.empty()) return std::nullopt;
    return (*found)->protects;
  });
}

Result<IoLimits> FakeCgroups::io_limits(const Cgroup& cgroup, DeviceNumber device) {
  return act("cgroups.io_limits", [&]() -> Result<IoLimits> {
    const auto found = group(cgroup);
    if (!found) return std::unexpected(found.error());
    const auto limits = (*found)->limits.find(device);
    return limits == (*found)->limits.end() ? IoLimits{} : limits->second;
  });
}

Result<void> FakeCgroups::set_io_limits(const Cgroup& cgroup, DeviceNumber device,
                                        const IoLimits& limits, const std::vector<IoLimit>& which) {
  return act("cgroups.set_io_limits", [&]() -> Result<void> {
    const auto found = group(cgroup);
    if (!found) return std::unexpected(found.error());
    for (const IoLimit one : which) (*found)->limits[device].at(one) = limits.at(one);
    // The kernel drops the line of a device that nothing limits any more.
    if ((*found)->limits[device] == IoLimits{}) (*found)->limits.erase(device);
    return {};
  });
}

Result<std::string> FakeCgroups::mark(const Cgroup& cgroup, const std::string& name) {
  return act("cgroups.mark", [&]() -> Result<std::string> {
    if (!keeps_marks) return fail_errno(EOPNOTSUPP, "mark");
    const auto found = group(cgroup);
    if (!found) return std::unexpected(found.error());
    const auto text = (*found)->marks.find(name);
    return text == (*found)->marks.end() ? std::string{} : text->second;
  });
}

Result<void> FakeCgroups::set_mark(const Cgroup& cgroup, const std::string& name,
                                   const std::string& text) {
  return act("cgroups.set_mark", [&]() -> Result<void> {
    if (!keeps_marks) return fail_errno(EOPNOTSUPP, "set mark");
    const auto found = group(cgroup);
    if (!found) return std::unexpected(found.error());
    if (text.empty()) (*found)->marks.erase(name);
    else (*found)->marks[name] = text;
    return {};
  });
}

Result<bool> FakeCgroups::systemd_runs() {
  return act("cgroups.systemd_runs", [&]() -> Result<bool> { return systemd; });
}

Result<UnitLimits> FakeCgroups::unit(const std::string& name, const std::string& device_node) {
  return act("cgroups.unit", [&]() -> Result<UnitLimits> {
    const auto found = units.find(name);
    if (found == units.end()) return fail(ErrorCode::not_found, "no unit " + name);
    UnitLimits out{found->second.cgroup, {}, found->second.drop_ins};
    const auto limits = found->second.limits.find(device_node);
    if (limits != found->second.limits.end()) out.limits = limits->second;
    return out;
  });
}

Result<void> FakeCgroups::set_unit(const std::string& name, const std::string& device_node,
                                   const IoLimits& limits, const std::vector<IoLimit>& which) {
  return act("cgroups.set_unit", [&]() -> Result<void> {
    const auto found = units.find(name);
    if (found == units.end()) return fail(ErrorCode::not_found, "no unit " + name);
    Unit& unit = found->second;
    for (const IoLimit one : which) {
      unit.limits[device_node].at(one) = limits.at(one);
      unit.drop_ins[static_cast<std::size_t>(one)] = to_string(limits, {one});
    }
    if (unit.limits[device_node] == IoLimits{}) unit.limits.erase(device_node);
    return {};
  });
}

Result<void> FakeCgroups::restore_drop_ins(const std::string& name, const UnitLimits& before,
                                           const std::vector<IoLimit>& which) {
  return act("cgroups.restore_drop_ins", [&]() -> Result<void> {
    const auto found = units.find(name);
    if (found == units.end()) return fail(ErrorCode::not_found, "no unit " + name);
    for (const IoLimit one : which) {
      const auto index = static_cast<std::size_t>(one);
      found->second.drop_ins[index] = before.drop_ins[index];
    }
    return {};
  });
}

std::string FakeCgroups::state() const {
  std::string out;
  for (const auto& [path, group] : groups) {
    out += fmt::format("cgroup {} {}\n", path, group.cgroup.inode);
    for (const auto& [device, limits] : group.limits)
      out += fmt::format("  {} {}\n", to_string(device), to_string(limits));
    for (const auto& [name, text] : group.marks) out += fmt::format("  mark {} {}\n", name, text);
  }
  for (const auto& [name, unit] : units) {
    out += fmt::format("unit {}\n", name);
    for (const auto& [node, limits] : unit.limits)
      out += fmt::format("  {} {}\n", node, to_string(limits));
    for (const auto& text : unit.drop_ins)
      if (text) out += fmt::format("  drop-in {}\n", *text);
  }
  return out;
}

}  // namespace firedrill::agent::test
