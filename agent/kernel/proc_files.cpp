#include "agent/kernel/proc_files.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <sys/syscall.h>

namespace firedrill::agent::kernel {
namespace {

constexpr std::uint64_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD
constexpr std::uint64_t kLowest = 0x10000;               // vm.mmap_min_addr
constexpr std::uint64_t kUserEnd = 0x7fff'ffff'f000;     // 47 bits
constexpr std::uint64_t kGuard = 64ULL << 20;

template <class Number>
std::optional<Number> number_of(std::string_view text, int base = 10) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return value;
}

/// Takes the next word off `text`.
std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

/// Takes the next line off `text`.
std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

/// What follows "KEY:" on its line, without the blanks before it.
std::optional<std::string_view> after_key(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = next_line(text);
    if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') continue;
    line.remove_prefix(key.size() + 1);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return line;
  }
  return std::nullopt;
}

/// "55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0    [heap]"
std::optional<Mapping> parse_mapping(std::string_view line) {
  Mapping mapping;
  const std::string_view range = next_word(line);
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto begin = number_of<std::uint64_t>(range.substr(0, dash), 16);
  const auto end = number_of<std::uint64_t>(range.substr(dash + 1), 16);
  mapping.permissions = next_word(line);
  next_word(line);  // offset
  next_word(line);  // device
  const auto inode = number_of<std::uint64_t>(next_word(line));
  if (!begin || !end || !inode || mapping.permissions.size() != 4) return std::nullopt;
  mapping.begin = *begin;
  mapping.end = *end;
  mapping.inode = *inode;
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  mapping.path = line;
  return mapping;
}

/// Waits that the kernel resumes by itself when nothing but a stop interrupted them
/// [kernel-facts §6]. recv and accept with a time-out are not among them, hence neither is recv.
constexpr auto kRestarting = std::to_array<long>({
    SYS_futex,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_ppoll,
    SYS_pselect6,
    SYS_read,
    SYS_wait4,
    SYS_waitid,
    SYS_flock,
    SYS_rt_sigsuspend,
    SYS_restart_syscall,
#ifdef __x86_64__
    SYS_poll,
    SYS_select,
    SYS_pause,
#endif
});

}  // namespace

Result<ProcessStat> parse_stat(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');  // a name may hold anything, brackets too
  const auto broken = [] { return fail(ErrorCode::corrupt, "/proc/PID/stat does not parse"); };
  if (open == std::string_view::npos || close == std::string_view::npos || close < open)
    return broken();
  ProcessStat stat;
  const auto pid = number_of<pid_t>(text);
  stat.name = text.substr(open + 1, close - open - 1);
  std::string_view rest = text.substr(close + 1);
  const std::string_view state = next_word(rest);
  for (int field = 4; field < 9; ++field) next_word(rest);
  const auto flags = number_of<std::uint64_t>(next_word(rest));
  for (int field = 10; field < 22; ++field) next_word(rest);
  const auto start = number_of<std::uint64_t>(next_word(rest));
  if (!pid || state.size() != 1 || !flags || !start) return broken();
  stat.id = {*pid, *start};
  stat.state = state.front();
  stat.kernel_thread = (*flags & kKernelThreadFlag) != 0;
  return stat;
}

std::optional<std::uint64_t> status_number(std::string_view text, std::string_view key) {
  const auto rest = after_key(text, key);
  if (!rest) return std::nullopt;
  const auto value = number_of<std::uint64_t>(*rest);
  if (!value) return std::nullopt;
  return rest->ends_with(" kB") ? *value * 1024 : *value;
}

std::optional<std::uint64_t> status_mask(std::string_view text, std::string_view key) {
  const auto rest = after_key(text, key);
  if (!rest) return std::nullopt;
  return number_of<std::uint64_t>(*rest, 16);
}

std::optional<std::uint64_t> soft_limit(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    std::string_view line = next_line(text);
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    return number_of<std::uint64_t>(next_word(line));  // none for "unlimited"
  }
  return std::nullopt;
}

Result<std::vector<Mapping>> parse_maps(std::string_view text) {
  std::vector<Mapping> mappings;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    auto mapping = parse_mapping(line);
    if (!mapping) return fail(ErrorCode::corrupt, fmt::format("/proc/PID/maps: '{}'", line));
    if (mapping->begin < kUserEnd) mappings.push_back(std::move(*mapping));
  }
  return mappings;
}

std::optional<std::string> cgroup_path(std::string_view text, std::string_view controller) {
  while (!text.empty()) {
    std::string_view line = next_line(text);
    line.remove_prefix(std::min(line.find(':') + 1, line.size()));
    std::string_view controllers = line.substr(0, line.find(':'));
    const std::string_view path = line.substr(std::min(controllers.size() + 1, line.size()));
    if (controller.empty() && controllers.empty()) return std::string(path);
    while (!controllers.empty()) {
      const std::string_view one = controllers.substr(0, controllers.find(','));
      if (one == controller) return std::string(path);
      controllers.remove_prefix(std::min(one.size() + 1, controllers.size()));
    }
  }
  return std::nullopt;
}

std::optional<Region> choose_region(const std::vector<Mapping>& mappings, std::uint64_t length,
                                    std::uint32_t token) {
  std::uint64_t at = kLowest;
  Region widest;
  const auto consider = [&](std::uint64_t begin, std::uint64_t end) {
    if (end > begin && end - begin > widest.length) widest = {begin, end - begin};
  };
  for (const Mapping& mapping : mappings) {
    consider(at, mapping.begin);
    at = std::max(at, mapping.end);
  }
  consider(at, kUserEnd);
  if (length == 0 || widest.length < 2 * kGuard || widest.length - 2 * kGuard < length)
    return std::nullopt;
  // Within the middle half of what is free to choose.
  const std::uint64_t slack = widest.length - 2 * kGuard - length;
  const std::uint64_t pages = slack / 2 / kPageSize + 1;
  const std::uint64_t moved = (token * 0x9E3779B97F4A7C15ULL) % pages * kPageSize;
  const std::uint64_t address = widest.address + kGuard + slack / 4 + moved;
  return Region{address / kPageSize * kPageSize, length};
}

ThreadRest thread_rest(char state, std::string_view syscall_text) {
  if (state == 'D' || state == 'Z' || state == 'X') return ThreadRest::unstoppable;
  const auto number = number_of<long>(syscall_text);
  if (!number || *number < 0) return ThreadRest::runs;  // "running", or no call at all
  const bool restarts = std::ranges::find(kRestarting, *number) != kRestarting.end();
  return restarts ? ThreadRest::restarts : ThreadRest::may_show;
}

}  // namespace firedrill::agent::kernel
