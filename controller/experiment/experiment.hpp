// An experiment as read from its JSON file: every name resolved inside the file, no host known yet.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "firedrill/fault_request.hpp"
#include "firedrill/json.hpp"
#include "firedrill/units.hpp"

namespace firedrill {

enum class TargetMode : std::uint8_t { one, all, fixed, fixed_percent, random_max_percent };

/// Hosts chosen by name or by tags; `value` is a count or a percentage, by mode.
struct Target {
  std::string name;
  std::vector<std::string> hosts;
  std::map<std::string, std::string> tags;
  TargetMode mode = TargetMode::all;
  double value = 0;
};

/// What a value must satisfy. Chaos Toolkit's forms: scalar, [low, high] inclusive, longer list =
/// membership, {"type": "range"|"regex"|"jsonpath", …}.
struct Tolerance {
  enum class Kind : std::uint8_t { equal, range, member, regex } kind = Kind::range;
  Json expected;  ///< equal: the scalar; member: the list; regex: the pattern
  double low = 0, high = 0;
  std::string json_path;  ///< where to look in a text that is JSON, or empty
};

struct ProbeSpec {
  std::string name;
  std::string kind;  ///< an agent's probe, or "process" on the controller's own machine
  Json arguments = Json::object();
  std::string from;     ///< target or host that measures; empty for process
  std::string measure;  ///< which of the sample's values, e.g. "p99_ms"
  std::string unit;     ///< for people: "ms", "%"
  Duration interval{1'000'000};
  Tolerance tolerance;
  int breach_after = 2;  ///< consecutive samples out of tolerance that make a breach
  std::string pointer;   ///< where it stands in the file
};

struct FaultAction {
  std::string name;
  std::string target;
  std::string fault;
  Json arguments = Json::object();
  Duration duration{};
  std::string start_after;  ///< name of the action whose end starts this one, or empty
  Duration pause_before{}, pause_after{};
  std::optional<CureCondition> cured_by;
  std::optional<Duration> lease;
  std::string pointer;
};

/// A Chaos Toolkit process action: runs on the controller's own machine only.
struct ProcessAction {
  std::string name, path;
  std::vector<std::string> arguments;
  Duration timeout{};
  std::string start_after;
  Duration pause_before{}, pause_after{};
  std::string pointer;
};

struct AlertMatch {
  std::map<std::string, std::string> labels;  ///< all must be equal; "alertname" among them
  [[nodiscard]] bool matches(const Json& alert_labels) const;
};

struct ExpectedDetection {
  std::string name;
  std::string source;  ///< name of a detector, or empty for any
  AlertMatch match;
  std::string for_action;  ///< fault action it should notice, or empty for any
  Duration within{};       ///< from t_inj
  Duration quiet_before{};
  std::string severity;
};

struct Detector {
  std::string name;
  enum class Kind : std::uint8_t { prometheus, alertmanager } kind = Kind::prometheus;
  std::string url;  ///< base URL; alertmanager may be webhook only: empty
  Duration poll{500'000};
  bool webhook = false;
};

struct StepVerification {
  enum class Kind : std::uint8_t { attested, ack, probe } kind = Kind::attested;
  std::string probe;  ///< probe kind on the target host
  Json arguments = Json::object();
  std::string target, measure;
  Tolerance tolerance;
};

struct RunbookStep {
  std::string id, title, who;
  std::optional<Duration> within;  ///< from t_fire
  double weight = 1;
  bool critical = false;
  std::vector<std::string> after;
  StepVerification verify;
  std::string pointer;
};

struct Responder {
  std::string path;
  std::vector<std::string> arguments;
  std::filesystem::path directory;  ///< the experiment file's folder: relative paths start here
};

struct StopCondition {
  std::string name;
  std::string probe;  ///< a steady-state probe by name
  Tolerance tolerance;
  Duration for_time{};
};

struct Inject {
  std::string id, to, content;
  Duration at{};  ///< on the run's clock, from t_inj
};

struct Objectives {
  std::optional<Duration> ttd, tta, ttm, ttr;
  std::optional<double> slo;
  std::optional<Duration> window;
};

/// How long each part of a run lasts.
struct Phases {
  Duration baseline{15'000'000};   ///< steady state observed before injection
  Duration recovery{300'000'000};  ///< longest wait for steady state after undo
  Duration steady_for{5'000'000};  ///< steady this long counts as recovered
};

struct Experiment {
  std::string id;  ///< file stem: "silent-nic-drops"
  std::string title, description;
  std::vector<std::string> tags;
  std::map<std::string, Target> targets;
  std::string hypothesis_title;
  std::vector<ProbeSpec> probes;  ///< steady state
  std::vector<FaultAction> faults;
  std::vector<ProcessAction> processes, rollbacks;
  std::vector<Detector> detectors;
  std::vector<ExpectedDetection> expected;
  std::vector<AlertMatch> forbidden;
  std::string runbook_url;
  std::vector<RunbookStep> steps;
  std::optional<Responder> responder;
  std::vector<StopCondition> stop_conditions;
  std::vector<Inject> injects;
  Objectives objectives;
  Phases phases;
  Json source;  ///< the file after ${var} substitution: what goes into the run's log
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
/// Does this sample value satisfy it? Numbers for range; anything for equal and member.
[[nodiscard]] bool tolerates(const Tolerance& tolerance, const Json& value);
/// JSON Schema of the file format, for editors: experiments/schema.json is this.
[[nodiscard]] Json experiment_schema();

}  // namespace firedrill
