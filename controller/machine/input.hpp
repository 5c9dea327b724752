// What can happen to a run, as the machine is told it. Values only.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "firedrill/rpc.hpp"

namespace firedrill::machine {

namespace input {
// clang-format off
struct Start {};
struct PreflightDone { bool ok = false; std::vector<std::string> reasons; };
struct BaselineDone { bool steady = false, quiet = false; std::vector<std::string> reasons; };
struct Prepared { std::string injection; };
struct PrepareFailed { std::string injection; Error error; };
struct Applied { std::string injection; };
/// Apply did not succeed; the machine asks for the undo of what did land.
struct ApplyFailed { std::string injection; Error error; };
/// From the agent's event, or from its answer to an undo request: feed both, twice is harmless.
/// A prepared injection that was released counts as undone too. Not clean counts as Dirty.
struct Undone { std::string injection; UndoCause cause{}; bool clean = true; };
struct Dirty { std::string injection, reason; };
struct AgentLost { std::string host, reason; };
/// With what the agent's hello or `list` says of this run; an id it leaves out has no record there.
struct AgentBack { std::string host; std::vector<rpc::InjectionStatus> injections; };
/// The first firing of an expected detection: it starts the responder.
struct AlertFired { Json alert; };
struct ResponderExited {};
struct ProcessExited { std::string name; bool ok = false; std::string detail; };
struct Halt { std::string who, reason; };
struct StopConditionMet { std::string name, detail; };
struct StoreFailed { Error error; };
/// The steady state held for phases.steady_for, after CheckSteadyAfter.
struct SteadyAgain {};
/// Send one when next_deadline() is reached; more do no harm.
struct Tick {};
// clang-format on
}  // namespace input

using Input =
    std::variant<input::Start, input::PreflightDone, input::BaselineDone, input::Prepared,
                 input::PrepareFailed, input::Applied, input::ApplyFailed, input::Undone,
                 input::Dirty, input::AgentLost, input::AgentBack, input::AlertFired,
                 input::ResponderExited, input::ProcessExited, input::Halt, input::StopConditionMet,
                 input::StoreFailed, input::SteadyAgain, input::Tick>;

}  // namespace firedrill::machine
