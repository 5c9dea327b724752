// Score: four separate numbers with the evidence for each point, the ladder rung and the verdict.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/measure/measures.hpp"

namespace firedrill {

enum class Verdict : std::uint8_t { pass, fail, inconclusive, aborted, error };
[[nodiscard]] std::string_view to_string(Verdict verdict);
[[nodiscard]] Result<Verdict> parse_verdict(std::string_view text);
/// 0 pass, 1 fail, 2 inconclusive, 3 aborted, 255 error.
[[nodiscard]] int exit_code(Verdict verdict);

/// One line of a score: `earned` of `possible`, why, and the events that show it.
struct ScoreLine {
  std::string what, why;
  double earned = 0, possible = 0;
  std::vector<std::int64_t> evidence;  ///< seq of events
};

/// `value` is 100·Σearned/Σpossible, absent when nothing was asked or the run is not scored.
struct Score {
  std::string name;  ///< detection, response, recovery, safety
  std::optional<double> value;
  std::string formula;
  std::vector<ScoreLine> lines;
  std::string why_none;
};

struct Scorecard {
  Verdict verdict = Verdict::inconclusive;
  std::vector<std::string> reasons;  ///< of the verdict, most important first
  std::vector<Score> scores;
  std::string rung;       ///< injected … recovered, the last reached in order, or "none"
  std::string next_rung;  ///< what would have raised it, or empty
};

[[nodiscard]] Scorecard score(const Measures& measures);
[[nodiscard]] Json to_json(const Scorecard& card);

}  // namespace firedrill
