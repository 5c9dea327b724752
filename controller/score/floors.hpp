// What a CI stage asks of the scores: "at least 80", of each or of one. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/score/score.hpp"

namespace firedrill {

/// The least that a score may be.
struct Floor {
  std::string score;  ///< detection, response, recovery or safety; empty: each that has a value
  double least = 0;   ///< 0 to 100
};

/// "80", "detection=80". There is no single composite, so a floor without a name holds for each.
/// @errors invalid_input  no number, beyond 0 to 100, an unknown score (the nearest is named)
[[nodiscard]] Result<Floor> parse_floor(std::string_view text);

/// What came of it, with a line for each score that is below its floor or has no value.
struct Floored {
  Verdict verdict = Verdict::pass;  ///< the run's own, or worse
  std::vector<std::string> lines;
};
/// Only a run that passed can be failed by a floor; what was inconclusive, aborted or in error
/// stays so, and has no scores that a floor could be held against. A named score without a value
/// (nothing of its kind was asked) makes a run that passed inconclusive: never a silent pass.
[[nodiscard]] Floored hold_to_floors(const Scorecard& card, std::span<const Floor> floors);

/// The lines of a score that lost points, the greatest loss first.
[[nodiscard]] std::vector<ScoreLine> lost_lines(const Score& score);
/// By how much the score (0 to 100) would have been higher without that loss.
[[nodiscard]] double gain_of(const Score& score, const ScoreLine& line);
/// "100 x 25 / 30": the formula with this run's points.
[[nodiscard]] std::string points_words(const Score& score);
/// What it takes to reach a rung of the ladder; empty for an unknown one.
[[nodiscard]] std::string_view rung_words(std::string_view rung);

}  // namespace firedrill
