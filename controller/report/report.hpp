// Reports: what people read of a run. Takes measures, scores and the log; gives bytes. Pure: the
// same input gives the same bytes, years later; no clock, file, socket, locale or terminal.
#pragma once

#include <span>
#include <string>

#include "controller/experiment/experiment.hpp"
#include "controller/measure/measures.hpp"
#include "controller/score/score.hpp"
#include "firedrill/event.hpp"

namespace firedrill {

/// For a terminal: the verdict first, then intervals, detections, steps and scores, in about 55
/// lines of at most 100 columns. `colour` adds ANSI colours; nothing is said by colour alone.
[[nodiscard]] std::string text_report(const Measures& measures, const Scorecard& card,
                                      const Experiment& experiment, bool colour);

/// For programs: experiment id and title, verdict, measures and scores.
[[nodiscard]] Json json_report(const Measures& measures, const Scorecard& card,
                               const Experiment& experiment);

/// JUnit XML for CI: a testcase for each steady-state probe, expected detection, runbook step,
/// objective and undo; what could not be judged is `skipped`, never passed.
[[nodiscard]] std::string junit_report(const Measures& measures, const Scorecard& card,
                                       const Experiment& experiment);

/// Markdown for the summary page of a CI's step, at most some 60 lines: verdict, scores, intervals
/// with their bounds, what was not detected or done in time, and hosts that are not as before.
/// @param below  lines of hold_to_floors(), shown first
[[nodiscard]] std::string markdown_report(const Measures& measures, const Scorecard& card,
                                          const Experiment& experiment,
                                          std::span<const std::string> below = {});

/// One self-contained page, below 300 KB, that needs no network and prints well. Every text from
/// outside is escaped. Its body names the rows that were drawn in `data-rows`.
[[nodiscard]] std::string html_report(const Measures& measures, const Scorecard& card,
                                      const Experiment& experiment, std::span<const Event> events);

/// One plain sentence of what happened, for the head of every report.
[[nodiscard]] std::string what_happened(const Measures& measures, const Experiment& experiment);

}  // namespace firedrill
