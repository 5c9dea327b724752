// Trials: the same experiment many times, real and sham in random order. What share of the real
// ones was noticed, how soon, and how often an alarm came for nothing. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/stats/proportion.hpp"
#include "controller/study/session.hpp"
#include "controller/study/times.hpp"

namespace firedrill {

/// Which of the trials are sham: floor(count · sham_ratio + 1/2) of them, at places drawn by a
/// Fisher-Yates shuffle of "all sham ones first" with SplitMix64 of `seed` (stats/random.hpp). The
/// same seed gives the same order on every machine.
[[nodiscard]] std::vector<bool> sham_order(const TrialsPlan& plan, std::uint64_t seed);

/// The first place in the order without a settled run, or none when all are done.
[[nodiscard]] std::optional<std::size_t> next_trial(const TrialsPlan& plan,
                                                    std::span<const StudiedRun> runs);

enum class TrialOutcome : std::uint8_t {
  in_time,      ///< real, an expected alert fired within the time allowed
  late,         ///< real, it fired, but later
  missed,       ///< real, it did not fire while watched
  quiet,        ///< sham, and nothing fired
  false_alarm,  ///< sham, and an expected or forbidden alert fired
  left_out,     ///< inconclusive: says nothing
};

struct Trial {
  std::string run;
  std::size_t index = 0;
  bool sham = false;
  TrialOutcome outcome = TrialOutcome::left_out;
  std::string why{};  ///< of `left_out` and `false_alarm`
  std::optional<Timed> from_injection{}, from_impact{};
};

/// One expected detection over the real trials in which it could be told.
struct ExpectationShare {
  std::string name;
  stats::Proportion in_time{}, fired{};
};

struct TrialsSummary {
  Session session;
  std::string title;
  std::vector<Trial> trials;           ///< by index; a place done twice has its last settled run
  std::size_t unfinished = 0;          ///< runs that were stopped or failed, and are not counted
  stats::Proportion noticed, in_time;  ///< of the real trials that can be judged
  stats::Proportion false_alarms;      ///< of the sham ones
  std::size_t left_out = 0;
  std::vector<ExpectationShare> expectations;
  Distribution from_injection, from_impact;
};

[[nodiscard]] TrialsSummary summarize_trials(std::span<const StudiedRun> runs);
/// One trial alone.
[[nodiscard]] Trial judge_trial(const StudiedRun& run);
[[nodiscard]] std::string_view to_string(TrialOutcome outcome);
[[nodiscard]] Json to_json(const TrialsSummary& summary);

}  // namespace firedrill
