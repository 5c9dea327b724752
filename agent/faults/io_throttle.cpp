#include "agent/faults/io_throttle.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/faults/throttle_record.hpp"
#include "agent/host_disk.hpp"

namespace firedrill::agent {
namespace {

using kernel::BlockDevice;
using kernel::Cgroup;
using kernel::IoLimit;
using kernel::IoLimits;
using kernel::kIoLimits;

/// io.max takes 1 of neither; beyond 2^32 − 2 operations it means "no limit" [kernel-facts §5].
constexpr double kLeast = 2, kMostBytes = 1e15, kMostOperations = 4294967294.0;

constexpr ParamSpec text_param(std::string_view name, std::string_view help, bool required) {
  return {.name = name, .required = required, .choices = {}, .default_text = {}, .help = help};
}

constexpr ParamSpec limit_param(std::string_view name, ParamType type, double most,
                                std::string_view help) {
  return {.name = name,
          .type = type,
          .min = kLeast,
          .max = most,
          .choices = {},
          .default_text = {},
          .help = help,
          .ramps = true};
}

constexpr std::array kSchema{
    text_param("device", "mount point, /dev path or name; limited as the whole disk", true),
    text_param("cgroup", "path below /sys/fs/cgroup", false),
    ParamSpec{.name = "pid",
              .type = ParamType::integer,
              .min = 1,
              .max = 4194304,
              .choices = {},
              .default_text = {},
              .help = "all of this process's cgroup"},
    text_param("unit", "systemd unit, through systemd's own properties", false),
    limit_param("read-rate", ParamType::bytes, kMostBytes, "bytes read per second"),
    limit_param("write-rate", ParamType::bytes, kMostBytes, "bytes written per second"),
    limit_param("read-iops", ParamType::integer, kMostOperations, "reads per second"),
    limit_param("write-iops", ParamType::integer, kMostOperations, "writes per second"),
};

std::uint64_t asked_for(const Params& params, IoLimit which) {
  const std::string_view name = param_of(which);
  const bool bytes = which == IoLimit::read_bytes || which == IoLimit::write_bytes;
  return bytes ? params.bytes(name).value : static_cast<std::uint64_t>(params.integer(name));
}

/// `limits` with what the parameters ask for.
IoLimits with_asked(IoLimits limits, const Params& params) {
  for (const IoLimit which : kIoLimits)
    if (params.has(param_of(which))) limits.at(which) = asked_for(params, which);
  return limits;
}

std::string target_text(const Params& params) {
  if (params.has("unit")) return "unit " + params.text("unit");
  if (params.has("pid")) return fmt::format("pid {}", params.integer("pid"));
  return "cgroup " + params.text("cgroup");
}

/// Refuses a cgroup in which the host's own life, or ours, would be starved.
Result<void> check_members(Host& host, const Cgroup& cgroup) {
  if (cgroup.path == "/")
    return fail(ErrorCode::refused,
                "the root cgroup cannot be limited; choose the service's own cgroup");
  const auto member = host.cgroups().protected_member(cgroup);
  if (!member) return std::unexpected(member.error());
  if (!*member) return {};
  return fail(ErrorCode::refused,
              fmt::format("cgroup '{}' holds {}, which must stay alive; choose a cgroup that holds "
                          "the service alone",
                          cgroup.path, **member));
}

/// Refuses a disk that the host's owner protects, by whatever name it was given.
Result<void> check_owner(Host& host, const BlockDevice& device) {
  const auto places = host.disks().protected_places();
  if (!places) return std::unexpected(places.error());
  for (const kernel::ProtectedPlace& place : *places)
    if (place.by_owner && (std::ranges::find(place.devices, device.number) != place.devices.end() ||
                           std::ranges::find(place.devices, device.whole) != place.devices.end()))
      return fail(ErrorCode::refused,
                  fmt::format("'{}' carries {}; choose another device", device.name, place.what));
  return {};
}

Result<void> capture_cgroup(Host& host, const Params& params, const BlockDevice& device,
                            Throttle& out) {
  const auto path = params.has("pid") ? host.cgroups().of_process(params.integer("pid"))
                                      : Result<std::string>(params.text("cgroup"));
  if (!path) return std::unexpected(path.error());
  const auto cgroup = host.cgroups().find(*path);
  if (!cgroup) return std::unexpected(cgroup.error());
  if (auto members = check_members(host, *cgroup); !members) return members;
  if (!cgroup->limits_io)
    return fail(ErrorCode::unsupported,
                fmt::format("the io controller is not on in cgroup '{}': write +io into the "
                            "cgroup.subtree_control of each cgroup above it, or give 'unit' for "
                            "a unit of systemd",
                            cgroup->path));
  out.device = device.whole;
  out.device_name = device.name;
  out.cgroup = cgroup->path;
  out.inode = cgroup->inode;
  return {};
}

Result<void> capture_unit(Host& host, const Params& params, const BlockDevice& device,
                          Throttle& out) {
  const auto runs = host.cgroups().systemd_runs();
  if (!runs) return std::unexpected(runs.error());
  if (!*runs)
    return fail(ErrorCode::unsupported, "systemd does not run here; give 'cgroup' or 'pid'");
  out.unit = params.text("unit");
  // systemd follows one layer by itself, and would then limit another device than it shows.
  const auto lowest = host.disks().lowest(device.number);
  if (!lowest) return std::unexpected(lowest.error());
  out.device = lowest->number;
  out.device_name = lowest->name;
  const auto unit = host.cgroups().unit(out.unit, out.device_node());
  if (!unit) return std::unexpected(unit.error());
  if (unit->cgroup.empty())
    return fail(ErrorCode::refused,
                fmt::format("unit '{}' has no processes to throttle; start it", out.unit));
  const auto own = host.cgroups().find(unit->cgroup);
  if (!own) return std::unexpected(own.error());
  if (auto members = check_members(host, *own); !members) return members;
  const auto above = host.cgroups().find(own->path.substr(0, own->path.rfind('/') + 1));
  if (!above) return std::unexpected(above.error());
  out.cgroup = above->path;
  out.inode = above->inode;
  return {};
}

bool equal_in(const IoLimits& a, const IoLimits& b, const std::vector<IoLimit>& which) {
  return std::ranges::all_of(which, [&](IoLimit one) { return a.at(one) == b.at(one); });
}

IoLimits replaced(IoLimits limits, const IoLimits& by, const std::vector<IoLimit>& which) {
  for (const IoLimit one : which) limits.at(one) = by.at(one);
  return limits;
}

/// Sets `wanted` after noting it, and reads it back.
Result<Json> set_limits(Host& host, const Throttle& throttle, const ThrottleReading& reading,
                        const IoLimits& wanted, const std::vector<IoLimits>& ours) {
  // Without notes an injection is known by what was asked for; only a ramp cannot do without.
  if (auto noted = note_ours(host, throttle, reading, ours);
      !noted && (noted.error().code != ErrorCode::unsupported || ours.size() > 1))
    return std::unexpected(noted.error());
  if (auto set = write_throttle(host, throttle, reading, wanted, throttle.which); !set)
    return std::unexpected(set.error());
  const auto after = read_throttle(host, throttle);
  if (!after) return std::unexpected(after.error());
  if (!*after || !equal_in((*after)->limits, wanted, throttle.which))
    return fail(ErrorCode::io_failed,
                fmt::format("asked for {}, but the limits are {}", to_string(wanted),
                            *after ? to_string((*after)->limits) : "gone"));
  Json values{{"device", to_string(throttle.device)},
              {"cgroup", throttle.cgroup},
              {"limits", to_string((*after)->limits)}};
  if (!throttle.unit.empty()) values["unit"] = throttle.unit;
  return values;
}

/// What undo does with each limit that was asked for.
struct Judgement {
  std::vector<IoLimit> ours;
  bool superseded = false;
};

Judgement judge(const Throttle& throttle, const ThrottleReading& now) {
  Judgement out;
  for (const IoLimit which : throttle.which) {
    const auto index = static_cast<std::size_t>(which);
    const auto& value = now.limits.at(which);
    const bool same_file = now.drop_ins[index] == throttle.drop_ins[index];
    if (value == throttle.before.at(which) && (same_file || now.ours.empty())) continue;
    const bool set_by_us = value == throttle.asked.at(which) ||
                           std::ranges::any_of(now.ours, [&](const IoLimits& limits) {
                             return limits.at(which) == value;
                           });
    if (set_by_us || value == throttle.before.at(which)) out.ours.push_back(which);
    else out.superseded = true;
  }
  return out;
}

/// Is every limit that was asked for still as we set it?
bool carries_ours(const Throttle& throttle, const ThrottleReading& now) {
  return std::ranges::any_of(now.ours, [&](const IoLimits& limits) {
    return equal_in(now.limits, limits, throttle.which);
  });
}

Result<void> put_back(Host& host, const Throttle& throttle, const ThrottleReading& now,
                      const std::vector<IoLimit>& ours) {
  const IoLimits wanted = replaced(now.limits, throttle.before, ours);
  if (auto set = write_throttle(host, throttle, now, wanted, ours); !set) return set;
  if (!throttle.unit.empty()) {
    UnitLimits before;
    before.drop_ins = throttle.drop_ins;
    if (auto restored = host.cgroups().restore_drop_ins(throttle.unit, before, ours); !restored)
      return restored;
  }
  const auto after = read_throttle(host, throttle);
  if (!after) return std::unexpected(after.error());
  if (!*after || equal_in((*after)->limits, throttle.before, ours)) return {};
  return fail(ErrorCode::io_failed, fmt::format("set the limits back to {}, but they are {}",
                                                to_string(wanted), to_string((*after)->limits)));
}

}  // namespace

std::string_view IoThrottle::summary() const {
  return "Limits what a cgroup, process or unit may read from and write to a disk per second";
}

std::span<const ParamSpec> IoThrottle::schema() const { return kSchema; }

Json IoThrottle::example() const {
  return Json{{"cgroup", "db-1/etcd"}, {"device", "/srv/db-1"}, {"write-rate", "1MiB"}};
}

Support IoThrottle::probe_support(Host& host) const {
  const auto root = host.cgroups().find("/");
  if (!root) return {false, root.error().what};
  return {true, root->version_one ? "by the blkio controller of cgroup v1; buffered writes are "
                                    "not limited"
                                  : "by io.max of cgroup v2"};
}

Result<void> IoThrottle::check(const Params& params) const {
  int targets = 0;
  for (const std::string_view name : {"cgroup", "pid", "unit"}) targets += params.has(name) ? 1 : 0;
  if (targets != 1) return fail_at("", "give exactly one of 'cgroup', 'pid' and 'unit'");
  if (params.has("unit") && params.text("unit").find('.') == std::string::npos)
    return fail_at("/unit",
                   fmt::format("'{0}' lacks its type; '{0}.service'?", params.text("unit")));
  if (std::ranges::any_of(kIoLimits, [&](IoLimit one) { return params.has(param_of(one)); }))
    return {};
  return fail_at("", "give at least one of 'read-rate', 'write-rate', 'read-iops', 'write-iops'");
}

std::vector<std::string> IoThrottle::exclusive_resources(const Params& params) const {
  return {fmt::format("io-throttle:{} on {}", target_text(params), params.text("device"))};
}

Result<Json> IoThrottle::capture(Host& host, const Params& params) const {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto device = host.disks().find(params.text("device"));
  if (!device) return std::unexpected(device.error());
  if (auto allowed = check_owner(host, *device); !allowed) return std::unexpected(allowed.error());
  Throttle throttle;
  throttle.boot = where->boot;
  for (const IoLimit which : kIoLimits)
    if (params.has(param_of(which))) throttle.which.push_back(which);
  throttle.asked = with_asked({}, params);
  const auto captured = params.has("unit") ? capture_unit(host, params, *device, throttle)
                                           : capture_cgroup(host, params, *device, throttle);
  if (!captured) return std::unexpected(captured.error());
  const auto reading = read_throttle(host, throttle);
  if (!reading) return std::unexpected(reading.error());
  if (!*reading) return fail(ErrorCode::not_found, target_text(params) + " vanished");
  if (!(*reading)->ours.empty())
    return fail(ErrorCode::conflict,
                fmt::format("{} carries a limit of ours on {} already; end that injection first",
                            target_text(params), to_string(throttle.device)));
  if (equal_in((*reading)->limits, throttle.asked, throttle.which))
    return fail_at("", fmt::format("{} has these limits already ({})", target_text(params),
                                   to_string((*reading)->limits)));
  throttle.before = (*reading)->limits;
  throttle.drop_ins = (*reading)->drop_ins;
  return to_json(throttle);
}

Result<Json> IoThrottle::apply(Host& host, const Params& params, const Json& json) const {
  const auto throttle = parse_throttle(json);
  if (!throttle) return std::unexpected(throttle.error());
  const auto reading = read_throttle(host, *throttle);
  if (!reading) return std::unexpected(reading.error());
  if (!*reading || !(*reading)->ours.empty() ||
      !equal_in((*reading)->limits, throttle->before, throttle->which))
    return fail(ErrorCode::conflict,
                fmt::format("{} is not what it was when this was prepared", target_text(params)));
  const IoLimits wanted = with_asked((*reading)->limits, params);
  return set_limits(host, *throttle, **reading, wanted, {wanted});
}

Result<Json> IoThrottle::adjust(Host& host, const Params& params, const Json& json) const {
  const auto throttle = parse_throttle(json);
  if (!throttle) return std::unexpected(throttle.error());
  const auto reading = read_throttle(host, *throttle);
  if (!reading) return std::unexpected(reading.error());
  if (!*reading || !carries_ours(*throttle, **reading))
    return fail(ErrorCode::conflict,
                fmt::format("{} does not have our limits any more", target_text(params)));
  const IoLimits wanted = with_asked((*reading)->limits, params);
  return set_limits(host, *throttle, **reading, wanted, {(*reading)->limits, wanted});
}

Result<UndoOutcome> IoThrottle::undo(Host& host, const Json& json) const {
  const auto throttle = parse_throttle(json);
  if (!throttle) return std::unexpected(throttle.error());
  const auto reading = read_throttle(host, *throttle);
  if (!reading) return std::unexpected(reading.error());
  if (!*reading) return UndoOutcome::already_gone;
  const Judgement judgement = judge(*throttle, **reading);
  if (!judgement.ours.empty())
    if (auto back = put_back(host, *throttle, **reading, judgement.ours); !back)
      return std::unexpected(back.error());
  if (!(*reading)->ours.empty())
    if (auto cleared = note_ours(host, *throttle, **reading, {}); !cleared)
      return std::unexpected(cleared.error());
  if (judgement.superseded) return UndoOutcome::superseded;
  const bool nothing = judgement.ours.empty() && (*reading)->ours.empty();
  return nothing ? UndoOutcome::already_gone : UndoOutcome::restored;
}

Result<Verification> IoThrottle::verify(Host& host, const Json& json) const {
  const auto throttle = parse_throttle(json);
  if (!throttle) return std::unexpected(throttle.error());
  const auto reading = read_throttle(host, *throttle);
  if (!reading) return std::unexpected(reading.error());
  Verification out;
  if (!*reading) return out;  // the limits went with the cgroup
  const std::string place = throttle->unit.empty() ? throttle->cgroup : throttle->unit;
  if (!equal_in((*reading)->limits, throttle->before, throttle->which))
    out.differences.push_back(fmt::format("'{}' has limits {}, had {}", place,
                                          to_string((*reading)->limits),
                                          to_string(throttle->before)));
  for (const IoLimit which : throttle->which) {
    const auto index = static_cast<std::size_t>(which);
    if ((*reading)->drop_ins[index] != throttle->drop_ins[index])
      out.differences.push_back(
          fmt::format("'{}': systemd's drop-in for {} differs", place, param_of(which)));
  }
  if (!(*reading)->ours.empty())
    out.differences.push_back(fmt::format("'{}' still carries our note", place));
  return out;
}

}  // namespace firedrill::agent
