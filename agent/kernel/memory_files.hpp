// What cgroups of both versions, PSI and /proc say about memory. Reads only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/kernel/process_types.hpp"
#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// Shares of time, in percent, in which some or all tasks waited; over the last 10 s.
struct Pressure {
  double some_avg10 = 0;
  std::optional<double> full_avg10;  ///< not told for the CPU by older kernels
};
/// "some avg10=0.12 avg60=…". @errors corrupt
[[nodiscard]] Result<Pressure> parse_pressure(std::string_view text);

struct HostMemory {
  std::uint64_t total = 0;
  std::uint64_t available = 0;
  bool strict = false;            ///< vm.overcommit_memory = 2: mappings count, not pages
  std::uint64_t uncommitted = 0;  ///< bytes that may still be mapped when strict
};

struct ProcessMemory {
  std::uint64_t resident = 0;  ///< VmRSS
  std::uint64_t swapped = 0;   ///< VmSwap
};

/// Whether a twentieth of the host's memory counts as not there.
enum class Reserve : std::uint8_t { kept, none };

class MemoryFiles {
 public:
  /// `root` stands before every path, so that tests can build a tree. A trailing slash is wrong.
  explicit MemoryFiles(std::string root = {}) : root_(std::move(root)) {}

  /// The directory of the memory cgroup that a process is in.
  /// @errors not_found  no such process;  unsupported  no memory controller is mounted
  [[nodiscard]] Result<std::string> cgroup_of(pid_t pid) const;
  /// The directory for what a person wrote: the directory itself, or the path below the mount.
  /// @errors not_found  no such cgroup;  unsupported  no memory controller there
  [[nodiscard]] Result<std::string> cgroup_at(const std::string& path) const;
  [[nodiscard]] Result<CgroupMemory> cgroup(const std::string& directory) const;
  /// memory.pressure of a cgroup of version 2. @errors not_found
  [[nodiscard]] Result<Pressure> cgroup_pressure(const std::string& directory) const;
  /// /proc/pressure/RESOURCE. @errors unsupported  the kernel was built or booted without PSI
  [[nodiscard]] Result<Pressure> pressure(const std::string& resource) const;
  [[nodiscard]] Result<HostMemory> host() const;
  /// Of that cgroup, those above it, and the host; empty: of the host alone.
  [[nodiscard]] Result<MemoryRoom> room(const std::string& directory, Reserve reserve) const;
  [[nodiscard]] Result<ProcessMemory> process(pid_t pid) const;
  /// Proportional set size; walks all of the process's pages. @errors not_found
  [[nodiscard]] Result<std::uint64_t> proportional(pid_t pid) const;

 private:
  /// Where the hierarchy that accounts memory is mounted, which of its cgroups is the mount's root,
  /// and its version.
  struct Hierarchy {
    std::string mount;
    std::string top;
    int version = 2;
  };
  [[nodiscard]] Result<Hierarchy> hierarchy() const;
  [[nodiscard]] Result<std::string> read(const std::string& path) const;

  std::string root_;
};

}  // namespace firedrill::agent::kernel
