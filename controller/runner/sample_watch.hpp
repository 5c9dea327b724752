// What the runner must know of samples while the run goes on: is it steady, was a step taken, is a
// stop condition met. Pure: samples in, answers out. The measures are made later, from the log.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/plan/plan.hpp"

namespace firedrill {

/// One probe.sample event's data, on the controller's clock.
struct SampleSeen {
  std::string probe, host;
  UtcTime from{}, to{};
  Json data;
};

struct StepSeen {
  std::string step, host;
  UtcTime seen{}, last_not{};  ///< it became true between the two
  std::string evidence;        ///< for people: "rx_slots = 1024 on db-1"
  Json value;
};

struct StopSeen {
  std::string name, detail;
};

/// Probe ids that runbook steps use start with this, so that they cannot meet a steady-state probe.
inline constexpr std::string_view kStepProbePrefix = "step:";
/// The same for probes that detectors use.
inline constexpr std::string_view kDetectorProbePrefix = "detector:";

class SampleWatch {
 public:
  SampleWatch(const Experiment& experiment, const Plan& plan);

  /// A sample of a steady-state probe.
  void observe(const SampleSeen& sample);
  /// Is this sample of a steady-state probe within its tolerance? Nothing when it has no value and
  /// not all of its operations failed.
  [[nodiscard]] std::optional<bool> within(const SampleSeen& sample) const;
  /// A sample of a step's probe. Gives the step when it became true after having been false since
  /// the injection; what was true all along shows nothing.
  [[nodiscard]] std::optional<StepSeen> observe_step(const SampleSeen& sample);
  /// A stop condition that `sample` completes, once each.
  [[nodiscard]] std::vector<StopSeen> observe_stop(const SampleSeen& sample);

  /// Every probe gave samples since `since`, none breached, and the last one of each was good.
  /// `reasons` says otherwise, a line for each probe.
  [[nodiscard]] bool steady_since(UtcTime since, std::vector<std::string>& reasons) const;
  /// From when samples count for a steady state that has held for `hold` by `now`: an interval
  /// earlier, so that a whole sample of each probe lies between, however long it takes.
  [[nodiscard]] UtcTime since_for(Duration hold, UtcTime now) const;
  /// All that keeps it from being steady is a newest sample that is bad: the next one tells a blip
  /// from a breach.
  [[nodiscard]] bool in_doubt_since(UtcTime since) const;
  /// Every probe has been good without a break for `hold`, counted as the measures count users who
  /// are whole again: from the end of the last first good sample to the newest sample's end.
  [[nodiscard]] bool whole_for(Duration hold) const;
  /// The state of each probe for steady-state.checked: name, host, value, met.
  [[nodiscard]] Json summary() const;

  /// The faults are on from here: steps count from now on.
  void injected() { injected_ = true; }

 private:
  struct Seen {
    UtcTime from{}, to{};
    bool good = false;
    std::optional<double> value;
    std::string error;
  };
  struct Watched {
    ProbeSpec spec;
    std::string host;
    std::vector<Seen> samples;
  };
  /// What a probe gave since an instant; both null: nothing.
  struct Found {
    const Seen* breach = nullptr;
    const Seen* last = nullptr;
  };
  [[nodiscard]] static Found find_since(const Watched& probe, UtcTime since);
  [[nodiscard]] static std::string key_of(std::string_view probe, std::string_view host);

  std::map<std::string, Watched> probes_;
  std::vector<PlannedStepProbe> steps_;
  std::map<std::string, UtcTime> step_false_;  ///< last instant at which the step was not taken
  std::map<std::string, bool> step_done_;
  std::vector<StopCondition> stops_;
  std::map<std::string, UtcTime> stop_since_;
  std::map<std::string, bool> stop_met_;
  bool injected_ = false;
};

}  // namespace firedrill
