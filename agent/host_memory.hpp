// The host as the memory faults see it; see agent/host.hpp for what holds for all of it.
#pragma once

#include "agent/host.hpp"
#include "agent/kernel/process_types.hpp"

namespace firedrill::agent {

/// Processes of this host: who they are, what they map, what is mapped into them. Errors
/// everywhere: not_found when the process of that identity is gone.
class Processes {
 public:
  virtual ~Processes() = default;

  /// The boot and the pid namespace in which process numbers mean something.
  [[nodiscard]] virtual Result<kernel::NamespaceId> namespace_id() = 0;
  /// Waits up to 0.2 s for a process all of whose threads are in uninterruptible sleep.
  /// @errors not_found  no such process
  [[nodiscard]] virtual Result<kernel::ProcessFacts> facts(pid_t pid) = 0;
  /// Those whose comm or executable's base name is `name`, by number. Zombies are left out.
  [[nodiscard]] virtual Result<std::vector<kernel::ProcessFacts>> named(
      const std::string& name) = 0;
  [[nodiscard]] virtual Result<kernel::TracePowers> trace_powers() = 0;

  /// By address, of user space only.
  [[nodiscard]] virtual Result<std::vector<kernel::Mapping>> mappings(
      const kernel::ProcessId& process) = 0;
  /// Of the cgroups that the process is in, up to the root, and of the host, of whose available
  /// memory a twentieth of all is kept in reserve.
  [[nodiscard]] virtual Result<kernel::MemoryRoom> room_of(const kernel::ProcessId& process) = 0;

  /// Maps `region` inside the process as private anonymous memory without pages in it, not
  /// inherited by its children, never in huge pages. A short-lived helper stops one thread for it:
  /// preferably one that waits where being interrupted does not show. Returns how long that was.
  /// Blocks for milliseconds; up to 5 s when no thread comes to a stop.
  /// @errors already_exists  something is mapped there;  timed_out  no thread stopped;
  ///         out_of_memory as io_failed with ENOMEM
  [[nodiscard]] virtual Result<Duration> map(const kernel::ProcessId& process,
                                             const kernel::Region& region) = 0;
  /// Unmaps exactly `region`: look first. Otherwise as map().
  [[nodiscard]] virtual Result<Duration> unmap(const kernel::ProcessId& process,
                                               const kernel::Region& region) = 0;
  /// True while a helper of map() or unmap(), whoever started it, has hold of the process; waits up
  /// to 3 s for it to end.
  [[nodiscard]] virtual Result<bool> injection_pending(const kernel::ProcessId& process) = 0;

  /// How many bytes from the start of `region` have pages of their own, in memory or swap. The
  /// region is filled from its start.
  [[nodiscard]] virtual Result<std::uint64_t> filled(const kernel::ProcessId& process,
                                                     const kernel::Region& region) = 0;
  /// Gives each page of `part` a page of memory, in order: from outside and without a stop, about
  /// 1.5 ms a megabyte; or, where memory is about to run out, by a call of the process's own, with
  /// a stop for each 256 KiB. Then whoever is killed for it is killed as by a leak of its own. Ends
  /// early, with a part of it done, where memory is so hard to get that it takes half a second.
  /// @errors not_found  the process went meanwhile: the kernel may have killed it for this
  [[nodiscard]] virtual Result<void> fill(const kernel::ProcessId& process,
                                          const kernel::Region& part) = 0;

  /// The directory of a cgroup that accounts memory, whole, from what a person wrote: the directory
  /// itself or the path below the hierarchy's mount.
  /// @errors not_found  no such cgroup;  unsupported  it has no memory controller
  [[nodiscard]] virtual Result<std::string> memory_cgroup(const std::string& path) = 0;
  /// As room_of(), for the cgroup of that directory.
  [[nodiscard]] virtual Result<kernel::MemoryRoom> room_in(const std::string& cgroup) = 0;
  /// What this process maps, and so what a holder will.
  [[nodiscard]] virtual Result<std::vector<kernel::Mapping>> own_mappings() = 0;
  /// Starts a holder: the first that the OOM killer takes. It ends by itself when this process dies
  /// before it has its name.
  [[nodiscard]] virtual Result<kernel::ProcessId> start_holder(const kernel::HolderSpec& spec) = 0;
  /// Kills it and waits until it is gone (2 s at most).
  [[nodiscard]] virtual Result<void> end_holder(const kernel::ProcessId& holder) = 0;
};

}  // namespace firedrill::agent
