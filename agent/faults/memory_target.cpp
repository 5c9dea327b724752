#include "agent/faults/memory_target.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/faults/record.hpp"

namespace firedrill::agent {
namespace {

using kernel::Mapping;
using kernel::ProcessFacts;
using kernel::Region;

constexpr std::array<std::string_view, 3> kSecureShell{"sshd", "sshd-session", "dropbear"};
constexpr std::array<std::string_view, 2> kFiredrill{"firedrill-agent", "firedrill"};
constexpr std::string_view kElsewhere = "; or grow beside it by 'where': 'cgroup'";

std::string mebibytes(std::uint64_t bytes) {
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::unexpected<Error> refuse(const ProcessFacts& facts, std::string_view why) {
  return fail(ErrorCode::refused, fmt::format("{} {}", called(facts), why));
}

std::unexpected<Error> refuse_limit(std::string what) {
  return std::unexpected(Error{ErrorCode::refused, 0, std::move(what), "/limit"});
}

template <class Names>
bool is_one_of(const ProcessFacts& facts, const Names& names) {
  return std::ranges::any_of(
      names, [&](std::string_view one) { return facts.name == one || facts.program == one; });
}

}  // namespace

Json to_json(const LeakRecord& record) {
  Json json{{"boot_id", record.where.boot},
            {"namespace", record.where.inode},
            {"address", record.region.address},
            {"length", record.region.length}};
  if (record.holder.empty()) {
    json["pid"] = record.target.pid;
    json["start_time"] = record.target.start_time;
    json["process"] = record.process;
  } else {
    json["holder"] = record.holder;
    json["cgroup"] = record.cgroup;
  }
  return json;
}

Result<LeakRecord> parse_leak_record(const Json& json) {
  RecordReader reader(json, "memory-leak");
  LeakRecord record;
  record.where = reader.namespace_id();
  record.region = {reader.number("address"), reader.number("length")};
  // Neither of the two kinds: the first is read, and found wanting.
  if (reader.has("holder") || reader.has("cgroup")) {
    record.holder = reader.text("holder");
    record.cgroup = reader.text("cgroup");
  } else {
    record.target.pid = static_cast<pid_t>(reader.number("pid", std::numeric_limits<pid_t>::max()));
    record.target.start_time = reader.number("start_time");
    record.process = reader.text("process");
  }
  if (auto status = reader.status(); !status) return std::unexpected(status.error());
  return record;
}

Presence presence_of(const std::vector<Mapping>& mappings, const Region& region) {
  for (const Mapping& mapping : mappings) {
    if (mapping.end <= region.address || mapping.begin >= region.end()) continue;
    const bool same = mapping.begin == region.address && mapping.end == region.end();
    const bool plain = mapping.permissions == "rw-p" && mapping.inode == 0 && mapping.path.empty();
    return same && plain ? Presence::ours : Presence::foreign;
  }
  return Presence::absent;
}

std::string missing_power(const kernel::TracePowers& powers) {
  if (!powers.architecture)
    return "reaching into a process is written for x86-64 only, and this is another processor";
  if (!powers.fixed_no_replace)
    return "this kernel ignores MAP_FIXED_NOREPLACE: it needs Linux 4.17 or newer";
  if (powers.yama_scope >= 3)
    return "kernel.yama.ptrace_scope is 3: nobody may trace until the next boot; start this host "
           "with a lower one";
  if (!powers.may_trace)
    return "CAP_SYS_PTRACE is missing: run the agent as root, and in a container add the "
           "capability";
  return {};
}

std::string called(const ProcessFacts& facts) {
  return fmt::format("'{}' ({})", facts.name, facts.id.pid);
}

Result<void> check_permitted(const ProcessFacts& facts) {
  if (facts.id.pid == 1)
    return refuse(facts, "is the init process, and the host would go down with it; name a service");
  if (facts.kernel_thread)
    return refuse(facts, "is a thread of the kernel and has no memory of its own; name a service");
  if (facts.ours || is_one_of(facts, kFiredrill))
    return refuse(facts, "is Firedrill itself, which has to undo; name another process");
  if (is_one_of(facts, kSecureShell))
    return refuse(facts, "is the way in for whoever has to mend this host; name another process");
  if (!facts.owner_protects.empty())
    return refuse(facts, fmt::format("is protected by this host's owner, as {}; name another "
                                     "process",
                                     facts.owner_protects));
  return {};
}

Result<void> check_stoppable(const ProcessFacts& facts) {
  if (!facts.native)
    return refuse(facts, fmt::format("runs a program of another architecture (32-bit?), into which "
                                     "no call can be put{}",
                                     kElsewhere));
  if (facts.tracer != 0)
    return refuse(facts, fmt::format("is traced by '{}' ({}) already, and a process has one tracer "
                                     "at most: end that one{}",
                                     facts.tracer_name, facts.tracer, kElsewhere));
  if (facts.seccomp)
    return refuse(facts, fmt::format("has a seccomp filter, which may kill it for a call that it "
                                     "does not make itself: run it without the filter{}",
                                     kElsewhere));
  if (facts.state == 'D')
    return refuse(facts,
                  "is in uninterruptible sleep (state D) and cannot be stopped: wait until "
                  "its disk or file server answers");
  return {};
}

Result<ProcessFacts> find_target(Host& host, const Params& params) {
  if (params.has("pid")) {
    auto facts = host.processes().facts(static_cast<pid_t>(params.integer("pid")));
    if (!facts && facts.error().code == ErrorCode::not_found) {
      Error error = facts.error();
      error.pointer = "/pid";
      return std::unexpected(std::move(error));
    }
    return facts;
  }
  const std::string name = params.text("process");
  auto found = host.processes().named(name);
  if (!found) return std::unexpected(found.error());
  if (found->empty())
    return std::unexpected(Error{ErrorCode::not_found, 0,
                                 fmt::format("no process is called '{}', by its name or its "
                                             "executable's: is the service running?",
                                             name),
                                 "/process"});
  if (found->size() == 1) return found->front();
  std::string list;
  for (const ProcessFacts& one : *found) list += (list.empty() ? "" : ", ") + called(one);
  return fail_at("/process", fmt::format("{} processes are called '{}': give one of them as 'pid': "
                                         "{}",
                                         found->size(), name, list));
}

Result<void> check_limits(const ProcessFacts& facts, std::uint64_t length) {
  const auto over = [length](std::optional<std::uint64_t> limit, std::uint64_t used) {
    return limit && (used > *limit || *limit - used < length);
  };
  if (over(facts.address_limit, facts.mapped))
    return refuse_limit(
        fmt::format("{} may map {} in all (ulimit -v) and has mapped {}: a smaller "
                    "'limit' is needed",
                    called(facts), mebibytes(*facts.address_limit), mebibytes(facts.mapped)));
  if (over(facts.data_limit, facts.data))
    return refuse_limit(
        fmt::format("{} may have {} of data (ulimit -d) and has {}: a smaller "
                    "'limit' is needed",
                    called(facts), mebibytes(*facts.data_limit), mebibytes(facts.data)));
  if (facts.locked != 0)
    return refuse(facts, fmt::format("locks memory ({}), so that the whole mapping could be filled "
                                     "at once: run it without mlock{}",
                                     mebibytes(facts.locked), kElsewhere));
  return {};
}

Result<void> check_room(const kernel::MemoryRoom& room, std::uint64_t length, bool allow_oom) {
  if (room.mappable && length > *room.mappable)
    return refuse_limit(
        fmt::format("vm.overcommit_memory is 2 and only {} may still be mapped on "
                    "this host: a smaller 'limit' is needed",
                    mebibytes(*room.mappable)));
  if (allow_oom || length <= room.bytes) return {};
  const std::string where =
      room.level.empty() ? "this host" : fmt::format("cgroup '{}'", room.level);
  return refuse_limit(fmt::format(
      "{} would not fit: {} has {}, of which {} are used, and leaves {}"
      "{}; a smaller 'limit', or 'allow-oom' where the OOM kill is "
      "wanted",
      mebibytes(length), where, mebibytes(room.max), mebibytes(room.used), mebibytes(room.bytes),
      room.level.empty() ? " after a reserve of a twentieth" : ""));
}

}  // namespace firedrill::agent
