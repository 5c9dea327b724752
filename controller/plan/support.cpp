// Checks names and parameters against an agent's description.
#include "controller/plan/support.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "firedrill/schema.hpp"

namespace firedrill {
namespace {

Result<const rpc::Capability*> find_capability(const AgentView& agent, std::string_view kind,
                                               const std::vector<rpc::Capability>& known,
                                               const std::string& name,
                                               const std::string& pointer) {
  const auto found = std::ranges::find(known, name, &rpc::Capability::name);
  if (found == known.end()) {
    std::vector<std::string_view> names;
    for (const rpc::Capability& one : known) names.emplace_back(one.name);
    return fail_at(pointer, fmt::format("the agent on {} knows no {} '{}'.{}", agent.host, kind,
                                        name, suggestion(name, names)));
  }
  if (found->supported) return &*found;
  return std::unexpected(
      Error{ErrorCode::unsupported, 0,
            fmt::format("host {} cannot do {} '{}': {}", agent.host, kind, name, found->reason),
            pointer});
}

Result<std::vector<OwnedParamSpec>> table_of(const AgentView& agent,
                                             const rpc::Capability& capability) {
  auto specs = from_json_schema(capability.schema);
  if (specs) return specs;
  return with_context(specs.error(), fmt::format("what the agent on {} says of '{}' cannot be read",
                                                 agent.host, capability.name));
}

Result<void> check_arguments(const AgentView& agent, const rpc::Capability& capability,
                             const Json& arguments, const std::string& pointer) {
  const auto specs = table_of(agent, capability);
  if (!specs) return std::unexpected(specs.error());
  const auto params = validate_params(*specs, arguments, pointer);
  if (!params) return std::unexpected(params.error());
  return {};
}

}  // namespace

Result<void> check_fault(const AgentView& agent, const std::string& fault, const Json& arguments,
                         const Place& place) {
  const auto capability = find_capability(agent, "fault", agent.faults, fault, place.name);
  if (!capability) return std::unexpected(capability.error());
  return check_arguments(agent, **capability, arguments, place.arguments);
}

Result<void> check_ramp(const AgentView& agent, const std::string& fault, const Json& arguments,
                        const Ramp& ramp, const std::string& pointer) {
  const auto capability = find_capability(agent, "fault", agent.faults, fault, pointer);
  if (!capability) return std::unexpected(capability.error());
  const auto specs = table_of(agent, **capability);
  if (!specs) return std::unexpected(specs.error());
  const auto start = validate_ramp(*specs, arguments, ramp, pointer);
  if (!start) return std::unexpected(start.error());
  return {};
}

Result<void> check_probe(const AgentView& agent, const std::string& probe, const Json& arguments,
                         const std::string& measure, const Place& place) {
  const auto capability = find_capability(agent, "probe", agent.probes, probe, place.name);
  if (!capability) return std::unexpected(capability.error());
  if (auto done = check_arguments(agent, **capability, arguments, place.arguments); !done)
    return done;
  const std::vector<std::string>& values = (*capability)->values;
  const auto listed = [&](std::string_view word) {
    return std::ranges::find(values, word) != values.end();
  };
  if (values.empty() || listed("*") || listed(measure)) return {};
  const std::vector<std::string_view> words(values.begin(), values.end());
  return fail_at(place.measure, fmt::format("probe '{}' gives no '{}'.{}", probe, measure,
                                            suggestion(measure, words)));
}

}  // namespace firedrill
