#include "agent/kernel/own_cgroup.hpp"

#include <algorithm>
#include <cerrno>
#include <string_view>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMount = "/sys/fs/cgroup";

/// Our path in the unified hierarchy.
Result<std::string> present_cgroup() {
  const auto text = read_file("/proc/self/cgroup");
  if (!text) return std::unexpected(text.error());
  constexpr std::string_view kUnified = "0::";
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    if (line.starts_with(kUnified)) return std::string(line.substr(kUnified.size()));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return fail(ErrorCode::unsupported, "this host has no unified cgroup hierarchy");
}

fs::path directory_of(const std::string& cgroup) { return fs::path(kMount + cgroup); }

Result<void> move_to(const fs::path& cgroup) {
  const fs::path file = cgroup / "cgroup.procs";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, file.string());
  const ssize_t written = ::write(fd, "0", 1);
  const int error = errno;
  ::close(fd);
  if (written != 1) return fail_errno(error, file.string());
  return {};
}

bool systemd_is_manager() {
  struct stat status{};
  return ::stat("/run/systemd/system", &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

std::string sibling_cgroup(const std::string& present, const std::string& name) {
  return present.substr(0, present.rfind('/') + 1) + name;
}

void remove_sibling_cgroup(const std::string& name) {
  if (systemd_is_manager()) return;
  if (const auto present = present_cgroup())
    ::rmdir(directory_of(sibling_cgroup(*present, name)).c_str());
}

Result<OwnCgroup> OwnCgroup::enter(const std::string& name) {
  if (systemd_is_manager()) {
    const auto started =
        start_scope(fmt::format("{}-{}.scope", name, ::getpid()), "Guardian of Firedrill's agent");
    if (!started) return std::unexpected(started.error());
    return OwnCgroup({}, {});
  }
  const auto present = present_cgroup();
  if (!present) return std::unexpected(present.error());
  const fs::path before = directory_of(*present);
  const fs::path own = directory_of(sibling_cgroup(*present, name));
  // Elsewhere than in a cgroup, a folder of that name would be no cgroup at all.
  if (::access((own.parent_path() / "cgroup.procs").c_str(), F_OK) != 0)
    return fail(ErrorCode::unsupported, fmt::format("{} shows no unified cgroups", kMount));
  if (::mkdir(own.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(errno, own.string());
  if (auto moved = move_to(own); !moved) {
    ::rmdir(own.c_str());
    return std::unexpected(moved.error());
  }
  return OwnCgroup(before, own);
}

OwnCgroup::~OwnCgroup() {
  if (own_.empty()) return;
  // With the old one gone, the kernel keeps an empty cgroup; the next guardian uses it again.
  if (move_to(before_)) ::rmdir(own_.c_str());
}

}  // namespace firedrill::agent::kernel
