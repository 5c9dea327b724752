// The parts of an experiment that act and measure: targets, tolerances, probes and actions.
#pragma once

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
  std::optional<Pattern> pattern;
  std::optional<Ramp> ramp;  ///< of a number among `arguments`
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

}  // namespace firedrill
