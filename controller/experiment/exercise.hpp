// The parts of an experiment that judge and guide: detections, runbook, stop conditions, injects.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/experiment/method.hpp"

namespace firedrill {

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

}  // namespace firedrill
