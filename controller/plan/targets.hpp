// Which hosts a target means, among those that are connected. Pure and reproducible.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "controller/plan/plan.hpp"

namespace firedrill {

/// The hosts of one target, sorted by name; never empty. The rule of choice is at make_plan().
/// @errors not_found a named host is not connected; invalid_input nothing fits, or too few
[[nodiscard]] Result<std::vector<std::string>> resolve_target(const Target& target,
                                                              std::span<const AgentView> agents,
                                                              std::uint64_t seed);

/// Null when no such host is connected.
[[nodiscard]] const AgentView* find_agent(std::span<const AgentView> agents, std::string_view host);

/// "Did you mean" among the connected hosts.
[[nodiscard]] std::string host_suggestion(std::string_view host, std::span<const AgentView> agents);

}  // namespace firedrill
