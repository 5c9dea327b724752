// The files of /proc/PID, and where memory can be added: on text, so that tests need no process.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "agent/kernel/process_types.hpp"
#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

inline constexpr std::uint64_t kPageSize = 4096;  ///< of x86-64

/// What /proc/PID/stat says.
struct ProcessStat {
  ProcessId id;
  std::string name;
  char state = '?';
  bool kernel_thread = false;
};
[[nodiscard]] Result<ProcessStat> parse_stat(std::string_view text);

/// The number behind "KEY:" in /proc/PID/status or /proc/meminfo, in bytes when it is in kB; none
/// when there is no such line (kernel threads have no Vm lines).
[[nodiscard]] std::optional<std::uint64_t> status_number(std::string_view text,
                                                         std::string_view key);
/// The hexadecimal number behind "KEY:" in /proc/PID/status (CapEff).
[[nodiscard]] std::optional<std::uint64_t> status_mask(std::string_view text, std::string_view key);
/// The soft limit called `name` in /proc/PID/limits; none when it is unlimited or not there.
[[nodiscard]] std::optional<std::uint64_t> soft_limit(std::string_view text, std::string_view name);
/// /proc/PID/maps, user space only. @errors corrupt
[[nodiscard]] Result<std::vector<Mapping>> parse_maps(std::string_view text);
/// The path after "N:CONTROLLERS:" in /proc/PID/cgroup; `controller` empty: of version 2.
[[nodiscard]] std::optional<std::string> cgroup_path(std::string_view text,
                                                     std::string_view controller);

/// A place for `length` bytes in the widest gap between mappings, about its middle and moved by
/// `token`, so that neither the target's next mappings nor its heap will ever touch it and the
/// kernel has nothing to merge it with. None when no gap leaves 64 MiB at both ends.
[[nodiscard]] std::optional<Region> choose_region(const std::vector<Mapping>& mappings,
                                                  std::uint64_t length, std::uint32_t token);

/// What one thread is doing, from /proc/PID/task/TID/stat's state and .../syscall.
enum class ThreadRest : std::uint8_t {
  restarts,    ///< waits in a system call that the kernel restarts unseen after a stop
  runs,        ///< in user mode, or just about to be
  may_show,    ///< waits where an interruption may be seen as EINTR (epoll_wait and others)
  unstoppable  ///< uninterruptible, or dead
};
[[nodiscard]] ThreadRest thread_rest(char state, std::string_view syscall_text);

}  // namespace firedrill::agent::kernel
