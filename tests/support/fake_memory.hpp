// The memory part of the fake host; see tests/support/fake_host.hpp.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/host_memory.hpp"

namespace firedrill::agent::test {

struct FakeKernel;

struct FakeProcess {
  kernel::ProcessFacts facts;
  std::vector<kernel::Mapping> mappings;
  std::map<std::uint64_t, std::uint64_t> filled;  ///< bytes by the address of the region
  std::string cgroup;
};

/// "etcd" (4242) with a heap, a library and a stack, in a cgroup of 512 MiB, of which 100 are used.
class FakeProcesses final : public Processes {
 public:
  explicit FakeProcesses(FakeKernel& state);

  Result<kernel::NamespaceId> namespace_id() override;
  Result<kernel::ProcessFacts> facts(pid_t pid) override;
  Result<std::vector<kernel::ProcessFacts>> named(const std::string& name) override;
  Result<kernel::TracePowers> trace_powers() override;
  Result<std::vector<kernel::Mapping>> mappings(const kernel::ProcessId& process) override;
  Result<kernel::MemoryRoom> room_of(const kernel::ProcessId& process) override;
  Result<Duration> map(const kernel::ProcessId& process, const kernel::Region& region) override;
  Result<Duration> unmap(const kernel::ProcessId& process, const kernel::Region& region) override;
  Result<bool> injection_pending(const kernel::ProcessId& process) override;
  Result<std::uint64_t> filled(const kernel::ProcessId& process,
                               const kernel::Region& region) override;
  Result<void> fill(const kernel::ProcessId& process, const kernel::Region& part) override;
  Result<std::string> memory_cgroup(const std::string& path) override;
  Result<kernel::MemoryRoom> room_in(const std::string& cgroup) override;
  Result<std::vector<kernel::Mapping>> own_mappings() override;
  Result<kernel::ProcessId> start_holder(const kernel::HolderSpec& spec) override;
  Result<void> end_holder(const kernel::ProcessId& holder) override;

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const;

  std::map<pid_t, FakeProcess> processes;
  kernel::TracePowers powers{true, 0, true, true};
  kernel::MemoryRoom room{412ULL << 20, 512ULL << 20, 100ULL << 20, "/sys/fs/cgroup/etcd", {}};
  std::map<std::string, bool> cgroups{{"/sys/fs/cgroup/etcd", true}};  ///< has a memory controller
  bool pending = false;               ///< a helper has hold of whatever is asked about
  bool kills_when_filled = false;     ///< the OOM killer takes who is filled
  std::vector<kernel::Region> fills;  ///< all that was ever filled

 private:
  template <class Effect>
  auto act(std::string_view name, Effect effect) -> decltype(effect());
  [[nodiscard]] Result<FakeProcess*> find(const kernel::ProcessId& process);

  FakeKernel& k_;
};

inline constexpr pid_t kEtcd = 4242;

}  // namespace firedrill::agent::test
