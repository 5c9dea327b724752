#include "agent/faults/throttle_record.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "agent/faults/record.hpp"

namespace firedrill::agent {
namespace {

using kernel::IoLimit;
using kernel::IoLimits;

constexpr std::string_view kParams[] = {"read-rate", "write-rate", "read-iops", "write-iops"};

std::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::corrupt, fmt::format("undo record of io-throttle: {}", what));
}

Result<IoLimits> parse_limits(const std::string& text, kernel::DeviceNumber device) {
  return kernel::parse_io_max(fmt::format("{} {}\n", to_string(device), text), device);
}

std::string mark_name(const Throttle& throttle) {
  const std::string device = to_string(throttle.device);
  return throttle.unit.empty() ? "io." + device : fmt::format("io.{}.{}", throttle.unit, device);
}

Result<std::vector<IoLimits>> read_ours(Host& host, const Throttle& throttle,
                                        const kernel::Cgroup& cgroup) {
  const auto text = host.cgroups().mark(cgroup, mark_name(throttle));
  if (!text && text.error().code == ErrorCode::unsupported) return std::vector<IoLimits>{};
  if (!text) return std::unexpected(text.error());
  std::vector<IoLimits> ours;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto limits = parse_limits(line, throttle.device);
    if (!limits) return std::unexpected(limits.error());
    ours.push_back(*limits);
  }
  return ours;
}

/// The cgroup of the record, none when it is gone or another one has its name.
Result<std::optional<kernel::Cgroup>> recorded_cgroup(Host& host, const Throttle& throttle) {
  const auto cgroup = host.cgroups().find(throttle.cgroup);
  if (!cgroup && cgroup.error().code == ErrorCode::not_found) return std::nullopt;
  if (!cgroup) return std::unexpected(cgroup.error());
  if (cgroup->inode != throttle.inode) return std::nullopt;
  return *cgroup;
}

}  // namespace

std::string_view param_of(IoLimit which) { return kParams[static_cast<std::size_t>(which)]; }

Json to_json(const Throttle& throttle) {
  Json which = Json::array();
  for (const IoLimit one : throttle.which) which.push_back(param_of(one));
  Json drop_ins = Json::array();
  // An empty file is not the same as none.
  for (const auto& text : throttle.drop_ins) drop_ins.push_back(text ? "=" + *text : "");
  return Json{{"boot_id", throttle.boot},
              {"major", throttle.device.major},
              {"minor", throttle.device.minor},
              {"device", throttle.device_name},
              {"unit", throttle.unit},
              {"cgroup", throttle.cgroup},
              {"cgroup_inode", throttle.inode},
              {"which", which},
              {"asked", to_string(throttle.asked)},
              {"before", to_string(throttle.before)},
              {"drop_ins", drop_ins}};
}

Result<Throttle> parse_throttle(const Json& record) {
  RecordReader reader(record, "io-throttle");
  Throttle out;
  out.boot = reader.text("boot_id");
  out.device = {reader.number32("major"), reader.number32("minor")};
  out.device_name = reader.text("device");
  out.unit = reader.text("unit");
  out.cgroup = reader.text("cgroup");
  out.inode = reader.number("cgroup_inode");
  const auto which = reader.texts("which");
  const std::string asked = reader.text("asked");
  const std::string before = reader.text("before");
  const auto drop_ins = reader.texts("drop_ins");
  if (auto status = reader.status(); !status) return std::unexpected(status.error());
  for (const std::string& name : which) {
    const auto* found = std::ranges::find(kParams, name);
    if (found == std::end(kParams)) return corrupt(fmt::format("no limit is called '{}'", name));
    out.which.push_back(kernel::kIoLimits[found - std::begin(kParams)]);
  }
  const auto asked_limits = parse_limits(asked, out.device);
  if (!asked_limits) return std::unexpected(asked_limits.error());
  const auto before_limits = parse_limits(before, out.device);
  if (!before_limits) return std::unexpected(before_limits.error());
  out.asked = *asked_limits;
  out.before = *before_limits;
  if (drop_ins.size() != out.drop_ins.size()) return corrupt("'drop_ins' has another length");
  for (std::size_t i = 0; i < drop_ins.size(); ++i)
    if (!drop_ins[i].empty()) out.drop_ins[i] = drop_ins[i].substr(1);
  return out;
}

Result<std::optional<ThrottleReading>> read_throttle(Host& host, const Throttle& throttle) {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  if (where->boot != throttle.boot) return std::nullopt;
  ThrottleReading out;
  auto cgroup = recorded_cgroup(host, throttle);
  if (!cgroup) return std::unexpected(cgroup.error());
  out.cgroup = *cgroup;
  if (out.cgroup) {
    auto ours = read_ours(host, throttle, *out.cgroup);
    if (!ours) return std::unexpected(ours.error());
    out.ours = std::move(*ours);
  }
  if (throttle.unit.empty()) {
    if (!out.cgroup) return std::nullopt;
    const auto limits = host.cgroups().io_limits(*out.cgroup, throttle.device);
    if (!limits) return std::unexpected(limits.error());
    out.limits = *limits;
    return out;
  }
  auto unit = host.cgroups().unit(throttle.unit, throttle.device_node());
  if (!unit && unit.error().code == ErrorCode::not_found) return std::nullopt;
  if (!unit) return std::unexpected(unit.error());
  out.limits = unit->limits;
  out.drop_ins = std::move(unit->drop_ins);
  return out;
}

Result<void> note_ours(Host& host, const Throttle& throttle, const ThrottleReading& reading,
                       const std::vector<IoLimits>& ours) {
  if (!reading.cgroup) return {};
  std::string text;
  for (const IoLimits& limits : ours) text += to_string(limits) + "\n";
  return host.cgroups().set_mark(*reading.cgroup, mark_name(throttle), text);
}

Result<void> write_throttle(Host& host, const Throttle& throttle, const ThrottleReading& reading,
                            const IoLimits& limits, const std::vector<IoLimit>& which) {
  if (!throttle.unit.empty())
    return host.cgroups().set_unit(throttle.unit, throttle.device_node(), limits, which);
  if (!reading.cgroup)
    return fail(ErrorCode::not_found, fmt::format("cgroup '{}' is gone", throttle.cgroup));
  return host.cgroups().set_io_limits(*reading.cgroup, throttle.device, limits, which);
}

}  // namespace firedrill::agent
