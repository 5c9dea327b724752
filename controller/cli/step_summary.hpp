// Where a hosted CI collects what it shows of a step.
#pragma once

#include <filesystem>
#include <string>

#include "firedrill/result.hpp"

namespace firedrill::cli {

/// Appends to `file`, or without one to $GITHUB_STEP_SUMMARY; without both does nothing. Other
/// steps have written there before, so nothing is replaced. @errors as opening and writing it
[[nodiscard]] Result<void> add_step_summary(const std::filesystem::path& file,
                                            const std::string& markdown);

}  // namespace firedrill::cli
