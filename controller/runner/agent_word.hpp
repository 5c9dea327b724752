// What an agent is believed of: what the plan gives to its host, and nothing else. Measures and
// scores are made from the log, so what one host says of another's injection may not enter it.
#pragma once

#include <string>
#include <string_view>

#include "controller/plan/plan.hpp"
#include "controller/store/store.hpp"
#include "firedrill/rpc.hpp"

namespace firedrill {

/// Whether the plan has `host` measure what comes as `probe`.
[[nodiscard]] bool is_asked(const Plan& plan, std::string_view probe, std::string_view host);
/// Whether the plan gives what the event tells of, an injection or a sample, to the host that tells
/// it. `event`: of on_our_clock().
[[nodiscard]] bool is_own(const Plan& plan, const Event& event);
/// In words for the operator.
[[nodiscard]] std::string why_left_out(const rpc::AgentEvent& event);

enum class Kept : std::uint8_t { yes, unknown_run, not_its_own };
/// Appends what an agent tells of an injection to the log of a run that is over: an undo by lease
/// belongs there, when the controller died. Held to the plan that the log begins with.
/// @errors of the store
[[nodiscard]] Result<Kept> keep_for_ended_run(Store& store, Event event);

}  // namespace firedrill
