// The part of LinuxCgroups that goes through systemd: properties of units over the system bus, and
// the drop-ins that systemd writes for them in /run.
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <limits>

#include <fcntl.h>
#include <fmt/format.h>
#include <sdbus-c++/sdbus-c++.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/kernel/linux_cgroups.hpp"
#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";
constexpr const char* kDropIns = "/run/systemd/system.control";
constexpr std::chrono::seconds kPatience{10};
constexpr const char* kProperties[] = {"IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax",
                                       "IOWriteIOPSMax"};
/// systemd's word for "no limit".
constexpr std::uint64_t kInfinity = std::numeric_limits<std::uint64_t>::max();

using DeviceLimit = sdbus::Struct<std::string, std::uint64_t>;
using Property = sdbus::Struct<std::string, sdbus::Variant>;

const char* property_of(IoLimit which) { return kProperties[static_cast<std::size_t>(which)]; }

fs::path drop_in_path(const std::string& unit, IoLimit which) {
  return fs::path(kDropIns) / (unit + ".d") / fmt::format("50-{}.conf", property_of(which));
}

/// Carries out `body`; what the bus library throws becomes an error here.
template <class Body>
auto on_bus(const std::string& what, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const sdbus::Error& error) {
    const bool missing = error.getName() == "org.freedesktop.systemd1.NoSuchUnit";
    return fail(missing ? ErrorCode::not_found : ErrorCode::unavailable,
                fmt::format("systemd: {}: {}", what, error.getMessage()));
  }
}

/// The interface that has the io properties: "…Service" of "etcd.service".
std::string interface_of(const std::string& unit) {
  std::string type = fs::path(unit).extension().string();
  if (type.size() < 2) return kUnit;
  type[1] = static_cast<char>(std::toupper(static_cast<unsigned char>(type[1])));
  return kService + type;
}

Result<void> write_drop_in(const fs::path& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return fail_errno(errno, path.string());
  const ssize_t written = ::write(fd, text.data(), text.size());
  const int error = errno;
  ::close(fd);
  if (written == static_cast<ssize_t>(text.size())) return {};
  return fail_errno(written < 0 ? error : EIO, path.string());
}

Result<UnitLimits> read_unit(const std::string& name, const std::string& device_node) {
  auto bus = sdbus::createSystemBusConnection();
  const auto manager = sdbus::createProxy(*bus, kService, kManagerPath);
  sdbus::ObjectPath path;
  manager->callMethod("LoadUnit")
      .onInterface(kManager)
      .withTimeout(kPatience)
      .withArguments(name)
      .storeResultsTo(path);
  const auto unit = sdbus::createProxy(*bus, kService, path);
  if (unit->getProperty("LoadState").onInterface(kUnit).get<std::string>() == "not-found")
    return fail(ErrorCode::not_found, fmt::format("systemd has no unit '{}'", name));
  const std::string interface = interface_of(name);
  UnitLimits out;
  out.cgroup = unit->getProperty("ControlGroup").onInterface(interface).get<std::string>();
  for (const IoLimit which : kIoLimits) {
    const auto all = unit->getProperty(property_of(which))
                         .onInterface(interface)
                         .get<std::vector<DeviceLimit>>();
    for (const DeviceLimit& one : all)
      if (one.get<0>() == device_node && one.get<1>() != kInfinity)
        out.limits.at(which) = one.get<1>();
    const auto text = read_file(drop_in_path(name, which).string());
    if (text) out.drop_ins[static_cast<std::size_t>(which)] = *text;
    else if (text.error().code != ErrorCode::not_found) return std::unexpected(text.error());
  }
  return out;
}

}  // namespace

Result<bool> LinuxCgroups::systemd_runs() {
  announce("cgroups.systemd_runs");
  struct stat status{};
  return ::stat("/run/systemd/system", &status) == 0 && S_ISDIR(status.st_mode);
}

Result<UnitLimits> LinuxCgroups::unit(const std::string& name, const std::string& device_node) {
  announce("cgroups.unit");
  return on_bus(fmt::format("unit '{}'", name), [&] { return read_unit(name, device_node); });
}

Result<void> LinuxCgroups::set_unit(const std::string& name, const std::string& device_node,
                                    const IoLimits& limits, const std::vector<IoLimit>& which) {
  announce("cgroups.set_unit");
  return on_bus(fmt::format("set properties of '{}'", name), [&]() -> Result<void> {
    std::vector<Property> properties;
    for (const IoLimit one : which) {
      const std::vector<DeviceLimit> value{{device_node, limits.at(one).value_or(kInfinity)}};
      properties.emplace_back(property_of(one), sdbus::Variant(value));
    }
    auto bus = sdbus::createSystemBusConnection();
    const auto manager = sdbus::createProxy(*bus, kService, kManagerPath);
    manager->callMethod("SetUnitProperties")
        .onInterface(kManager)
        .withTimeout(kPatience)
        .withArguments(name, true, properties);
    return {};
  });
}

Result<void> LinuxCgroups::restore_drop_ins(const std::string& name, const UnitLimits& before,
                                            const std::vector<IoLimit>& which) {
  announce("cgroups.restore_drop_ins");
  for (const IoLimit one : which) {
    const fs::path path = drop_in_path(name, one);
    const auto& text = before.drop_ins[static_cast<std::size_t>(one)];
    if (text) {
      if (auto written = write_drop_in(path, *text); !written) return written;
    } else if (::unlink(path.c_str()) < 0 && errno != ENOENT) {
      return fail_errno(errno, path.string());
    }
  }
  // Only when nothing of anyone's is left in them.
  ::rmdir(drop_in_path(name, IoLimit::read_bytes).parent_path().c_str());
  return on_bus("daemon-reload", [&]() -> Result<void> {
    auto bus = sdbus::createSystemBusConnection();
    const auto manager = sdbus::createProxy(*bus, kService, kManagerPath);
    manager->callMethod("Reload").onInterface(kManager).withTimeout(kPatience);
    return {};
  });
}

}  // namespace firedrill::agent::kernel
