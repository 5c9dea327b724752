// An experiment as read from its JSON file: every name resolved inside the file, no host known yet.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/experiment/blast_radius.hpp"
#include "controller/experiment/exercise.hpp"
#include "controller/experiment/method.hpp"
#include "controller/experiment/slo.hpp"

namespace firedrill {

struct Experiment {
  std::string id;  ///< file stem: "silent-nic-drops"
  std::string title, description;
  std::vector<std::string> tags;
  std::map<std::string, Target> targets;
  std::string hypothesis_title;
  std::vector<ProbeSpec> probes;  ///< steady state
  std::vector<FaultAction> faults;
  std::vector<ProcessAction> processes, rollbacks;
  bool run_rollbacks = true;  ///< false for runtime.rollbacks.strategy "never"
  std::vector<Detector> detectors;
  std::vector<ExpectedDetection> expected;
  std::vector<AlertMatch> forbidden;
  Paging paging;
  std::string runbook_url;
  std::vector<RunbookStep> steps;
  std::optional<Responder> responder;
  std::vector<StopCondition> stop_conditions;
  std::vector<Slo> slos;
  std::vector<OperatingMode> operating_modes;
  std::vector<Inject> injects;
  Objectives objectives;
  Phases phases;
  BlastRadius blast_radius;
  std::filesystem::path directory;  ///< the file's folder: relative paths of processes start here
  /// The file after ${var} substitution, its configuration resolved and without secrets: what goes
  /// into the run's log. Parsing it again gives the same experiment.
  Json source;
};

/// Overrides for `configuration`, as --set key=value gives them.
using Variables = std::map<std::string, std::string>;

/// Reads and checks a file; contacts no host. Errors carry the JSON pointer and the nearest word.
[[nodiscard]] Result<Experiment> load_experiment(const std::filesystem::path& path,
                                                 const Variables& overrides = {});
/// The same from parsed JSON; `id` names it and `directory` is where relative paths start.
[[nodiscard]] Result<Experiment> parse_experiment(const Json& json, std::string id,
                                                  const std::filesystem::path& directory,
                                                  const Variables& overrides = {});
/// Does this sample value satisfy it? Numbers for range; anything for equal and member; text for
/// regex. With a json_path, `value` is a text that is JSON (or JSON itself) and is looked into
/// first.
[[nodiscard]] bool tolerates(const Tolerance& tolerance, const Json& value);
/// JSON Schema (draft 2020-12) of the file format, for editors: experiments/schema.json is this.
[[nodiscard]] Json experiment_schema();

}  // namespace firedrill
