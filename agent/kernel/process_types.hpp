// Plain values about processes and memory that the kernel room, the memory faults and the probes
// exchange. No JSON, no experiment words.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace firedrill::agent::kernel {

/// One process among all that ever had its number, within a boot and a pid namespace.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< clock ticks after boot (field 22 of /proc/PID/stat)
  auto operator<=>(const ProcessId&) const = default;
};

/// What decides whether a process may be stopped for an instant, and whether memory may be added.
struct ProcessFacts {
  ProcessId id;
  std::string name;     ///< comm, at most 15 bytes
  std::string program;  ///< base name of its executable; empty for kernel threads
  char state = '?';     ///< of the thread that could best be stopped: 'D' means that none can
  bool kernel_thread = false;
  bool ours = false;                           ///< this very process
  bool native = true;                          ///< its executable is of this machine's architecture
  bool seccomp = false;                        ///< some thread has a system call filter
  pid_t tracer = 0;                            ///< who traces one of its threads; 0: nobody
  std::string tracer_name;                     ///< comm of the tracer
  std::uint64_t locked = 0;                    ///< bytes that it keeps from being paged out (VmLck)
  std::uint64_t mapped = 0;                    ///< VmSize
  std::uint64_t data = 0;                      ///< VmData
  std::optional<std::uint64_t> address_limit;  ///< RLIMIT_AS in bytes; none: unlimited
  std::optional<std::uint64_t> data_limit;     ///< RLIMIT_DATA in bytes; none: unlimited
  std::string owner_protects;  ///< what the host's owner protects it as; empty: not at all
};

/// One line of /proc/PID/maps.
struct Mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string permissions;  ///< "rw-p"
  std::uint64_t inode = 0;  ///< 0: no file behind it
  std::string path;         ///< a file, "[heap]", or empty
  auto operator<=>(const Mapping&) const = default;
};

/// A range of a process's addresses, whole pages.
struct Region {
  std::uint64_t address = 0;
  std::uint64_t length = 0;
  [[nodiscard]] std::uint64_t end() const { return address + length; }
  auto operator<=>(const Region&) const = default;
};

/// What this agent could do to other processes here.
struct TracePowers {
  bool may_trace = false;         ///< CAP_SYS_PTRACE is effective
  int yama_scope = 0;             ///< 3: nobody may trace; 0 where there is no yama
  bool architecture = false;      ///< the injection is written for this processor
  bool fixed_no_replace = false;  ///< MAP_FIXED_NOREPLACE works (Linux 4.17)
};

/// How much more memory may be charged before somebody is killed.
struct MemoryRoom {
  std::uint64_t bytes = 0;  ///< least of what the levels leave
  std::uint64_t max = 0;    ///< limit of the level that leaves least
  std::uint64_t used = 0;   ///< of it; page cache that would go first (inactive_file) left out
  std::string level;        ///< its cgroup, or "" when the host's own memory leaves least
  /// Where mappings count and not their pages (vm.overcommit_memory = 2): how much may be mapped.
  std::optional<std::uint64_t> mappable;
};

/// What a cgroup's memory controller counts. Absent: this kernel does not tell.
struct CgroupMemory {
  std::uint64_t current = 0;
  std::optional<std::uint64_t> max;  ///< none: no limit
  std::uint64_t inactive_file = 0;
  std::optional<std::uint64_t> high_events;
  std::optional<std::uint64_t> oom;
  std::optional<std::uint64_t> oom_kills;
  std::optional<std::uint64_t> refaults;  ///< pages of anonymous memory and files read back
};

/// A process of ours that only holds memory, in another's cgroup.
struct HolderSpec {
  std::string name;    ///< comm, at most 15 bytes: how any process of ours finds it again
  std::string cgroup;  ///< directory of the cgroup
  Region region;       ///< mapped in it, not filled
};

}  // namespace firedrill::agent::kernel
