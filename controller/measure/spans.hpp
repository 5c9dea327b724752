// The parts that measures are made of: what happened to each injection, probe, alert, detection and
// runbook step. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controller/measure/instant.hpp"
#include "controller/measure/spread.hpp"
#include "firedrill/fault_request.hpp"
#include "firedrill/json.hpp"
#include "firedrill/units.hpp"

namespace firedrill {

struct SliPoint {
  UtcTime at{};  ///< middle of the sample
  double value = 0;
  bool known = true;   ///< false: the probe failed to give a value
  bool within = true;  ///< of tolerance
  double error_ratio = 0;
};

struct SliSeries {
  std::string probe, host, measure, unit;
  bool bounded = false;  ///< the tolerance is a range, low and high are its ends
  double low = 0, high = 0;
  std::vector<SliPoint> points;
  std::vector<std::pair<UtcTime, UtcTime>> breaches;
  std::optional<double> baseline_median, baseline_p99, fault_median, fault_p99;
  std::optional<Spread> spread;  ///< while the injections lasted; absent with too few samples
  /// Medians of the samples that lie whole in on or in off periods of the faults; only when there
  /// were off periods.
  std::optional<double> on_median, off_median;
  std::size_t on_count = 0, off_count = 0;
};

struct InjectionSpan {
  std::string injection, action, host, fault;
  std::optional<Instant> active, ended;
  std::string cause;                ///< undo cause, or empty while it is on
  std::optional<UtcTime> dirty_at;  ///< when undo found the host changed
  bool cured = false, dirty = false, verified = false, failed = false;
  std::string failure;  ///< stage and error, when failed
  std::vector<std::string> superseded, differences;
  Json values = Json::object();
  std::optional<Pattern> pattern;
  std::optional<Ramp> ramp;
  std::vector<Window> on;                ///< when the fault was on, by what the kernel confirmed
  std::optional<UtcTime> on_since;       ///< of the on period whose end is not known
  std::optional<std::string> ramped_to;  ///< the last value that the ramp set
  std::int64_t active_seq = 0, ended_seq = 0;  ///< evidence
};

/// What an alert's firing instant rests on: our looks at it, its source's own word, or only that
/// somebody was told.
enum class Basis : std::uint8_t { looks, source, notice };

struct AlertSpan {
  std::string alertname, fingerprint, detector;
  Json labels = Json::object();
  std::optional<Instant> pending, fired, notified, acknowledged, resolved;
  Basis basis = Basis::looks;
  std::string severity;  ///< the value of the label that decides whom it wakes, or empty
  bool wakes = false;    ///< somebody would have been woken
  std::vector<std::string> muted_by;      ///< silences and inhibiting alerts: nobody was told
  std::string group_key;                  ///< of its notification
  std::optional<std::int64_t> starts_us;  ///< as the notification has it: names the episode
  bool before_injection = false;
  bool already = false;  ///< on at the detector's first look: nobody knows since when
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
  std::optional<UtcTime> from;  ///< the injection that `within` counts from
  std::string why;              ///< the outcome in words
  std::string severity;         ///< of the alert that came
  std::string unheard;          ///< why the alert that came would not be heard as was expected
  bool wakes = false;
  std::int64_t seq = 0;
};

/// The last estimate of a clock against the controller's.
struct ClockSpan {
  std::string name;  ///< a host, or a detector
  bool monitor = false;
  Duration offset{}, error{};
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
  bool checkable = false;  ///< the runbook says how a machine can see it
  std::string detail;
  std::int64_t seq = 0;
};

struct PhaseSpan {
  std::string phase;
  UtcTime from{}, to{};
};

/// One rung of the ladder. Not watched: the experiment gave no means to see it.
struct Rung {
  std::string name;
  bool watched = true, reached = false;
  std::optional<Instant> at;
};

/// Something a person did or was told: kind is ack, note, inject or halt.
struct Mark {
  UtcTime at{};
  std::string kind, who, text;
  std::int64_t seq = 0;
};

}  // namespace firedrill
