// Reports of several runs taken together: trials, sweeps, comparisons. Pure, as report.hpp.
#pragma once

#include <span>
#include <string>

#include "controller/study/compare.hpp"
#include "controller/study/sweep.hpp"
#include "controller/study/trials.hpp"

namespace firedrill {

/// For a terminal, at most 100 columns wide.
[[nodiscard]] std::string trials_text(const TrialsSummary& summary);
[[nodiscard]] std::string sweep_text(std::span<const Sweep> sweeps);
[[nodiscard]] std::string comparison_text(const Comparison& comparison);

/// For a step summary of CI and for reviews.
[[nodiscard]] std::string comparison_markdown(const Comparison& comparison);

/// One self-contained page that needs no network and no script. Every text from outside is escaped.
[[nodiscard]] std::string trials_html(const TrialsSummary& summary);
/// Several sweeps: the map of blind spots first, then each by itself.
[[nodiscard]] std::string sweep_html(std::span<const Sweep> sweeps);

}  // namespace firedrill
