// SLOs and operating modes while a run goes on: looks at them, writes what was seen into the log,
// and says when a stop condition is met. Lives on the runner's thread; its lookers reach it by
// `post` only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controller/detect/event_counter.hpp"
#include "controller/detect/looker.hpp"
#include "controller/runner/mode_tracker.hpp"
#include "controller/runner/slo_stops.hpp"

namespace firedrill {

/// What it tells the run. `post` runs work on the runner's thread, unless the run is over by then.
struct SloSinks {
  std::function<void(Event)> say;
  std::function<void(const StopSeen&)> stop;
  std::function<void(std::function<void()>)> post;
};

class SloRun {
 public:
  SloRun(const Experiment& experiment, SloSinks sinks);
  ~SloRun();
  SloRun(const SloRun&) = delete;
  SloRun& operator=(const SloRun&) = delete;

  void start();
  /// The first fault is on: from here on counts the exercise. Later calls change nothing.
  void injected();
  /// The data of slo.budget, as preflight found it.
  void budget(const Json& data);
  /// A sample of a steady-state probe; `within` its tolerance, when that can be told.
  void sample(const SampleSeen& seen, std::optional<bool> within, Duration clock_error);
  /// Ends all looks and waits for them.
  void stop();

 private:
  struct Counting;
  void start_counting(const Slo& slo);
  void start_asking(const OperatingMode& mode);
  void counted(const Slo& slo, const Json& data, const SloCounts& counts, UtcTime at);
  void uncounted(const Slo& slo, const std::string& reason, UtcTime began, UtcTime at);
  void answered(const OperatingMode& mode, const ModeLook& look);
  void stop_if(const std::vector<StopSeen>& met);

  const Experiment& experiment_;
  SloSinks sinks_;
  SloStops stops_;
  bool injected_ = false;
  UtcTime exercise_from_{};  ///< of probes: since watching began, later since the injection
  std::map<std::string, TimeSli> probes_;        ///< by SLO
  std::map<std::string, UtcTime> failing_;       ///< by SLO, since its first failed look
  std::map<std::string, int> failures_;          ///< by SLO, in a row
  std::map<std::string, ModeTracker> trackers_;  ///< by operating mode
  std::map<std::string, std::shared_ptr<Counting>> counting_;  ///< by SLO
  std::vector<std::unique_ptr<Looker>> lookers_;
};

/// Asks for the target's mode once; blocks. Only for modes that have a URL.
[[nodiscard]] ModeLook look_at_mode(const OperatingMode& mode, PrometheusClient& client);
[[nodiscard]] CountQuery count_query(const Slo& slo, Duration window);
/// The bad and all events of an answer; nothing when Prometheus has no such events. A series of
/// bad events that is not there has had none; one of good events is a mistake.
[[nodiscard]] Result<std::optional<BadOfTotal>> bad_of(const Slo& slo, const EventCount& count);

}  // namespace firedrill
