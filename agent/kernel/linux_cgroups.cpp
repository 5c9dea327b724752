#include "agent/kernel/linux_cgroups.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kV1Files[] = {
    "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
    "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"};
constexpr std::string_view kProtectedPrograms[] = {"sshd", "sshd-session", "dropbear",
                                                   "firedrill-agent"};

fs::path v1_file(const fs::path& directory, IoLimit which) {
  return directory / kV1Files[static_cast<std::size_t>(which)];
}

Result<void> write_file(const fs::path& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, path.string());
  const ssize_t written = ::write(fd, text.data(), text.size());
  const int error = errno;
  ::close(fd);
  if (written == static_cast<ssize_t>(text.size())) return {};
  return fail_errno(written < 0 ? error : EIO,
                    fmt::format("write '{}' to {}", text, path.string()));
}

bool has_word(const std::string& text, std::string_view wanted) {
  std::istringstream words(text);
  for (std::string word; words >> word;)
    if (word == wanted) return true;
  return false;
}

std::string mark_name(const std::string& name) { return "trusted.firedrill." + name; }

bool has_step(const fs::path& path, const std::string& step) {
  for (const fs::path& part : path)
    if (part.string() == step) return true;
  return false;
}

/// "process 812 (sshd)" when this one must be spared, else empty.
std::string protected_process(pid_t pid, const OwnerProtected& owner) {
  std::string comm = read_file(fmt::format("/proc/{}/comm", pid)).value_or("");
  while (comm.ends_with('\n')) comm.pop_back();
  const bool spared = pid == 1 || pid == ::getpid() ||
                      std::ranges::find(kProtectedPrograms, comm) != std::end(kProtectedPrograms);
  if (!spared && std::ranges::find(owner.processes, comm) != owner.processes.end())
    return fmt::format("process {} ({}), which this host's owner protects", pid, comm);
  return spared ? fmt::format("process {} ({})", pid, comm) : std::string{};
}

Result<std::string> protected_in(const fs::path& directory, const OwnerProtected& owner) {
  const auto unit = std::ranges::find(owner.units, directory.filename().string());
  if (unit != owner.units.end())
    return fmt::format("unit '{}', which this host's owner protects", *unit);
  const auto text = read_file((directory / "cgroup.procs").string());
  // A threaded cgroup does not list its processes; its domain above does.
  if (!text && text.error().sys_errno != EOPNOTSUPP) return std::unexpected(text.error());
  std::istringstream pids(text.value_or(""));
  for (pid_t pid = 0; pids >> pid;)
    if (auto words = protected_process(pid, owner); !words.empty()) return words;
  return std::string{};
}

/// What io.max would show of the four files of v1: lines "MAJ:MIN value".
Result<IoLimits> read_v1(const fs::path& directory, DeviceNumber device) {
  IoLimits limits;
  for (const IoLimit which : kIoLimits) {
    const auto text = read_file(v1_file(directory, which).string());
    if (!text) return std::unexpected(text.error());
    std::istringstream words(*text);
    std::string number;
    for (std::uint64_t value = 0; words >> number >> value;)
      if (number == to_string(device)) limits.at(which) = value;
  }
  return limits;
}

Result<void> write_v1(const fs::path& directory, DeviceNumber device, const IoLimits& limits,
                      const std::vector<IoLimit>& which) {
  for (const IoLimit one : which) {
    const std::string line =
        fmt::format("{} {}", to_string(device), limits.at(one).value_or(0));  // 0 removes
    if (auto written = write_file(v1_file(directory, one), line); !written) return written;
  }
  return {};
}

}  // namespace

Result<LinuxCgroups::Hierarchy> LinuxCgroups::hierarchy() const {
  std::error_code error;
  for (const fs::path& mounted : {root_, root_ / "unified"})
    if (has_word(read_file((mounted / "cgroup.controllers").string()).value_or(""), "io"))
      return Hierarchy{mounted, false};
  if (fs::exists(root_ / "blkio" / "cgroup.procs", error)) return Hierarchy{root_ / "blkio", true};
  return fail(ErrorCode::unsupported,
              fmt::format("no cgroups that limit io below '{}': mount cgroup2 there, and do not "
                          "boot with cgroup_disable=io",
                          root_.string()));
}

Result<fs::path> LinuxCgroups::directory(const Cgroup& cgroup) const {
  const auto where = hierarchy();
  if (!where) return std::unexpected(where.error());
  return fs::path(where->mounted.string() + cgroup.path);
}

Result<Cgroup> LinuxCgroups::find(const std::string& path) {
  announce("cgroups.find");
  const auto where = hierarchy();
  if (!where) return std::unexpected(where.error());
  std::string below = fs::path("/" + path).lexically_normal().string();
  const std::string mounted = where->mounted.string();
  if (below == mounted || below.starts_with(mounted + "/")) below.erase(0, mounted.size());
  while (below.size() > 1 && below.ends_with('/')) below.pop_back();
  Cgroup cgroup;
  cgroup.path = below.empty() ? "/" : below;
  cgroup.version_one = where->version_one;
  const fs::path directory(mounted + cgroup.path);
  struct stat status{};
  if (::stat(directory.c_str(), &status) < 0 || !S_ISDIR(status.st_mode))
    return fail(ErrorCode::not_found,
                fmt::format("there is no cgroup '{}' below '{}'", cgroup.path, mounted));
  cgroup.inode = status.st_ino;
  std::error_code error;
  cgroup.limits_io =
      cgroup.path == "/" || fs::exists(where->version_one ? v1_file(directory, IoLimit::read_bytes)
                                                          : directory / "io.max",
                                       error);
  return cgroup;
}

Result<std::string> LinuxCgroups::of_process(std::int64_t pid) {
  announce("cgroups.of_process");
  const auto where = hierarchy();
  if (!where) return std::unexpected(where.error());
  const auto text = read_file(fmt::format("/proc/{}/cgroup", pid));
  if (!text) return fail(ErrorCode::not_found, fmt::format("there is no process {} here", pid));
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    // "0::/path" of version 2, "7:blkio,…:/path" of version 1
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1);
    std::ranges::replace(controllers, ',', ' ');
    if (where->version_one ? has_word(controllers, "blkio") : controllers.empty())
      return line.substr(second + 1);
  }
  return fail(ErrorCode::unsupported,
              fmt::format("process {} is in no cgroup that limits io", pid));
}

Result<std::optional<std::string>> LinuxCgroups::protected_member(const Cgroup& cgroup) {
  announce("cgroups.protected_member");
  const auto top = directory(cgroup);
  if (!top) return std::unexpected(top.error());
  for (const std::string& unit : owner_.units)  // a cgroup inside a unit is a part of it
    if (has_step(cgroup.path, unit))
      return fmt::format("a part of unit '{}', which this host's owner protects", unit);
  auto found = protected_in(*top, owner_);
  if (!found) return std::unexpected(found.error());
  if (!found->empty()) return *found;
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(*top, error);
       at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (error) break;
    if (!at->is_directory(error)) continue;
    found = protected_in(at->path(), owner_);
    if (!found && found.error().code == ErrorCode::not_found) continue;  // it went meanwhile
    if (!found) return std::unexpected(found.error());
    if (!found->empty()) return *found;
  }
  return std::nullopt;
}

Result<IoLimits> LinuxCgroups::io_limits(const Cgroup& cgroup, DeviceNumber device) {
  announce("cgroups.io_limits");
  const auto where = directory(cgroup);
  if (!where) return std::unexpected(where.error());
  if (cgroup.version_one) return read_v1(*where, device);
  const auto text = read_file((*where / "io.max").string());
  if (!text) return std::unexpected(text.error());
  return parse_io_max(*text, device);
}

Result<void> LinuxCgroups::set_io_limits(const Cgroup& cgroup, DeviceNumber device,
                                         const IoLimits& limits,
                                         const std::vector<IoLimit>& which) {
  announce("cgroups.set_io_limits");
  const auto where = directory(cgroup);
  if (!where) return std::unexpected(where.error());
  if (cgroup.version_one) return write_v1(*where, device, limits, which);
  return write_file(*where / "io.max",
                    fmt::format("{} {}", to_string(device), to_string(limits, which)));
}

Result<std::string> LinuxCgroups::mark(const Cgroup& cgroup, const std::string& name) {
  announce("cgroups.mark");
  const auto where = directory(cgroup);
  if (!where) return std::unexpected(where.error());
  std::string text(4096, '\0');
  const ssize_t size =
      ::getxattr(where->c_str(), mark_name(name).c_str(), text.data(), text.size());
  const int error = errno;
  if (size < 0 && error == ENODATA) return std::string{};
  if (size < 0) return fail_errno(error, fmt::format("mark on cgroup '{}'", cgroup.path));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

Result<void> LinuxCgroups::set_mark(const Cgroup& cgroup, const std::string& name,
                                    const std::string& text) {
  announce("cgroups.set_mark");
  const auto where = directory(cgroup);
  if (!where) return std::unexpected(where.error());
  const std::string key = mark_name(name);
  const int done = text.empty()
                       ? ::removexattr(where->c_str(), key.c_str())
                       : ::setxattr(where->c_str(), key.c_str(), text.data(), text.size(), 0);
  const int error = errno;
  if (done == 0 || (text.empty() && error == ENODATA)) return {};
  return fail_errno(error, fmt::format("mark on cgroup '{}'", cgroup.path));
}

}  // namespace firedrill::agent::kernel
