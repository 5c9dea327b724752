// A sweep: the same fault from mild to strong. Where users begin to be hurt, where monitoring
// begins to notice, and the gray zone between: hurt, and silent. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/study/session.hpp"
#include "controller/study/times.hpp"
#include "controller/study/vary.hpp"

namespace firedrill {

enum class Zone : std::uint8_t {
  healthy,      ///< not hurt, not noticed
  noticed,      ///< hurt and noticed
  gray,         ///< hurt and not noticed
  false_alarm,  ///< noticed though nobody was hurt
  unknown,      ///< the run was inconclusive
};
[[nodiscard]] std::string_view to_string(Zone zone);

/// One run of the sweep.
struct SweepPoint {
  std::string run;
  double value = 0;  ///< intensity, in Vary's unit
  Zone zone = Zone::unknown;
  bool hurt = false, noticed = false;  ///< without meaning when unknown
  double hurt_share = 0;               ///< of the time from injection to its end, in breach
  std::optional<Timed> impact{};       ///< from the injection
  std::optional<Timed> detection{};    ///< from the injection
  std::string why{};                   ///< of `unknown`
};

/// Where a yes begins between mild and strong. `low` is the strongest intensity known as no before
/// it, `high` the mildest known as yes; either is missing beyond the range that was tried.
struct Threshold {
  enum class Place : std::uint8_t {
    unknown,  ///< nothing conclusive
    below,    ///< yes even at the mildest: high only
    inside,
    above,  ///< no even at the strongest: low only
  } place = Place::unknown;
  std::optional<double> low{}, high{};
  bool sharp = true;  ///< false: some stronger intensity was a no; the bracket holds all of that
};

struct Sweep {
  Session session;
  Vary vary;
  std::string title;
  std::vector<SweepPoint> points;  ///< from mild to strong
  Threshold hurt, noticed;
  std::size_t unfinished = 0;  ///< runs that were stopped or failed, and are not drawn
};

/// The gray zone in one sentence: from where to where, or why there is none.
[[nodiscard]] std::string gray_words(const Sweep& sweep);
/// "between 0.5% and 0.8%", "below 0.1%", "above 30%".
[[nodiscard]] std::string threshold_words(const Threshold& threshold, const Vary& vary);

/// @errors corrupt: the session's tag holds no sweep that parses
[[nodiscard]] Result<Sweep> summarize_sweep(std::span<const StudiedRun> runs);

/// The next intensity to try, or none when the sweep is done. A grid is walked from mild to strong.
/// Bisection tries both ends, then halves (as ratios) the bracket of the threshold where users are
/// hurt, then that of the one where monitoring notices, until high/low is at most 1 + precision. An
/// intensity whose run was inconclusive is tried once more.
[[nodiscard]] std::optional<double> next_intensity(const SweepPlan& plan, const Sweep& sweep);

[[nodiscard]] Json to_json(const Sweep& sweep);

}  // namespace firedrill
