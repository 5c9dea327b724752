// A finished run as a folder of files that outlive Firedrill's own store.
#pragma once

#include <filesystem>
#include <string>

#include "controller/experiment/experiment.hpp"
#include "controller/runner/runner.hpp"

namespace firedrill::cli {

/// The experiment as the log holds it. @errors corrupt when it no longer parses
[[nodiscard]] Result<Experiment> experiment_of(const FinishedRun& run);

/// Written beside its place and renamed, so that it is never half there.
[[nodiscard]] Result<void> write_file(const std::filesystem::path& path, const std::string& text);

/// Writes experiment.json, plan.json, events.jsonl, report.html, report.json and junit.xml. Each is
/// written beside its place and renamed, so that none is ever half there.
[[nodiscard]] Result<void> export_run(const FinishedRun& run, const Experiment& experiment,
                                      const std::filesystem::path& folder);

}  // namespace firedrill::cli
