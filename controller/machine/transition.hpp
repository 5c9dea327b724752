// What step() is made of; for the sources of this room only. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/machine/machine.hpp"

namespace firedrill::machine {

/// What an input, a deadline or the sum of what is known means for the phase.
enum class Cue : std::uint8_t {
  start,
  preflight_ok,
  baseline_ok,
  all_prepared,
  confirmed,  ///< the first fault is known to be on
  trouble,    ///< someone said stop, or something is not as it should be
  untouched,  ///< all is released and no host was touched
  all_ended,  ///< nothing of ours is on, or it is known that we cannot know
  recovered,
};

/// Between leaving `planned` and its end being known, one way or another.
[[nodiscard]] bool is_open(const Tracked& injection);
[[nodiscard]] bool is_settled(const Tracked& injection);

/// Makes the outcome at least as bad as `outcome`; the reason of the worst comes first. A reason
/// that is there already is not repeated.
void blame(State& state, Outcome outcome, std::string reason);
/// A reason that changes no outcome.
void note(State& state, std::string reason);

/// Takes in one input. The commands it needs at once are appended.
[[nodiscard]] std::optional<Cue> absorb(State& state, const Input& input, UtcTime now,
                                        std::vector<Command>& out);
/// Deadlines that have passed.
[[nodiscard]] std::optional<Cue> pass_time(State& state, UtcTime now, std::vector<Command>& out);

}  // namespace firedrill::machine
