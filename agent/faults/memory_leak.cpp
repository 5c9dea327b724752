#include "agent/faults/memory_leak.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/faults/memory_target.hpp"
#include "agent/faults/record.hpp"
#include "agent/host_disk.hpp"
#include "agent/kernel/proc_files.hpp"

namespace firedrill::agent {
namespace {

using kernel::kPageSize;
using kernel::ProcessId;
using kernel::Region;

constexpr double kKiB = 1024;
constexpr double kMiB = 1024 * kKiB;
/// What one step may add: a tenth of a second's work, or one second's in an emulated guest.
constexpr std::uint64_t kMostPerStep = 64ULL << 20;
constexpr std::uint64_t kMostAtOnce = 2 * kMostPerStep;

constexpr std::array<std::string_view, 2> kWhere{"process", "cgroup"};

constexpr std::array kSchema{
    ParamSpec{.name = "process",
              .choices = {},
              .default_text = {},
              .help = "the one process of that name (its own or its executable's)"},
    ParamSpec{.name = "pid",
              .type = ParamType::integer,
              .min = 1,
              .max = 4194304,
              .choices = {},
              .default_text = {},
              .help = "the process, instead of 'process'"},
    ParamSpec{.name = "where",
              .type = ParamType::choice,
              .choices = kWhere,
              .default_text = "process",
              .help = "inside the process itself, or by a helper in its cgroup that dies first"},
    ParamSpec{.name = "cgroup",
              .choices = {},
              .default_text = {},
              .help = "with 'where': 'cgroup': its path, e.g. system.slice/etcd.service"},
    ParamSpec{.name = "rate",
              .type = ParamType::bytes,
              .required = true,
              .min = kKiB,
              .max = 512 * kMiB,
              .choices = {},
              .default_text = {},
              .help = "growth per second"},
    ParamSpec{.name = "limit",
              .type = ParamType::bytes,
              .required = true,
              .min = 4 * kKiB,
              .max = 1024 * 1024 * kMiB,
              .choices = {},
              .default_text = {},
              .help = "how much in all; the size stays there"},
    ParamSpec{.name = "every",
              .type = ParamType::duration,
              .min = 100e3,
              .max = 60e6,
              .choices = {},
              .default_text = "1s",
              .help = "time between two steps of growth"},
    ParamSpec{.name = "allow-oom",
              .type = ParamType::flag,
              .choices = {},
              .default_text = "false",
              .help = "even where the limit goes beyond what cgroup or host can give"},
};

bool in_cgroup(const Params& params) { return params.text("where") == "cgroup"; }

/// What is due after `active`, whole pages.
std::uint64_t due_bytes(const Params& params, const Region& region, Duration active) {
  constexpr std::int64_t kSecond = 1'000'000;
  if (active <= Duration{0}) return 0;
  const std::uint64_t rate = params.bytes("rate").value;
  const auto seconds = static_cast<std::uint64_t>(active.count() / kSecond);
  const auto rest = static_cast<std::uint64_t>(active.count() % kSecond);
  const std::uint64_t bytes = rate * seconds + rate * rest / kSecond;
  return std::min(bytes, region.length) / kPageSize * kPageSize;
}

/// A process that holds (or held) our region, and what lies there now.
struct Place {
  ProcessId process;
  Presence presence = Presence::absent;
};

/// The places of the record that still are; none after a reboot, or when the target is gone.
Result<std::vector<Place>> find_places(Host& host, const LeakRecord& record) {
  std::vector<Place> places;
  const auto where = host.processes().namespace_id();
  if (!where) return std::unexpected(where.error());
  if (where->boot != record.where.boot) return places;
  if (where->inode != record.where.inode)
    return fail(ErrorCode::unavailable,
                fmt::format("the injection is in pid namespace {}, this agent is in {}: run it "
                            "there",
                            record.where.inode, where->inode));
  std::vector<ProcessId> candidates;
  if (record.holder.empty()) {
    candidates.push_back(record.target);
  } else {
    const auto named = host.processes().named(record.holder);
    if (!named) return std::unexpected(named.error());
    for (const kernel::ProcessFacts& one : *named) candidates.push_back(one.id);
  }
  for (const ProcessId& process : candidates) {
    const auto mappings = host.processes().mappings(process);
    if (!mappings && mappings.error().code == ErrorCode::not_found) continue;
    if (!mappings) return std::unexpected(mappings.error());
    places.push_back({process, presence_of(*mappings, record.region)});
  }
  return places;
}

/// The place where the memory is, none when there is none.
Result<std::optional<Place>> find_ours(Host& host, const LeakRecord& record) {
  const auto places = find_places(host, record);
  if (!places) return std::unexpected(places.error());
  for (const Place& place : *places)
    if (place.presence == Presence::ours) return place;
  return std::nullopt;
}

Result<LeakRecord> capture_process(Host& host, const Params& params) {
  const auto powers = host.processes().trace_powers();
  if (!powers) return std::unexpected(powers.error());
  if (const std::string missing = missing_power(*powers); !missing.empty())
    return fail(ErrorCode::unsupported, missing);
  const auto target = find_target(host, params);
  if (!target) return std::unexpected(target.error());
  const std::uint64_t length = params.bytes("limit").value;
  for (const auto& checked :
       {check_permitted(*target), check_stoppable(*target), check_limits(*target, length)})
    if (!checked) return std::unexpected(checked.error());
  const auto room = host.processes().room_of(target->id);
  if (!room) return std::unexpected(room.error());
  if (auto fits = check_room(*room, length, params.flag("allow-oom")); !fits)
    return std::unexpected(fits.error());
  const auto mappings = host.processes().mappings(target->id);
  if (!mappings) return std::unexpected(mappings.error());
  const auto region = kernel::choose_region(*mappings, length, host.fresh_token());
  if (!region)
    return fail(ErrorCode::refused, fmt::format("{} has no room for {} in its address space: a "
                                                "smaller 'limit' is needed",
                                                called(*target), to_string(ByteCount{length})));
  return LeakRecord{{}, *region, target->id, target->name, {}, {}};
}

Result<LeakRecord> capture_cgroup(Host& host, const Params& params) {
  auto cgroup = host.processes().memory_cgroup(params.text("cgroup"));
  if (!cgroup) {
    Error error = cgroup.error();
    error.pointer = "/cgroup";
    return std::unexpected(std::move(error));
  }
  // Where io and memory are one hierarchy: whoever shares the cgroup shares its pressure.
  const auto same = host.cgroups().find(params.text("cgroup"));
  if (!same && same.error().code != ErrorCode::not_found &&
      same.error().code != ErrorCode::unsupported)
    return std::unexpected(same.error());
  if (same) {
    const auto member = host.cgroups().protected_member(*same);
    if (!member) return std::unexpected(member.error());
    if (*member)
      return fail(ErrorCode::refused,
                  fmt::format("cgroup '{}' holds {}, which must stay alive; choose a cgroup that "
                              "holds the service alone",
                              same->path, **member));
  }
  const std::uint64_t length = params.bytes("limit").value;
  const auto room = host.processes().room_in(*cgroup);
  if (!room) return std::unexpected(room.error());
  if (auto fits = check_room(*room, length, params.flag("allow-oom")); !fits)
    return std::unexpected(fits.error());
  const auto mappings = host.processes().own_mappings();
  if (!mappings) return std::unexpected(mappings.error());
  const std::uint32_t token = host.fresh_token();
  const auto region = kernel::choose_region(*mappings, length, token);
  if (!region)
    return fail(ErrorCode::refused, fmt::format("no process has room for {}: a smaller 'limit' is "
                                                "needed",
                                                to_string(ByteCount{length})));
  return LeakRecord{{}, *region, {}, {}, fmt::format("fdleak-{:08x}", token), *cgroup};
}

/// Maps the region in the target; how long it was stopped.
Result<Duration> map_in_target(Host& host, const LeakRecord& record) {
  // Since capture a debugger or a filter may have come.
  const auto facts = host.processes().facts(record.target.pid);
  if (!facts) return std::unexpected(facts.error());
  if (facts->id != record.target)
    return fail(ErrorCode::not_found, fmt::format("'{}' ({}) is gone; another process has its "
                                                  "number by now",
                                                  record.process, record.target.pid));
  if (auto stoppable = check_stoppable(*facts); !stoppable)
    return std::unexpected(stoppable.error());
  return host.processes().map(record.target, record.region);
}

/// What people should know of the leak. Without a place: the target is gone.
Result<Json> values_of(Host& host, const LeakRecord& record, const std::optional<Place>& place) {
  Json values{{"alive", place.has_value()}, {"filled_bytes", 0}};
  if (!place) return values;
  const auto filled = host.processes().filled(place->process, record.region);
  if (!filled && filled.error().code == ErrorCode::not_found)
    return Json{{"alive", false}, {"filled_bytes", 0}};
  if (!filled) return std::unexpected(filled.error());
  values["filled_bytes"] = *filled;
  values["pid"] = place->process.pid;
  return values;
}

/// Unmaps what is ours from a target that may be stopped.
Result<void> unmap_from_target(Host& host, const LeakRecord& record) {
  const auto facts = host.processes().facts(record.target.pid);
  if (!facts) return std::unexpected(facts.error());
  if (auto stoppable = check_stoppable(*facts); !stoppable)
    return fail(ErrorCode::unavailable, stoppable.error().sys_errno,
                fmt::format("{}. Until then its memory stays; a restart of it frees it too",
                            stoppable.error().what));
  const auto unmapped = host.processes().unmap(record.target, record.region);
  if (!unmapped) return std::unexpected(unmapped.error());
  return {};
}

}  // namespace

std::string_view MemoryLeak::summary() const {
  return "Makes a process grow as if it leaked memory, inside the process itself";
}

std::span<const ParamSpec> MemoryLeak::schema() const { return kSchema; }

Json MemoryLeak::example() const {
  return Json{{"process", "etcd"}, {"rate", "1MiB"}, {"limit", "64MiB"}};
}

Support MemoryLeak::probe_support(Host& host) const {
  const auto powers = host.processes().trace_powers();
  if (!powers) return {false, powers.error().what};
  if (std::string missing = missing_power(*powers); !missing.empty())
    return {false, std::move(missing)};
  return {true, {}};
}

Result<void> MemoryLeak::check(const Params& params) const {
  if (in_cgroup(params)) {
    if (!params.has("cgroup")) return fail_at("", "'where': 'cgroup' needs 'cgroup'");
    if (params.has("pid") || params.has("process"))
      return fail_at("", "'pid' and 'process' are for 'where': 'process'");
  } else {
    if (params.has("cgroup")) return fail_at("/cgroup", "'cgroup' is for 'where': 'cgroup'");
    if (params.has("pid") == params.has("process"))
      return fail_at("", "give one of 'process' and 'pid'");
  }
  const std::uint64_t limit = params.bytes("limit").value;
  if (limit % kPageSize != 0)
    return fail_at("/limit",
                   fmt::format("memory comes in pages of 4KiB: {}B or {}B",
                               limit / kPageSize * kPageSize, (limit / kPageSize + 1) * kPageSize));
  const auto step = static_cast<double>(params.bytes("rate").value) *
                    static_cast<double>(params.duration("every").count()) / 1e6;
  if (step > static_cast<double>(kMostPerStep))
    return fail_at("/every", fmt::format("{:.0f} MiB in one step would keep the agent busy for too "
                                         "long (64 MiB at most): a shorter 'every' is needed",
                                         step / kMiB));
  return {};
}

std::vector<std::string> MemoryLeak::exclusive_resources(const Params& params) const {
  if (in_cgroup(params)) return {"memory-leak:cgroup:" + params.text("cgroup")};
  if (params.has("pid")) return {fmt::format("memory-leak:pid:{}", params.integer("pid"))};
  return {"memory-leak:process:" + params.text("process")};
}

Result<Json> MemoryLeak::capture(Host& host, const Params& params) const {
  auto where = host.processes().namespace_id();
  if (!where) return std::unexpected(where.error());
  auto record = in_cgroup(params) ? capture_cgroup(host, params) : capture_process(host, params);
  if (!record) return std::unexpected(record.error());
  record->where = std::move(*where);
  return to_json(*record);
}

Result<Json> MemoryLeak::apply(Host& host, const Params&, const Json& json) const {
  const auto record = parse_leak_record(json);
  if (!record) return std::unexpected(record.error());
  Duration stopped{0};
  if (record->holder.empty()) {
    const auto mapped = map_in_target(host, *record);
    if (!mapped) return std::unexpected(mapped.error());
    stopped = *mapped;
  } else {
    const auto holder =
        host.processes().start_holder({record->holder, record->cgroup, record->region});
    if (!holder) return std::unexpected(holder.error());
  }
  const auto place = find_ours(host, *record);
  if (!place) return std::unexpected(place.error());
  if (!*place) return fail(ErrorCode::not_found, "the target went while memory was mapped in it");
  auto values = values_of(host, *record, *place);
  if (!values) return values;
  values->update({{"address", fmt::format("{:#x}", record->region.address)},
                  {"mapped_bytes", record->region.length},
                  {"stopped_us", stopped.count()}});
  return values;
}

Result<UndoOutcome> MemoryLeak::undo(Host& host, const Json& json) const {
  const auto record = parse_leak_record(json);
  if (!record) return std::unexpected(record.error());
  const bool in_process = record->holder.empty();
  if (in_process) {
    const auto pending = host.processes().injection_pending(record->target);
    if (!pending) return std::unexpected(pending.error());
    if (*pending)
      return fail(ErrorCode::unavailable, fmt::format("a helper still has hold of '{}' ({})",
                                                      record->process, record->target.pid));
  }
  const auto places = find_places(host, *record);
  if (!places) return std::unexpected(places.error());
  auto outcome = UndoOutcome::already_gone;
  for (const Place& place : *places) {
    if (place.presence == Presence::foreign && in_process) outcome = UndoOutcome::superseded;
    if (place.presence != Presence::ours) continue;
    const auto removed =
        in_process ? unmap_from_target(host, *record) : host.processes().end_holder(place.process);
    // A target that dies takes the memory along.
    if (!removed && removed.error().code != ErrorCode::not_found)
      return std::unexpected(removed.error());
    outcome = UndoOutcome::restored;
  }
  const auto left = find_ours(host, *record);
  if (!left) return std::unexpected(left.error());
  if (*left)
    return fail(ErrorCode::io_failed,
                fmt::format("process {} still has {} of ours at {:#x}", (*left)->process.pid,
                            to_string(ByteCount{record->region.length}), record->region.address));
  return outcome;
}

Result<Verification> MemoryLeak::verify(Host& host, const Json& json) const {
  const auto record = parse_leak_record(json);
  if (!record) return std::unexpected(record.error());
  const auto place = find_ours(host, *record);
  if (!place) return std::unexpected(place.error());
  Verification out;
  if (*place)
    out.differences.push_back(
        fmt::format("process {}: {} of ours are mapped at {:#x}", (*place)->process.pid,
                    to_string(ByteCount{record->region.length}), record->region.address));
  return out;
}

std::optional<Duration> MemoryLeak::pace(const Params& params) const {
  return params.duration("every");
}

Result<Json> MemoryLeak::advance(Host& host, const Params& params, const Json& json,
                                 Duration active) const {
  const auto record = parse_leak_record(json);
  if (!record) return std::unexpected(record.error());
  const auto place = find_ours(host, *record);
  if (!place) return std::unexpected(place.error());
  if (!*place) return values_of(host, *record, *place);
  const auto filled = host.processes().filled((*place)->process, record->region);
  if (!filled && filled.error().code == ErrorCode::not_found)
    return values_of(host, *record, std::nullopt);
  if (!filled) return std::unexpected(filled.error());
  const std::uint64_t due = due_bytes(params, record->region, active);
  if (due > *filled) {
    const Region part{record->region.address + *filled, std::min(due - *filled, kMostAtOnce)};
    const auto grown = host.processes().fill((*place)->process, part);
    if (!grown && grown.error().code == ErrorCode::not_found)
      return values_of(host, *record, std::nullopt);
    if (!grown) return std::unexpected(grown.error());
  }
  return values_of(host, *record, *place);
}

}  // namespace firedrill::agent
