// Which process a memory fault may touch, and what of it is ours.
#pragma once

#include <string>
#include <vector>

#include "agent/host_memory.hpp"
#include "firedrill/json.hpp"
#include "firedrill/schema.hpp"

namespace firedrill::agent {

/// What undo knows: a region in one process, or in a holder that is found by its name.
struct LeakRecord {
  kernel::NamespaceId where;
  kernel::Region region;
  kernel::ProcessId target;  ///< when in a process
  std::string process;       ///< its name, for people
  std::string holder;        ///< when in a cgroup; else empty
  std::string cgroup;
};
[[nodiscard]] Json to_json(const LeakRecord& record);
/// @errors corrupt
[[nodiscard]] Result<LeakRecord> parse_leak_record(const Json& json);

/// What lies in the region now.
enum class Presence : std::uint8_t { absent, ours, foreign };
[[nodiscard]] Presence presence_of(const std::vector<kernel::Mapping>& mappings,
                                   const kernel::Region& region);

/// What this agent lacks to reach into processes, with the remedy; empty when it lacks nothing.
[[nodiscard]] std::string missing_power(const kernel::TracePowers& powers);

/// "etcd (4242)"
[[nodiscard]] std::string called(const kernel::ProcessFacts& facts);

/// Whether the process may be stopped for an instant without harm [kernel-facts §6].
/// @errors refused, with the cause and the remedy
[[nodiscard]] Result<void> check_stoppable(const kernel::ProcessFacts& facts);
/// Whether it is one that no fault may grow: the init process, the kernel's, sshd, Firedrill.
[[nodiscard]] Result<void> check_permitted(const kernel::ProcessFacts& facts);

/// The one process that `pid` or `process` means.
/// @errors not_found;  invalid_input  several: the text lists them
[[nodiscard]] Result<kernel::ProcessFacts> find_target(Host& host, const Params& params);

/// Refuses `length` bytes beyond what the target's limits, its cgroups and the host leave.
[[nodiscard]] Result<void> check_limits(const kernel::ProcessFacts& facts, std::uint64_t length);
[[nodiscard]] Result<void> check_room(const kernel::MemoryRoom& room, std::uint64_t length,
                                      bool allow_oom);

}  // namespace firedrill::agent
