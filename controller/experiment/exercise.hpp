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

/// Where a generic webhook's body says what: JSON pointers, empty when it does not say.
struct WebhookFields {
  std::string state;            ///< absent: every post says that the alert is on
  std::vector<std::string> on;  ///< values of `state` that mean on; any other means off
  std::string name, id, at, severity;
};

/// Something that is supposed to notice. What it finds is an alert: labels and a span of time.
struct Detector {
  std::string name;
  enum class Kind : std::uint8_t {
    prometheus,    ///< its alerts, rules and targets, polled
    alertmanager,  ///< its alerts, polled, or its webhook
    promql,        ///< any expression, polled: on while it gives a series (or a scalar but 0)
    grafana,       ///< the webhook of Grafana's alerting
    pager,         ///< a pager's webhook: triggered, acknowledged, resolved
    webhook,       ///< any JSON that is posted, read by `fields`
    log,           ///< lines of a file or of the journal, read by an agent
    probe,         ///< a breach of one of the experiment's own probes
    person,        ///< somebody says `firedrill detected`
  } kind = Kind::prometheus;
  std::string url;         ///< base URL; alertmanager may be webhook only: empty
  Duration poll{500'000};  ///< between looks; for log, between readings
  bool webhook = false;    ///< it posts to the controller
  std::string alert;       ///< alertname of what it finds, where it has no names of its own
  std::string severity;    ///< label of the same
  std::string query;       ///< promql
  WebhookFields fields;    ///< webhook
  std::string from;        ///< log: target or host
  Json arguments = Json::object();      ///< log: of the agent's probe
  std::string probe;                    ///< probe: a steady-state probe by name
  std::optional<Duration> clock_error;  ///< how far its clock may be off, on the word of the file
  std::string pointer;
};

/// Which alerts get somebody out of bed: those whose `label` has one of these values.
struct Paging {
  std::string label = "severity";
  std::vector<std::string> wakes{"page", "critical"};
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
  std::string probe;  ///< a steady-state probe by name, and its tolerance; or empty
  Tolerance tolerance;
  Duration for_time{};
  std::string slo;                    ///< an SLO by name, when `probe` is empty
  std::optional<double> burns_above;  ///< burn rate over the window `over`
  Duration over{};
  std::optional<double> spends_above;  ///< share of the error budget that the exercise has spent
};

struct Inject {
  std::string id, to, content;
  Duration at{};  ///< on the run's clock, from t_inj
};

struct Objectives {
  std::optional<Duration> ttd, tta, ttm, ttr;
  std::optional<double> slo;
  std::optional<Duration> window;
  Duration clock_error{1'000'000};  ///< a clock known worse than this makes a run inconclusive
};

/// How long each part of a run lasts.
struct Phases {
  Duration baseline{15'000'000};   ///< steady state observed before injection
  Duration baseline_within{};      ///< longest wait until it held for so long; 0: as `baseline`
  Duration recovery{300'000'000};  ///< longest wait for steady state after undo
  Duration steady_for{5'000'000};  ///< steady this long counts as recovered
};

}  // namespace firedrill
