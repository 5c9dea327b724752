// Inside of the HTML report: its parts, each a string of escaped markup.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "controller/experiment/experiment.hpp"
#include "controller/score/score.hpp"
#include "firedrill/event.hpp"

namespace firedrill::reporting {

extern const std::string_view kPageStyle;
extern const std::string_view kPageScript;

/// Verdict, sentence, reasons and what the run was.
[[nodiscard]] std::string html_head(const Measures& measures, const Scorecard& card,
                                    const Experiment& experiment);
/// The ladder, drawn.
[[nodiscard]] std::string html_ladder(const Measures& measures, const Scorecard& card);
/// Four cards that open to the evidence for each point.
[[nodiscard]] std::string html_scores(const Scorecard& card);
/// What the picture's shapes mean.
[[nodiscard]] std::string html_legend();
[[nodiscard]] std::string html_interval_table(const Measures& measures);
/// How the values of each probe spread while the fault lasted: a histogram, and its modes.
[[nodiscard]] std::string html_spread_table(const Measures& measures);
[[nodiscard]] std::string html_detection_table(const Measures& measures);
/// When each expected alert should have come, by segment, against when it came; and the clocks.
[[nodiscard]] std::string html_prediction_table(const Measures& measures);
/// Objectives, burn rates and what the exercise spent of each error budget.
[[nodiscard]] std::string html_slo_table(const Measures& measures);
/// The target's own operating mode.
[[nodiscard]] std::string html_mode_table(const Measures& measures);
[[nodiscard]] std::string html_step_table(const Measures& measures);
[[nodiscard]] std::string html_host_table(const Measures& measures);
/// The log without probe samples, which the picture shows; stops at `most_bytes`, and says so.
[[nodiscard]] std::string html_event_table(std::span<const Event> events, UtcTime origin,
                                           std::size_t most_bytes);

}  // namespace firedrill::reporting
