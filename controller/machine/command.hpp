// What the machine wants done. The runner carries each out, in order, and reports as Inputs.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "firedrill/fault_request.hpp"
#include "firedrill/json.hpp"

namespace firedrill::machine {

enum class Phase : std::uint8_t {
  idle,
  preflight,
  baseline,
  preparing,   ///< phase one: agents capture, journal and check policy; nothing is touched
  injecting,   ///< committed at t0; no agent has confirmed yet
  active,      ///< at least one injection was confirmed
  healing,     ///< something went wrong or someone said stop: undo everywhere
  recovering,  ///< nothing of ours is on; waiting for the steady state
  finished,
};
[[nodiscard]] std::string_view to_string(Phase phase);

/// How the run ended; the verdict is the score's. Worse is larger.
enum class Outcome : std::uint8_t { completed, not_started, aborted, error };
[[nodiscard]] std::string_view to_string(Outcome outcome);

namespace command {
// clang-format off
/// For the log; comes before the other commands of that phase.
struct EnterPhase { Phase phase{}; };
struct RunPreflight {};       ///< answer: PreflightDone
struct StartWatching {};      ///< probes, step probes, detectors
struct CheckBaseline {};      ///< judge phases.baseline, which is over; answer: BaselineDone
/// Answer: Prepared or PrepareFailed for each.
struct Prepare { std::vector<std::string> injections; };
/// `at` is on the controller's clock.
struct CommitAt { std::string injection, host; UtcTime at{}; };
/// t0 starts the run's clock. In a sham run it comes too, with no injections.
struct Commit { UtcTime t0{}; std::vector<CommitAt> injections; };
/// Answer: Undone or Dirty for each.
struct Undo { std::vector<std::string> injections; UndoCause cause{}; };
struct StartResponder { Json alert; };  ///< answer, at its end: ResponderExited
struct StopResponder {};
struct StartProcess { std::string name; bool rollback = false; };  ///< answer: ProcessExited
struct StopProcesses {};      ///< those of the method that still run; no answer is awaited
struct SendInject { std::string inject; };
struct CheckSteadyAfter {};   ///< answer, once it is so: SteadyAgain
struct StopWatching {};
/// Always the last command of a run, and given once. Reasons: most important first.
struct Finish { Outcome outcome{}; std::vector<std::string> reasons; };
// clang-format on
}  // namespace command

using Command = std::variant<command::EnterPhase, command::RunPreflight, command::StartWatching,
                             command::CheckBaseline, command::Prepare, command::Commit,
                             command::Undo, command::StartResponder, command::StopResponder,
                             command::StartProcess, command::StopProcesses, command::SendInject,
                             command::CheckSteadyAfter, command::StopWatching, command::Finish>;

}  // namespace firedrill::machine
