// Processes of agent/host_memory.hpp on the kernel that this process runs on.
#pragma once

#include <span>

#include "agent/host_memory.hpp"
#include "agent/kernel/injection.hpp"
#include "agent/kernel/memory_files.hpp"
#include "agent/kernel/types.hpp"

namespace firedrill::agent::kernel {

class LinuxProcesses final : public Processes {
 public:
  explicit LinuxProcesses(OperationObserver observer, OwnerProtected owner = {})
      : observer_(std::move(observer)), owner_(std::move(owner)) {}

  Result<NamespaceId> namespace_id() override;
  Result<ProcessFacts> facts(pid_t pid) override;
  Result<std::vector<ProcessFacts>> named(const std::string& name) override;
  Result<TracePowers> trace_powers() override;
  Result<std::vector<Mapping>> mappings(const ProcessId& process) override;
  Result<MemoryRoom> room_of(const ProcessId& process) override;
  Result<Duration> map(const ProcessId& process, const Region& region) override;
  Result<Duration> unmap(const ProcessId& process, const Region& region) override;
  Result<bool> injection_pending(const ProcessId& process) override;
  Result<std::uint64_t> filled(const ProcessId& process, const Region& region) override;
  Result<void> fill(const ProcessId& process, const Region& part) override;
  Result<std::string> memory_cgroup(const std::string& path) override;
  Result<MemoryRoom> room_in(const std::string& cgroup) override;
  Result<std::vector<Mapping>> own_mappings() override;
  Result<ProcessId> start_holder(const HolderSpec& spec) override;
  Result<void> end_holder(const ProcessId& holder) override;

 private:
  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }
  /// Has one thread of the process make the calls, and announces "processes.injecting" while it
  /// does.
  [[nodiscard]] Result<InjectionOutcome> make_calls(const ProcessId& process,
                                                    std::span<const InjectedCall> calls);

  /// Is memory so far from running out that it may be filled from outside? Whoever writes into a
  /// process holds its memory meanwhile: when the kernel kills it for that, its memory is not freed
  /// and the kernel goes on to kill its neighbours.
  [[nodiscard]] Result<bool> is_roomy(const ProcessId& process);
  /// How many bytes were filled, from the start of `part`.
  [[nodiscard]] Result<std::uint64_t> fill_outside(const ProcessId& process, const Region& part);
  /// The same by a call of its own, which fills the pages with random bytes.
  [[nodiscard]] Result<std::uint64_t> fill_inside(const ProcessId& process, const Region& part);

  void note_owner(ProcessFacts& facts) const;

  OperationObserver observer_;
  OwnerProtected owner_;
  MemoryFiles files_;
};

}  // namespace firedrill::agent::kernel
