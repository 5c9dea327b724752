// Starts a program in a session of its own, with nothing of ours open but what is handed to it.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "firedrill/result.hpp"

namespace firedrill::agent {

/// Forks and execs. The child leads its own session (a Ctrl-C at our terminal does not reach it),
/// reads and writes /dev/null, keeps our standard error, blocks no signal, and inherits exactly
/// `handed`: pairs of our descriptor and the number it has there. It outlives us.
/// @param handed  the numbers on the right are 3, 4, 5 … in order
/// @returns a pidfd of the child; who holds it reaps it
/// @errors io_failed  no process or descriptor to be had. A program that cannot be executed ends
///         with status 127.
[[nodiscard]] Result<int> spawn(const std::filesystem::path& program,
                                const std::vector<std::string>& arguments,
                                const std::vector<std::pair<int, int>>& handed);

}  // namespace firedrill::agent
