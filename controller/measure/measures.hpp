// Measures: what the event log says happened, when, and how surely. Pure: no clock, file, socket.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/experiment/experiment.hpp"
#include "controller/measure/prediction.hpp"
#include "controller/measure/slo.hpp"
#include "controller/measure/spans.hpp"
#include "firedrill/event.hpp"

namespace firedrill {

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
  std::vector<Prediction> predictions;  ///< one for each of the detections
  std::vector<ClockSpan> clocks;
  std::vector<StepResult> steps;
  std::optional<bool> steady_before, steady_after;
  bool baseline_quiet = true;  ///< no expected alert was pending or firing before t_inj
  std::string mitigated_by;    ///< "responders", "system" (nobody acted), "undo" (ours: no TTM), ""
  bool undo_too_near = false;  ///< users were whole before our undo, but not for steady-for
  std::string halted_by;       ///< who or what stopped it, and why, or empty
  std::optional<UtcTime> halted_at;
  std::vector<std::string> doubts;  ///< reasons why the verdict may only be inconclusive
  std::vector<std::string> errors;  ///< dirty hosts, undo not confirmed, the run's own failures
  std::vector<Rung> ladder;         ///< injected … recovered, in order
  std::vector<Mark> marks;          ///< by time
  bool forbidden_asked = false, response_asked = false;
  std::optional<bool> radius_held;  ///< every injection was planned; absent without a plan
  Duration breached{};              ///< time with a probe in breach from t_inj on
  /// Share of the error budget: of the objective's own SLO, else the most of any of the SLOs.
  std::optional<double> budget_spent;
  std::vector<SloResult> slos;
  std::vector<ModeResult> operating_modes;
};

/// Reads the experiment from the log's own run.created; the same log gives the same measures, in
/// whatever order its events arrived.
/// @errors corrupt when there is no run.created or it does not parse
[[nodiscard]] Result<Measures> measure(std::span<const Event> events);
/// The same with the experiment already read, as experiment_of() gives it.
[[nodiscard]] Result<Measures> measure(std::span<const Event> events, const Experiment& experiment);
/// The experiment as the log's run.created holds it. Errors as measure().
[[nodiscard]] Result<Experiment> experiment_of(std::span<const Event> events);

[[nodiscard]] Json to_json(const Measures& measures);

}  // namespace firedrill
