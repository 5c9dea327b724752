// The after-action document of a run: a draft in Markdown that people finish together.
#pragma once

#include <string>

#include "controller/experiment/experiment.hpp"
#include "controller/review/review.hpp"

namespace firedrill {

/// Whole sections are there even when nothing is in them, except the budget: its absence means that
/// no SLO was given. Every text from outside is escaped. Pure, as report.hpp says.
[[nodiscard]] std::string review_markdown(const Review& review, const Measures& measures,
                                          const Scorecard& card, const Experiment& experiment);

}  // namespace firedrill
