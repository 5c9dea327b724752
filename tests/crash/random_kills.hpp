// kill -9 at random instants of random mixes of faults, all on one host at once.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tests/crash/stage.hpp"

namespace firedrill::crash {

struct RandomOptions {
  int kills = 50;
  std::uint64_t seed = 1;
  std::optional<int> round;  ///< only this one of them
};

/// What happens in one round, decided before it begins.
struct Round {
  struct Injection {
    std::size_t which = 0;  ///< index into the cases
    milliseconds duration{};
    milliseconds pause{};  ///< before it is asked for, after the one before it
  };
  std::vector<Injection> injections;
  bool early = false;  ///< the time to the kill begins with the agent's start; else, with
                       ///< its first answer
  milliseconds kill_after{};
  Pass pass = Pass::agent_killed;
};

/// The same for the same seed and number, whatever was played before. Pure.
[[nodiscard]] Round plan_round(std::uint64_t seed, int number, std::size_t cases);

/// Plays the rounds; prints each that leaves something behind, and the sums. The number of those.
[[nodiscard]] Result<int> kill_at_random(Stage& stage, const std::vector<Case>& cases,
                                         const RandomOptions& options);

}  // namespace firedrill::crash
