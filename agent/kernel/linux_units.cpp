// The part of LinuxCgroups that goes through systemd: properties of units over the system bus, and
// the drop-ins that systemd writes for them in /run.
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/kernel/linux_cgroups.hpp"
#include "agent/kernel/own_cgroup.hpp"
#include "agent/kernel/read_file.hpp"
#include "agent/kernel/systemd_library.hpp"

namespace firedrill::agent::kernel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kManagerPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";
constexpr const char* kDropIns = "/run/systemd/system.control";
constexpr std::uint64_t kPatienceUs = 10'000'000;
constexpr const char* kProperties[] = {"IOReadBandwidthMax", "IOWriteBandwidthMax", "IOReadIOPSMax",
                                       "IOWriteIOPSMax"};
/// systemd's word for "no limit".
constexpr std::uint64_t kInfinity = std::numeric_limits<std::uint64_t>::max();

/// Of a bus that is open, because open_bus() has asked for it.
const SystemdLibrary& systemd() { return *systemd_library(); }

struct BusCloser {
  void operator()(sd_bus* bus) const { systemd().flush_close_unref(bus); }
};
using Bus = std::unique_ptr<sd_bus, BusCloser>;

struct MessageDeleter {
  void operator()(sd_bus_message* message) const { systemd().message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, MessageDeleter>;

/// What the bus or systemd answered instead of a reply.
class BusError {
 public:
  BusError() = default;
  BusError(const BusError&) = delete;
  BusError& operator=(const BusError&) = delete;
  ~BusError() { systemd().error_free(&error_); }
  sd_bus_error* get() { return &error_; }

  /// @param code  what the call returned: below zero
  [[nodiscard]] std::unexpected<Error> as_error(int code, const std::string& what) const {
    const bool missing = error_.name != nullptr &&
                         std::string_view(error_.name) == "org.freedesktop.systemd1.NoSuchUnit";
    const char* said = error_.message != nullptr ? error_.message : std::strerror(-code);
    return fail(missing ? ErrorCode::not_found : ErrorCode::unavailable,
                fmt::format("systemd: {}: {}", what, said));
  }

 private:
  sd_bus_error error_{};
};

Result<Bus> open_bus() {
  if (const auto& loaded = systemd_library(); !loaded) return std::unexpected(loaded.error());
  sd_bus* bus = nullptr;
  if (const int code = systemd().open_system(&bus); code < 0)
    return fail(ErrorCode::unavailable,
                fmt::format("systemd: cannot reach the system bus: {}", std::strerror(-code)));
  return Bus(bus);
}

/// A call of the manager that `fill` gives its arguments; the reply.
template <class Fill>
Result<Message> call_manager(sd_bus* bus, const char* method, const std::string& what, Fill fill,
                             std::uint64_t patience_us = kPatienceUs) {
  sd_bus_message* made = nullptr;
  BusError error;
  int code =
      systemd().message_new_method_call(bus, &made, kService, kManagerPath, kManager, method);
  const Message request(made);
  if (code >= 0) code = fill(made);
  if (code < 0) return error.as_error(code, what);
  sd_bus_message* reply = nullptr;
  code = systemd().call(bus, made, patience_us, error.get(), &reply);
  if (code < 0) return error.as_error(code, what);
  return Message(reply);
}

Result<std::string> text_property(sd_bus* bus, const char* path, const std::string& interface,
                                  const char* name) {
  BusError error;
  char* text = nullptr;
  const int code = systemd().get_property_string(bus, kService, path, interface.c_str(), name,
                                                 error.get(), &text);
  if (code < 0) return error.as_error(code, name);
  std::string out = text;
  std::free(text);
  return out;
}

/// The limit of one device in a property that lists (device, limit); none when it has no limit.
Result<std::optional<std::uint64_t>> device_limit(sd_bus* bus, const char* path,
                                                  const std::string& interface, const char* name,
                                                  const std::string& device_node) {
  BusError error;
  sd_bus_message* got = nullptr;
  int code = systemd().get_property(bus, kService, path, interface.c_str(), name, error.get(), &got,
                                    "a(st)");
  if (code < 0) return error.as_error(code, name);
  const Message reply(got);
  std::optional<std::uint64_t> out;
  code = systemd().message_enter_container(got, SD_BUS_TYPE_ARRAY, "(st)");
  const char* device = nullptr;
  std::uint64_t limit = 0;
  while (code >= 0 && (code = systemd().message_read(got, "(st)", &device, &limit)) > 0)
    if (device_node == device && limit != kInfinity) out = limit;
  if (code < 0) return error.as_error(code, name);
  return out;
}

const char* property_of(IoLimit which) { return kProperties[static_cast<std::size_t>(which)]; }

fs::path drop_in_path(const std::string& unit, IoLimit which) {
  return fs::path(kDropIns) / (unit + ".d") / fmt::format("50-{}.conf", property_of(which));
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
  const auto bus = open_bus();
  if (!bus) return std::unexpected(bus.error());
  const auto loaded = call_manager(bus->get(), "LoadUnit", fmt::format("unit '{}'", name),
                                   [&name](sd_bus_message* request) {
                                     return systemd().message_append(request, "s", name.c_str());
                                   });
  if (!loaded) return std::unexpected(loaded.error());
  const char* path = nullptr;
  if (const int code = systemd().message_read(loaded->get(), "o", &path); code < 0)
    return BusError().as_error(code, fmt::format("unit '{}'", name));
  const auto state = text_property(bus->get(), path, kUnit, "LoadState");
  if (!state) return std::unexpected(state.error());
  if (*state == "not-found")
    return fail(ErrorCode::not_found, fmt::format("systemd has no unit '{}'", name));
  const std::string interface = interface_of(name);
  auto cgroup = text_property(bus->get(), path, interface, "ControlGroup");
  if (!cgroup) return std::unexpected(cgroup.error());
  UnitLimits out;
  out.cgroup = std::move(*cgroup);
  for (const IoLimit which : kIoLimits) {
    const auto limit = device_limit(bus->get(), path, interface, property_of(which), device_node);
    if (!limit) return std::unexpected(limit.error());
    if (*limit) out.limits.at(which) = **limit;
    const auto text = read_file(drop_in_path(name, which).string());
    if (text) out.drop_ins[static_cast<std::size_t>(which)] = *text;
    else if (text.error().code != ErrorCode::not_found) return std::unexpected(text.error());
  }
  return out;
}

/// Appends (property, [(device, limit)]) as SetUnitProperties wants it; below zero when it fails.
int append_limit(sd_bus_message* request, const char* property, const std::string& device_node,
                 std::uint64_t limit) {
  const SystemdLibrary& lib = systemd();
  int code = lib.message_open_container(request, SD_BUS_TYPE_STRUCT, "sv");
  if (code >= 0) code = lib.message_append(request, "s", property);
  if (code >= 0) code = lib.message_open_container(request, SD_BUS_TYPE_VARIANT, "a(st)");
  if (code >= 0) code = lib.message_append(request, "a(st)", 1, device_node.c_str(), limit);
  if (code >= 0) code = lib.message_close_container(request);
  if (code >= 0) code = lib.message_close_container(request);
  return code;
}

int append_scope(sd_bus_message* request, const std::string& unit, const std::string& description) {
  const SystemdLibrary& lib = systemd();
  constexpr std::uint32_t kCaller = 0;
  // It ends by itself, soon after its agent. One that still has something to undo may try once
  // more, but must not hold up a shutdown: the next boot goes on with it.
  constexpr std::uint64_t kStopPatienceUs = 15'000'000;
  int code = lib.message_append(request, "ss", unit.c_str(), "fail");
  if (code >= 0) code = lib.message_open_container(request, SD_BUS_TYPE_ARRAY, "(sv)");
  if (code >= 0)
    code = lib.message_append(request, "(sv)", "Description", "s", description.c_str());
  if (code >= 0) code = lib.message_append(request, "(sv)", "PIDs", "au", 1, kCaller);
  if (code >= 0)
    code = lib.message_append(request, "(sv)", "TimeoutStopUSec", "t", kStopPatienceUs);
  if (code >= 0) code = lib.message_close_container(request);
  return code >= 0 ? lib.message_append(request, "a(sa(sv))", 0) : code;
}

}  // namespace

Result<void> start_scope(const std::string& unit, const std::string& description) {
  constexpr std::uint64_t kShortUs = 2'000'000;
  const auto bus = open_bus();
  if (!bus) return std::unexpected(bus.error());
  const auto started = call_manager(
      bus->get(), "StartTransientUnit", fmt::format("start '{}'", unit),
      [&](sd_bus_message* request) { return append_scope(request, unit, description); }, kShortUs);
  if (!started) return std::unexpected(started.error());
  return {};
}

Result<bool> LinuxCgroups::systemd_runs() {
  announce("cgroups.systemd_runs");
  struct stat status{};
  return ::stat("/run/systemd/system", &status) == 0 && S_ISDIR(status.st_mode);
}

Result<UnitLimits> LinuxCgroups::unit(const std::string& name, const std::string& device_node) {
  announce("cgroups.unit");
  return read_unit(name, device_node);
}

Result<void> LinuxCgroups::set_unit(const std::string& name, const std::string& device_node,
                                    const IoLimits& limits, const std::vector<IoLimit>& which) {
  announce("cgroups.set_unit");
  const auto bus = open_bus();
  if (!bus) return std::unexpected(bus.error());
  const auto set =
      call_manager(bus->get(), "SetUnitProperties", fmt::format("set properties of '{}'", name),
                   [&](sd_bus_message* request) {
                     constexpr int kRuntime = 1;
                     int code = systemd().message_append(request, "sb", name.c_str(), kRuntime);
                     if (code >= 0)
                       code = systemd().message_open_container(request, SD_BUS_TYPE_ARRAY, "(sv)");
                     for (const IoLimit one : which)
                       if (code >= 0)
                         code = append_limit(request, property_of(one), device_node,
                                             limits.at(one).value_or(kInfinity));
                     return code >= 0 ? systemd().message_close_container(request) : code;
                   });
  if (!set) return std::unexpected(set.error());
  return {};
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
  const auto bus = open_bus();
  if (!bus) return std::unexpected(bus.error());
  const auto reloaded =
      call_manager(bus->get(), "Reload", "daemon-reload", [](sd_bus_message*) { return 0; });
  if (!reloaded) return std::unexpected(reloaded.error());
  return {};
}

}  // namespace firedrill::agent::kernel
