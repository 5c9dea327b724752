// Measures: what the event log says happened, when, and how surely. Pure: no clock, file, socket.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/experiment/experiment.hpp"
#include "firedrill/event.hpp"

namespace firedrill {

/// The true instant lies in [at - early, at + late], all on the controller's clock.
struct Instant {
  UtcTime at{};
  Duration early{}, late{};
  [[nodiscard]] UtcTime earliest() const { return at - early; }
  [[nodiscard]] UtcTime latest() const { return at + late; }
};

/// One named interval between two named clock points.
struct Interval {
  std::string name;      ///< "TTD"
  std::string from, to;  ///< "t_imp", "t_fire"
  std::optional<Duration> value;
  Duration low{}, high{};               ///< bounds of the true value, when there is one
  std::optional<Duration> censored_at;  ///< "> this long": watched so long and it did not come
  std::optional<Duration> objective;
  std::string why_none;  ///< when neither value nor censoring: the reason, for people
};

struct ClockPoints {
  std::optional<Instant> injected, impacted, fired, notified, acknowledged, mitigated, reverted,
      recovered;
};

struct SliPoint {
  UtcTime at{};  ///< middle of the sample
  double value = 0;
  bool known = true;   ///< false: the probe failed to give a value
  bool within = true;  ///< of tolerance
  double error_ratio = 0;
};

struct SliSeries {
  std::string probe, host, unit;
  double low = 0, high = 0;  ///< tolerance, when a range
  std::vector<SliPoint> points;
  std::vector<std::pair<UtcTime, UtcTime>> breaches;
  std::optional<double> baseline_median, baseline_p99, fault_median, fault_p99;
};

struct InjectionSpan {
  std::string injection, action, host, fault;
  std::optional<Instant> active, ended;
  std::string cause;  ///< undo cause, or empty while it is on
  bool cured = false, dirty = false, verified = false, failed = false;
  std::vector<std::string> superseded, differences;
  Json values = Json::object();
  std::int64_t active_seq = 0, ended_seq = 0;  ///< evidence
};

struct AlertSpan {
  std::string alertname, fingerprint, detector;
  Json labels = Json::object();
  std::optional<Instant> pending, fired, notified, resolved;
  bool before_injection = false;
  bool expected = false, forbidden = false;
  std::int64_t seq = 0;
};

enum class DetectionOutcome : std::uint8_t { in_time, late, missed, already_firing, unknown };

struct DetectionResult {
  std::string name, source;
  DetectionOutcome outcome = DetectionOutcome::unknown;
  std::optional<Instant> fired;
  std::optional<Duration> after_injection;
  Duration within{};
  std::int64_t seq = 0;
};

enum class StepOutcome : std::uint8_t { on_time, late, skipped, out_of_order };
enum class StepEvidence : std::uint8_t { none, attested, machine };

struct StepResult {
  std::string id, title, who;
  StepOutcome outcome = StepOutcome::skipped;
  StepEvidence evidence = StepEvidence::none;
  std::optional<Instant> done;
  std::optional<UtcTime> due;
  double weight = 1;
  bool critical = false;
  std::string detail;
  std::int64_t seq = 0;
};

struct PhaseSpan {
  std::string phase;
  UtcTime from{}, to{};
};

struct Measures {
  std::string run;
  UtcTime started{}, ended{};
  bool sham = false, finished = false;
  ClockPoints points;
  std::vector<Interval> intervals;  ///< TTI, TTD, TTD-from-injection, TTA, TTM, TTR in that order
  std::vector<PhaseSpan> phases;
  std::vector<SliSeries> series;
  std::vector<InjectionSpan> injections;
  std::vector<AlertSpan> alerts;
  std::vector<DetectionResult> detections;
  std::vector<StepResult> steps;
  std::optional<bool> steady_before, steady_after;
  bool baseline_quiet = true;  ///< no expected alert was pending or firing before t_inj
  std::string mitigated_by;    ///< "responders" (TTM given), "undo" (ours: no TTM), "" (unknown)
  std::string halted_by;       ///< who or what stopped it, or empty
  std::vector<std::string> doubts;  ///< reasons why the verdict may only be inconclusive
};

/// Reads the experiment from the log's own run.created; the same log gives the same measures.
/// @errors corrupt when there is no run.created or it does not parse
[[nodiscard]] Result<Measures> measure(std::span<const Event> events);

[[nodiscard]] Json to_json(const Measures& measures);

}  // namespace firedrill
