// The disk part of the fake host; see tests/support/fake_host.hpp. Bodies:
// unit/faults/fake_disk.cpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/host_disk.hpp"

namespace firedrill::agent::test {

struct FakeKernel;

/// "db-1-data" (253:0, "dm-0") at /srv/db-1: two linear pieces of "loop0" (7:0); "sda1" (8:1) of
/// "sda" (8:0) at /.
class FakeDisks final : public Disks {
 public:
  explicit FakeDisks(FakeKernel& state);

  Result<kernel::BlockDevice> find(const std::string& text) override;
  Result<kernel::BlockDevice> lowest(kernel::DeviceNumber device) override;
  Result<std::vector<kernel::ProtectedPlace>> protected_places() override;
  Result<kernel::FileExtents> extents(const std::string& path) override;
  Result<bool> has_target(const std::string& type) override;
  Result<std::optional<kernel::DmState>> state(kernel::DeviceNumber device) override;
  Result<void> load(kernel::DeviceNumber device, const kernel::DmTable& table) override;
  Result<void> resume(kernel::DeviceNumber device) override;
  Result<void> clear(kernel::DeviceNumber device) override;

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const;

  std::map<std::string, kernel::BlockDevice> names;  ///< whatever text finds a device
  std::map<kernel::DeviceNumber, kernel::BlockDevice> lowest_of;
  std::map<kernel::DeviceNumber, kernel::DmState> mapper;
  std::map<std::string, kernel::FileExtents> files;
  std::vector<kernel::ProtectedPlace> places;
  bool has_delay = true;
  bool rewrites_tables = false;  ///< the kernel prints another table than it was given
  bool swap_fails = false;       ///< the loaded table does not fit: the device stays suspended

 private:
  template <class Effect>
  auto act(std::string_view name, Effect effect) -> decltype(effect());

  FakeKernel& k_;
};

/// "/" and "/db-1/etcd" with the io controller, "/db-1/bare" without; systemd is not there until a
/// test says so, with "etcd.service" in "/system.slice/etcd.service".
class FakeCgroups final : public Cgroups {
 public:
  explicit FakeCgroups(FakeKernel& state);

  Result<kernel::Cgroup> find(const std::string& path) override;
  Result<std::string> of_process(std::int64_t pid) override;
  Result<std::optional<std::string>> protected_member(const kernel::Cgroup& cgroup) override;
  Result<kernel::IoLimits> io_limits(const kernel::Cgroup& cgroup,
                                     kernel::DeviceNumber device) override;
  Result<void> set_io_limits(const kernel::Cgroup& cgroup, kernel::DeviceNumber device,
                             const kernel::IoLimits& limits,
                             const std::vector<kernel::IoLimit>& which) override;
  Result<std::string> mark(const kernel::Cgroup& cgroup, const std::string& name) override;
  Result<void> set_mark(const kernel::Cgroup& cgroup, const std::string& name,
                        const std::string& text) override;
  Result<bool> systemd_runs() override;
  Result<UnitLimits> unit(const std::string& name, const std::string& device_node) override;
  Result<void> set_unit(const std::string& name, const std::string& device_node,
                        const kernel::IoLimits& limits,
                        const std::vector<kernel::IoLimit>& which) override;
  Result<void> restore_drop_ins(const std::string& name, const UnitLimits& before,
                                const std::vector<kernel::IoLimit>& which) override;

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const;

  struct Group {
    kernel::Cgroup cgroup;
    std::map<kernel::DeviceNumber, kernel::IoLimits> limits;
    std::map<std::string, std::string> marks;
    std::string protects;  ///< the member that must be spared, or empty
  };
  struct Unit {
    std::string cgroup;
    std::map<std::string, kernel::IoLimits> limits;  ///< by device node
    std::array<std::optional<std::string>, std::size(kernel::kIoLimits)> drop_ins;
  };
  std::map<std::string, Group> groups;
  std::map<std::int64_t, std::string> processes;
  std::map<std::string, Unit> units;
  bool systemd = false;
  bool keeps_marks = true;

 private:
  template <class Effect>
  auto act(std::string_view name, Effect effect) -> decltype(effect());
  [[nodiscard]] Result<Group*> group(const kernel::Cgroup& cgroup);

  FakeKernel& k_;
};

}  // namespace firedrill::agent::test
