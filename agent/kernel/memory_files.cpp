#include "agent/kernel/memory_files.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "agent/kernel/proc_files.hpp"
#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

namespace fs = std::filesystem;

/// Version 1 writes "no limit" as the largest number of pages.
constexpr std::uint64_t kUnlimited = 1ULL << 62;
constexpr std::uint64_t kReserveShare = 20;  // one part in …

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t\n"), line.size()));
    if (line.empty()) return words;
    words.push_back(line.substr(0, line.find_first_of(" \t\n")));
    line.remove_prefix(words.back().size());
  }
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

/// The number after `key` in "key number" lines (memory.stat, memory.events).
std::optional<std::uint64_t> counter(std::string_view text, std::string_view key) {
  const auto words = words_of(text);
  for (std::size_t i = 0; i + 1 < words.size(); i += 2)
    if (words[i] == key) return number_of<std::uint64_t>(words[i + 1]);
  return std::nullopt;
}

std::optional<double> average(std::string_view text, std::string_view line) {
  const std::size_t at = text.find(line);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = text.substr(at, text.find('\n', at) - at);
  constexpr std::string_view kKey = "avg10=";
  const std::size_t value = rest.find(kKey);
  if (value == std::string_view::npos) return std::nullopt;
  return number_of<double>(rest.substr(value + kKey.size()));
}

/// Mount point and root of one line of mountinfo, when it is of that file system and has that
/// option.
struct Mount {
  std::string point;
  std::string top;
  std::string_view type;
  std::string_view options;
};
std::optional<Mount> parse_mount(std::string_view line) {
  const std::size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) return std::nullopt;
  const auto before = words_of(line.substr(0, dash));
  const auto after = words_of(line.substr(dash + 3));
  if (before.size() < 5 || after.size() < 3) return std::nullopt;
  return Mount{std::string(before[4]), std::string(before[3]), after[0], after[2]};
}

bool has_word(std::string_view list, std::string_view word, char between) {
  while (!list.empty()) {
    const std::string_view one = list.substr(0, list.find(between));
    if (one == word) return true;
    list.remove_prefix(std::min(one.size() + 1, list.size()));
  }
  return false;
}

std::uint64_t less(std::uint64_t from, std::uint64_t what) { return from > what ? from - what : 0; }

}  // namespace

Result<Pressure> parse_pressure(std::string_view text) {
  const auto some = average(text, "some ");
  if (!some) return fail(ErrorCode::corrupt, "pressure has no 'some avg10'");
  return Pressure{*some, average(text, "full ")};
}

Result<std::string> MemoryFiles::read(const std::string& path) const {
  return read_file(root_ + path);
}

Result<MemoryFiles::Hierarchy> MemoryFiles::hierarchy() const {
  const auto text = read("/proc/self/mountinfo");
  if (!text) return std::unexpected(text.error());
  std::string_view rest = *text;
  std::optional<Hierarchy> found;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const auto mount = parse_mount(line);
    if (!mount) continue;
    if (mount->type == "cgroup" && has_word(mount->options, "memory", ','))
      found = Hierarchy{mount->point, mount->top, 1};
    if (mount->type != "cgroup2") continue;
    auto controllers = read(mount->point + "/cgroup.controllers");
    if (controllers && controllers->ends_with('\n')) controllers->pop_back();
    if (controllers && has_word(*controllers, "memory", ' '))
      found = Hierarchy{mount->point, mount->top, 2};
  }
  if (found) return *found;
  return fail(ErrorCode::unsupported,
              "no cgroup hierarchy with the memory controller is mounted: mount cgroup2 on "
              "/sys/fs/cgroup, and start the kernel without cgroup_disable=memory");
}

Result<std::string> MemoryFiles::cgroup_of(pid_t pid) const {
  const auto where = hierarchy();
  if (!where) return std::unexpected(where.error());
  const auto text = read(fmt::format("/proc/{}/cgroup", pid));
  if (!text) return std::unexpected(text.error());
  auto path = cgroup_path(*text, where->version == 1 ? "memory" : "");
  if (!path)
    return fail(ErrorCode::corrupt, fmt::format("/proc/{}/cgroup has no memory line", pid));
  if (where->top != "/" && path->starts_with(where->top)) path->erase(0, where->top.size());
  return where->mount + (*path == "/" ? "" : *path);
}

Result<std::string> MemoryFiles::cgroup_at(const std::string& path) const {
  const auto where = hierarchy();
  if (!where) return std::unexpected(where.error());
  const bool whole = path == where->mount || path.starts_with(where->mount + "/");
  std::string directory = whole ? path : where->mount + (path.starts_with("/") ? "" : "/") + path;
  while (directory.size() > 1 && directory.ends_with("/")) directory.pop_back();
  std::error_code error;
  if (has_word(directory, "..", '/') || !fs::is_directory(root_ + directory, error))
    return fail(ErrorCode::not_found,
                fmt::format("there is no cgroup '{}' below {}", path, where->mount));
  const char* usage = where->version == 1 ? "/memory.usage_in_bytes" : "/memory.current";
  if (!fs::exists(root_ + directory + usage, error))
    return fail(ErrorCode::unsupported,
                fmt::format("cgroup '{}' has no memory controller: write +memory to "
                            "cgroup.subtree_control of the one above it, or for a systemd unit set "
                            "MemoryAccounting=yes",
                            directory));
  return directory;
}

Result<CgroupMemory> MemoryFiles::cgroup(const std::string& directory) const {
  const auto get = [&](std::string_view name) {
    return read(fmt::format("{}/{}", directory, name));
  };
  CgroupMemory out;
  const auto current = get("memory.current");
  const bool version1 = !current;
  const auto used = version1 ? get("memory.usage_in_bytes") : current;
  if (!used) return std::unexpected(used.error());
  const auto bytes = number_of<std::uint64_t>(*used);
  if (!bytes) return fail(ErrorCode::corrupt, directory + ": memory use is no number");
  out.current = *bytes;
  if (const auto max = get(version1 ? "memory.limit_in_bytes" : "memory.max"))
    out.max = number_of<std::uint64_t>(*max);  // none for "max"
  if (out.max && *out.max >= kUnlimited) out.max.reset();
  if (const auto stat = get("memory.stat")) {
    out.inactive_file =
        counter(*stat, version1 ? "total_inactive_file" : "inactive_file").value_or(0);
    const auto anon = counter(*stat, "workingset_refault_anon");
    const auto file = counter(*stat, "workingset_refault_file");
    if (anon || file) out.refaults = anon.value_or(0) + file.value_or(0);
  }
  if (const auto events = get(version1 ? "memory.oom_control" : "memory.events")) {
    out.high_events = counter(*events, "high");
    out.oom = counter(*events, "oom");
    out.oom_kills = counter(*events, "oom_kill");
  }
  return out;
}

Result<Pressure> MemoryFiles::cgroup_pressure(const std::string& directory) const {
  const auto text = read(directory + "/memory.pressure");
  if (!text) return std::unexpected(text.error());
  return parse_pressure(*text);
}

Result<Pressure> MemoryFiles::pressure(const std::string& resource) const {
  const auto text = read("/proc/pressure/" + resource);
  if (!text)
    return fail(ErrorCode::unsupported, text.error().sys_errno,
                "this kernel gives no pressure information: it needs CONFIG_PSI, and psi=1 on its "
                "command line where that is not the default");
  return parse_pressure(*text);
}

Result<HostMemory> MemoryFiles::host() const {
  const auto text = read("/proc/meminfo");
  if (!text) return std::unexpected(text.error());
  const auto total = status_number(*text, "MemTotal");
  const auto available = status_number(*text, "MemAvailable");
  if (!total || !available) return fail(ErrorCode::corrupt, "meminfo lacks MemAvailable");
  HostMemory out{*total, *available, false, 0};
  const auto policy = read("/proc/sys/vm/overcommit_memory");
  out.strict = policy && policy->starts_with("2");
  out.uncommitted = less(status_number(*text, "CommitLimit").value_or(0),
                         status_number(*text, "Committed_AS").value_or(0));
  return out;
}

Result<MemoryRoom> MemoryFiles::room(const std::string& directory, Reserve reserve) const {
  const auto memory = host();
  if (!memory) return std::unexpected(memory.error());
  const std::uint64_t kept = reserve == Reserve::kept ? memory->total / kReserveShare : 0;
  MemoryRoom least{
      less(memory->available, kept), memory->total, less(memory->total, memory->available), "", {}};
  if (memory->strict) least.mappable = memory->uncommitted;
  if (directory.empty()) return least;
  const auto where = hierarchy();
  if (!where) return std::unexpected(where.error());
  std::string level = directory;
  while (level.size() > where->mount.size()) {
    const auto state = cgroup(level);
    if (state && state->max) {
      const std::uint64_t used = less(state->current, state->inactive_file);
      const std::uint64_t bytes = less(*state->max, used);
      if (bytes < least.bytes) least = {bytes, *state->max, used, level, least.mappable};
    } else if (!state && state.error().code != ErrorCode::not_found) {
      return std::unexpected(state.error());
    }
    level.resize(level.rfind('/'));
  }
  return least;
}

Result<ProcessMemory> MemoryFiles::process(pid_t pid) const {
  const auto text = read(fmt::format("/proc/{}/status", pid));
  if (!text) return std::unexpected(text.error());
  const auto resident = status_number(*text, "VmRSS");
  if (!resident)
    return fail(ErrorCode::not_found, fmt::format("process {} has no memory of its own", pid));
  return ProcessMemory{*resident, status_number(*text, "VmSwap").value_or(0)};
}

Result<std::uint64_t> MemoryFiles::proportional(pid_t pid) const {
  const auto text = read(fmt::format("/proc/{}/smaps_rollup", pid));
  if (!text) return std::unexpected(text.error());
  const auto bytes = status_number(*text, "Pss");
  if (!bytes) return fail(ErrorCode::corrupt, "smaps_rollup has no Pss");
  return *bytes;
}

}  // namespace firedrill::agent::kernel
