// The list of probes: a new kind is one line here.
#include <fmt/core.h>

#include "agent/probes/kinds.hpp"

namespace firedrill::agent {

const std::vector<std::unique_ptr<Probe>>& probe_registry() {
  static const auto registry = [] {
    std::vector<std::unique_ptr<Probe>> probes;
    probes.push_back(make_http_probe());
    probes.push_back(make_tcp_probe());
    probes.push_back(make_etcd_probe());
    probes.push_back(make_nic_ring_probe());
    probes.push_back(make_nic_counters_probe());
    probes.push_back(make_tcp_stats_probe());
    probes.push_back(make_fsync_probe());
    probes.push_back(make_disk_probe());
    probes.push_back(make_kernel_log_probe());
    probes.push_back(make_process_memory_probe());
    probes.push_back(make_cgroup_memory_probe());
    probes.push_back(make_pressure_probe());
    probes.push_back(make_route_probe());
    probes.push_back(make_bird_probe());
    probes.push_back(make_log_probe());
    return probes;
  }();
  return registry;
}

const Probe* find_probe(std::string_view name) {
  for (const auto& probe : probe_registry())
    if (probe->name() == name) return probe.get();
  return nullptr;
}

std::vector<rpc::Capability> describe_probes() {
  std::vector<rpc::Capability> described;
  for (const auto& probe : probe_registry()) {
    Support support = probe->probe_support();
    const auto values = probe->values();
    described.push_back({.name = std::string(probe->name()),
                         .summary = std::string(probe->summary()),
                         .schema = to_json_schema(probe->schema()),
                         .supported = support.supported,
                         .reason = std::move(support.reason),
                         .values = {values.begin(), values.end()}});
  }
  return described;
}

Result<std::unique_ptr<ProbeSession>> open_probe(std::string_view name, const Json& params) {
  const Probe* probe = find_probe(name);
  if (probe == nullptr) {
    std::vector<std::string_view> known;
    for (const auto& one : probe_registry()) known.push_back(one->name());
    return fail(ErrorCode::not_found,
                fmt::format("no probe '{}'.{}", name, suggestion(name, known)));
  }
  const auto valid = validate_params(probe->schema(), params, "");
  if (!valid) return with_context(valid.error(), fmt::format("probe '{}'", name));
  auto session = probe->open(*valid);
  if (!session) return with_context(session.error(), fmt::format("probe '{}'", name));
  return session;
}

}  // namespace firedrill::agent
