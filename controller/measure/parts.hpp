// Inside of measure: one function per part of the measures. Others include measures.hpp only.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/measure/measures.hpp"

namespace firedrill::measuring {

/// The log in the order of time. Events that arrived twice are here once; the order of arrival
/// shows nowhere, not even between events of the same instant.
using Log = std::vector<const Event*>;
[[nodiscard]] Log in_order(std::span<const Event> events);

// Members of an event's data. A missing or mistyped one reads as nothing: a log holds what agents
// and detectors sent, and one odd event must not hide the rest of the run.
[[nodiscard]] std::string text_of(const Json& data, std::string_view key);
[[nodiscard]] std::optional<UtcTime> time_of(const Json& data, std::string_view key);
[[nodiscard]] std::optional<double> number_of(const Json& data, std::string_view key);
[[nodiscard]] std::optional<bool> flag_of(const Json& data, std::string_view key);
[[nodiscard]] const Json* object_of(const Json& data, std::string_view key);
/// An array of texts; other members appear as their JSON.
[[nodiscard]] std::vector<std::string> texts_of(const Json& data, std::string_view key);

/// Somewhere between two instants, in either order, each known to ± uncertainty.
[[nodiscard]] Instant between(UtcTime a, UtcTime b, Duration uncertainty);
/// "1.5 s", "2 min 3 s": for sentences.
[[nodiscard]] std::string in_words(Duration duration);

/// One probe sample reduced to what it says about tolerance.
struct Mood {
  enum class State : std::uint8_t { good, bad, unknown } state = State::unknown;
  UtcTime from{}, to{};
  Duration uncertainty{};
  Duration unseen{};  ///< the end of the window in which it did not look any more
};

/// A probe on a host: its series for people, and the moods that breaches are made of.
struct Track {
  SliSeries series;
  std::vector<Mood> moods;
  int breach_after = 2;
};

struct Breach {
  Instant began;
  UtcTime first_bad_to{}, until{};  ///< until: start of the next good sample, or the last bad's end
};

[[nodiscard]] std::vector<Track> tracks_of(const Log& log, const Experiment& experiment);
[[nodiscard]] std::vector<Breach> breaches_of(const Track& track);
/// The first instant after `after` from which every probe was good for `hold` on end, with no
/// breach beginning between it and `limit`.
[[nodiscard]] std::optional<Instant> steady_from(std::span<const Track> tracks, UtcTime after,
                                                 Duration hold, UtcTime limit);
/// Fills breaches, medians and percentiles: before the fault, and while users felt it.
void describe_series(std::vector<Track>& tracks, const Measures& measures);
/// t_imp, and the total time in breach since the injection.
void impact(const std::vector<Track>& tracks, Measures& measures);
/// t_mit, t_rec and who brought it about.
void recovery(const std::vector<Track>& tracks, const Experiment& experiment, const Log& log,
              Measures& measures);

/// The times when any fault was on, merged, in order. `until` ends what has no known end.
[[nodiscard]] std::vector<Window> on_windows(const Measures& measures, UtcTime until);
/// How values spread; none when there are too few to say.
[[nodiscard]] std::optional<Spread> spread_of(std::vector<double> values);

/// Injection spans, t_inj, t_rev, dirty hosts and the blast radius.
void injections(const Log& log, Measures& measures);

/// Alert spans with what was expected, forbidden, or on before; t_fire and t_ntf.
void alerts(const Log& log, const Experiment& experiment, Measures& measures);
/// One result for each expected detection, and whether the baseline was quiet.
void detections(const Log& log, const Experiment& experiment, Measures& measures);
/// The injection that `within` counts from: the named action's first, or the run's first; or null.
[[nodiscard]] const InjectionSpan* reference_of(const ExpectedDetection& expected,
                                                const Measures& measures);
/// What the rules in the log say of when each should have fired, against when it did.
void predictions(const Log& log, const Experiment& experiment, Measures& measures);
/// The last estimate of each clock; doubts about those that were set during the run.
void clocks(const Log& log, Measures& measures);
/// Doubts about clocks that are known worse than the experiment allows.
void doubt_clocks(const Experiment& experiment, Measures& measures);
/// Was this detector (any, when empty) lost for some of the time between the two instants?
[[nodiscard]] bool was_blind(const Log& log, const std::string& detector, UtcTime from, UtcTime to);
/// May this alert answer that expectation? Labels and detector.
[[nodiscard]] bool answers(const ExpectedDetection& expected, const AlertSpan& alert);

/// Error budgets and burn rates, from what Prometheus counted or from a probe's samples.
void slos(const Log& log, const Experiment& experiment, const std::vector<Track>& tracks,
          Measures& measures);
/// What the target said of its own mode.
void operating_modes(const Log& log, const Experiment& experiment, Measures& measures);

/// Runbook steps, t_ack and marks.
void people(const Log& log, const Experiment& experiment, Measures& measures);
[[nodiscard]] std::vector<Rung> ladder(const Experiment& experiment, const Measures& measures);

[[nodiscard]] std::vector<Interval> intervals(const Experiment& experiment,
                                              const Measures& measures);
/// Reasons why the run may only be inconclusive.
void doubts(const Log& log, const Experiment& experiment, const std::vector<Track>& tracks,
            Measures& measures);

}  // namespace firedrill::measuring
