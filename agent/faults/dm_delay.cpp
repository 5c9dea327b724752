#include "agent/faults/dm_delay.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "agent/faults/delay_table.hpp"
#include "agent/faults/record.hpp"
#include "agent/host_disk.hpp"

namespace firedrill::agent {
namespace {

using kernel::BlockDevice;
using kernel::DeviceNumber;
using kernel::DmState;
using kernel::DmTable;
using kernel::SectorRange;

constexpr double kLongestUs = 60e6;
/// A table of more pieces costs the kernel a search per request; such a file is no use as a target.
constexpr std::size_t kMostRanges = 4096;

constexpr ParamSpec delay_param(std::string_view name, std::string_view help) {
  return {.name = name,
          .type = ParamType::duration,
          .min = 0,
          .max = kLongestUs,
          .choices = {},
          .default_text = {},
          .help = help,
          .ramps = true};
}

constexpr std::array kSchema{
    ParamSpec{.name = "device",
              .required = true,
              .choices = {},
              .default_text = {},
              .help = "device-mapper name, /dev path or mount point"},
    delay_param("read", "added to each read; whole milliseconds"),
    delay_param("write", "added to each write"),
    delay_param("flush", "added to each flush, as fsync causes them"),
    ParamSpec{.name = "files",
              .choices = {},
              .default_text = {},
              .help = "only the sectors of these files; else the whole device",
              .list = true},
};

struct DelayRecord {
  std::string boot;
  DeviceNumber device;
  std::string name;
  std::string uuid;
  DmTable table;
  std::vector<SectorRange> ranges;
};

Delays delays_in(const Params& params) {
  const auto ms = [&params](std::string_view name) -> std::uint32_t {
    if (!params.has(name)) return 0;
    return static_cast<std::uint32_t>(params.duration(name).count() / 1000);
  };
  return {ms("read"), ms("write"), ms("flush")};
}

Result<SectorRange> parse_range(std::string_view text) {
  SectorRange range;
  const std::size_t plus = std::min(text.find('+'), text.size());
  const auto start = std::from_chars(text.data(), text.data() + plus, range.start);
  const char* from = text.data() + std::min(plus + 1, text.size());
  const auto length = std::from_chars(from, text.data() + text.size(), range.length);
  if (start.ec == std::errc{} && length.ec == std::errc{} && start.ptr == text.data() + plus &&
      length.ptr == text.data() + text.size())
    return range;
  return fail(ErrorCode::corrupt, fmt::format("undo record of dm-delay: '{}' is no range", text));
}

Result<DelayRecord> parse_record(const Json& json) {
  RecordReader reader(json, "dm-delay");
  DelayRecord record;
  record.boot = reader.text("boot_id");
  record.device = {reader.number32("major"), reader.number32("minor")};
  record.name = reader.text("dm_name");
  record.uuid = reader.text("dm_uuid");
  const auto table = reader.texts("table");
  const auto ranges = reader.texts("ranges");
  if (auto status = reader.status(); !status) return std::unexpected(status.error());
  if (table.empty()) return fail(ErrorCode::corrupt, "undo record of dm-delay: 'table' is empty");
  for (const std::string& line : table) {
    auto target = kernel::parse_dm_target(line);
    if (!target) return with_context(target.error(), "undo record of dm-delay");
    record.table.push_back(std::move(*target));
  }
  for (const std::string& text : ranges) {
    const auto range = parse_range(text);
    if (!range) return std::unexpected(range.error());
    record.ranges.push_back(*range);
  }
  return record;
}

Result<void> check_protected(Host& host, const BlockDevice& device) {
  const auto places = host.disks().protected_places();
  if (!places) return std::unexpected(places.error());
  for (const kernel::ProtectedPlace& place : *places)
    if (std::ranges::find(place.devices, device.number) != place.devices.end())
      return fail(
          ErrorCode::refused,
          fmt::format("'{}' carries {}{}; choose another device", device.mapper_name, place.what,
                      place.by_owner ? "" : ", which the undo itself depends on"));
  return {};
}

Result<void> check_state(const BlockDevice& device, const DmState& state) {
  const auto& name = device.mapper_name;
  if (state.suspended || state.inactive)
    return fail(ErrorCode::conflict,
                fmt::format("'{0}' {1}: somebody is changing it; wait, or `dmsetup {2} {0}`", name,
                            state.suspended ? "is suspended" : "has a table loaded",
                            state.suspended ? "resume" : "clear"));
  if (state.read_only)
    return fail(ErrorCode::unsupported,
                fmt::format("'{}' is read-only; dm-delay needs a writable device", name));
  if (std::ranges::find(state.live, "delay", &kernel::DmTarget::type) != state.live.end())
    return fail(ErrorCode::conflict,
                fmt::format("'{}' carries a delay already; end that injection first", name));
  return {};
}

/// The sectors of `files`, which must all lie on `device`.
Result<std::vector<SectorRange>> ranges_of(Host& host, const std::vector<std::string>& files,
                                           const BlockDevice& device) {
  std::vector<SectorRange> out;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::string pointer = pointer_join("/files", i);
    const auto extents = host.disks().extents(files[i]);
    if (!extents) {
      Error error = extents.error();
      error.pointer = pointer;
      return std::unexpected(std::move(error));
    }
    if (extents->device != device.number)
      return fail_at(pointer, fmt::format("'{}' lies on device {}, not on '{}' ({})", files[i],
                                          to_string(extents->device), device.mapper_name,
                                          to_string(device.number)));
    if (extents->ranges.empty())
      return fail_at(pointer, fmt::format("'{}' has no sectors yet: write to it first", files[i]));
    out.insert(out.end(), extents->ranges.begin(), extents->ranges.end());
  }
  out = merge_ranges(std::move(out));
  if (out.size() <= kMostRanges) return out;
  return fail_at("/files", fmt::format("these files lie in {} pieces, at most {} are possible; "
                                       "name fewer files, or delay the whole device",
                                       out.size(), kMostRanges));
}

std::vector<std::string> texts_of(const DmTable& table) {
  std::vector<std::string> out;
  for (const auto& target : table) out.push_back(to_string(target));
  return out;
}

/// The device's state; none when the boot or the device of the record is over.
Result<std::optional<DmState>> recorded_state(Host& host, const DelayRecord& record) {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  if (where->boot != record.boot) return std::nullopt;
  auto state = host.disks().state(record.device);
  if (!state || !*state) return state;
  // A device that was renamed is the same still; a number that was reused is not.
  const bool same = (*state)->name == record.name ||
                    (!record.uuid.empty() && (*state)->uuid == record.uuid) ||
                    delays_of((*state)->live, record.table, record.ranges).has_value();
  if (!same) return std::nullopt;
  return state;
}

/// Takes back what a swap that stopped half way left: a loaded table, a suspended device.
Result<void> recover(Host& host, const DelayRecord& record, const DmState& state) {
  // Resuming first would swap in whatever is loaded.
  if (state.inactive)
    if (auto cleared = host.disks().clear(record.device); !cleared)
      return std::unexpected(cleared.error());
  if (!state.suspended) return {};
  return host.disks().resume(record.device);
}

/// Loads, compares what the kernel took, swaps it in and compares again.
Result<void> try_swap(Host& host, const DelayRecord& record, const DmTable& table) {
  if (auto loaded = host.disks().load(record.device, table); !loaded)
    return std::unexpected(loaded.error());
  const auto before = host.disks().state(record.device);
  if (!before) return std::unexpected(before.error());
  if (!*before || (*before)->inactive != table)
    return fail(
        ErrorCode::io_failed,
        fmt::format("'{}': the kernel did not take the table as it was given", record.name));
  if (auto resumed = host.disks().resume(record.device); !resumed)
    return std::unexpected(resumed.error());
  const auto after = host.disks().state(record.device);
  if (!after) return std::unexpected(after.error());
  if (!*after || (*after)->live != table || (*after)->suspended || (*after)->inactive)
    return fail(ErrorCode::io_failed,
                fmt::format("'{}': its table is not what was swapped in", record.name));
  return {};
}

Result<void> swap_table(Host& host, const DelayRecord& record, const DmTable& table) {
  auto swapped = try_swap(host, record, table);
  if (swapped) return swapped;
  // A suspended disk cannot wait for the next attempt; why the swap failed is what counts.
  const auto state = host.disks().state(record.device);
  if (!state || !*state) return swapped;
  if (auto recovered = recover(host, record, **state); !recovered)
    return with_context(swapped.error(), describe(recovered.error()));
  return swapped;
}

Result<Json> swap_and_report(Host& host, const DelayRecord& record, const Delays& delays) {
  const auto table = delayed_table(record.table, record.ranges, delays);
  if (!table) return std::unexpected(table.error());
  if (auto swapped = swap_table(host, record, *table); !swapped)
    return std::unexpected(swapped.error());
  return Json{{"device", record.name},          {"read_ms", delays.read_ms},
              {"write_ms", delays.write_ms},    {"flush_ms", delays.flush_ms},
              {"pieces", record.ranges.size()}, {"table", texts_of(*table)}};
}

}  // namespace

std::string_view DmDelay::summary() const {
  return "Slows a disk's reads, writes or flushes, for all of it or for chosen files";
}

std::span<const ParamSpec> DmDelay::schema() const { return kSchema; }

Json DmDelay::example() const { return Json{{"device", "db-1-data"}, {"flush", "100ms"}}; }

Support DmDelay::probe_support(Host& host) const {
  const auto has = host.disks().has_target("delay");
  if (!has) return {false, has.error().what};
  if (*has)
    return {true,
            "any device of linear targets that holds neither the root file system, "
            "swap nor the agent"};
  return {false, "this kernel has no dm-delay (CONFIG_DM_DELAY); install its module"};
}

Result<void> DmDelay::check(const Params& params) const {
  bool any = false;
  for (const std::string_view name : {"read", "write", "flush"}) {
    if (!params.has(name)) continue;
    const Duration delay = params.duration(name);
    if (delay.count() % 1000 != 0)
      return fail_at(pointer_join("", name), "dm-delay counts whole milliseconds");
    any = any || delay.count() > 0;
  }
  if (!any) return fail_at("", "give at least one of 'read', 'write' and 'flush' above 0");
  if (!params.has("files")) return {};
  const auto files = params.texts("files");
  if (files.empty()) return fail_at("/files", "name a file, or leave 'files' out");
  for (std::size_t i = 0; i < files.size(); ++i)
    if (!files[i].starts_with('/'))
      return fail_at(pointer_join("/files", i), fmt::format("'{}' is not absolute", files[i]));
  return {};
}

std::vector<std::string> DmDelay::exclusive_resources(const Params& params) const {
  return {"dm-delay:" + params.text("device")};
}

Result<Json> DmDelay::capture(Host& host, const Params& params) const {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto device = host.disks().find(params.text("device"));
  if (!device) return std::unexpected(device.error());
  if (device->mapper_name.empty())
    return fail(ErrorCode::unsupported,
                fmt::format("'{}' ({}) is no device-mapper device, so that nothing can slip in "
                            "below its file system; use io-throttle, or mount it through "
                            "device-mapper",
                            params.text("device"), device->name));
  if (auto allowed = check_protected(host, *device); !allowed)
    return std::unexpected(allowed.error());
  const auto state = host.disks().state(device->number);
  if (!state) return std::unexpected(state.error());
  if (!*state) return fail(ErrorCode::not_found, fmt::format("'{}' vanished", device->name));
  if (auto fit = check_state(*device, **state); !fit) return std::unexpected(fit.error());
  std::vector<SectorRange> ranges;
  if (params.has("files")) {
    auto found = ranges_of(host, params.texts("files"), *device);
    if (!found) return std::unexpected(found.error());
    ranges = std::move(*found);
  }
  if (const auto table = delayed_table((*state)->live, ranges, delays_in(params)); !table)
    return with_context(table.error(), fmt::format("'{}'", device->mapper_name));
  Json record{{"boot_id", where->boot},         {"major", device->number.major},
              {"minor", device->number.minor},  {"dm_name", device->mapper_name},
              {"dm_uuid", device->mapper_uuid}, {"table", texts_of((*state)->live)},
              {"ranges", Json::array()}};
  for (const SectorRange& range : ranges)
    record["ranges"].push_back(fmt::format("{}+{}", range.start, range.length));
  return record;
}

Result<Json> DmDelay::apply(Host& host, const Params& params, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto state = recorded_state(host, *record);
  if (!state) return std::unexpected(state.error());
  if (!*state || (*state)->live != record->table || (*state)->suspended || (*state)->inactive)
    return fail(ErrorCode::conflict,
                fmt::format("'{}' ({}) is not what it was when this was prepared", record->name,
                            to_string(record->device)));
  return swap_and_report(host, *record, delays_in(params));
}

Result<Json> DmDelay::adjust(Host& host, const Params& params, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto state = recorded_state(host, *record);
  if (!state) return std::unexpected(state.error());
  if (!*state || !delays_of((*state)->live, record->table, record->ranges))
    return fail(ErrorCode::conflict,
                fmt::format("'{}' does not carry our delay any more", record->name));
  return swap_and_report(host, *record, delays_in(params));
}

Result<UndoOutcome> DmDelay::undo(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto found = recorded_state(host, *record);
  if (!found) return std::unexpected(found.error());
  if (!*found) return UndoOutcome::already_gone;
  const DmState& state = **found;
  const auto is_ours = [&](const DmTable& table) {
    return delays_of(table, record->table, record->ranges).has_value();
  };
  const bool loaded_by_us =
      state.inactive && (is_ours(*state.inactive) || *state.inactive == record->table);
  if (is_ours(state.live)) {
    if (state.inactive && !loaded_by_us)
      return fail(ErrorCode::conflict, fmt::format("'{}' has a table loaded that is not ours: "
                                                   "somebody is changing it now",
                                                   record->name));
    // Also when suspended: loading replaces what is loaded, and resuming swaps it in.
    if (auto swapped = swap_table(host, *record, record->table); !swapped)
      return std::unexpected(swapped.error());
    return UndoOutcome::restored;
  }
  if (state.live != record->table && !loaded_by_us) return UndoOutcome::superseded;
  if (state.inactive && !loaded_by_us) return UndoOutcome::superseded;
  if (!state.inactive && !state.suspended) return UndoOutcome::already_gone;
  if (auto recovered = recover(host, *record, state); !recovered)
    return std::unexpected(recovered.error());
  return state.live == record->table ? UndoOutcome::restored : UndoOutcome::superseded;
}

Result<Verification> DmDelay::verify(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto state = recorded_state(host, *record);
  if (!state) return std::unexpected(state.error());
  Verification out;
  if (!*state) return out;  // it went, and its table with it
  if ((*state)->suspended)
    out.differences.push_back(fmt::format("'{}' is suspended", record->name));
  if ((*state)->inactive)
    out.differences.push_back(fmt::format("'{}' has a table loaded", record->name));
  if ((*state)->live != record->table)
    out.differences.push_back(fmt::format("'{}' has table [{}], had [{}]", record->name,
                                          fmt::join(texts_of((*state)->live), "; "),
                                          fmt::join(texts_of(record->table), "; ")));
  return out;
}

}  // namespace firedrill::agent
