// Inside of score: how objectives are judged and what each score is made of.
#pragma once

#include "controller/score/score.hpp"

namespace firedrill::scoring {

enum class Objective : std::uint8_t {
  none,  ///< not asked, or without meaning in this run
  met,
  missed,
  open,  ///< watching ended before the objective's time had passed
};
[[nodiscard]] Objective judge(const Interval& interval);
/// "TTD 12.0 s, objective 10.0 s: missed", for reasons and lines.
[[nodiscard]] std::string objective_words(const Interval& interval);

[[nodiscard]] Score detection(const Measures& measures);
[[nodiscard]] Score response(const Measures& measures);
[[nodiscard]] Score recovery(const Measures& measures);
[[nodiscard]] Score safety(const Measures& measures);

}  // namespace firedrill::scoring
