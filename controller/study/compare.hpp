// Two sets of runs side by side: what became slower or rarer, by how much, whether that may be
// chance, and which part of the chain from fault to recovery it comes from. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/stats/proportion.hpp"
#include "controller/study/gates.hpp"
#include "controller/study/session.hpp"
#include "controller/study/times.hpp"

namespace firedrill {

struct RunGroup {
  std::string name;  ///< as people named it
  std::vector<StudiedRun> runs;
};

/// A time before and after. `change` is that of the medians, in seconds, and lies in [low, high] by
/// the uncertainty of the clock points alone; chance is what `test` is for.
struct TimeChange {
  std::string key, name;  ///< "ttd", "TTD"
  Distribution before, after;
  std::optional<double> change{}, low{}, high{};
  std::optional<stats::LogRank> test{};  ///< log-rank, before against after
};

struct ShareChange {
  std::string key, name;
  stats::Proportion before, after;
  std::optional<double> change{};
  stats::Bounds bounds{.low = -1, .high = 1};  ///< 95 %, of after - before
};

struct StepChange {
  std::string id{}, title{};
  stats::Proportion on_time_before{}, on_time_after{};  ///< of the runs that have this step
  Distribution before{}, after{};  ///< seconds from the alert until it was taken
  std::optional<double> change{};
};

/// One link of the chain, over the runs in which both of its ends are known.
struct SegmentChange {
  std::string from, to;  ///< "pending", "firing"
  std::string cause;     ///< what the time between them is made of: "the rule's `for`"
  std::size_t count_before = 0, count_after = 0;
  std::optional<double> before, after;  ///< medians, seconds
  std::optional<double> change{};
  [[nodiscard]] std::string name() const { return from + " → " + to; }
};

struct Comparison {
  std::string before_name, after_name;
  std::size_t before_count = 0, after_count = 0;  ///< runs that say something
  std::vector<std::string> left_out;              ///< "RUN: why"
  std::vector<std::string> notes;                 ///< what makes the sets differ by more than meant
  std::vector<TimeChange> times;
  std::vector<ShareChange> shares;
  std::vector<StepChange> steps;
  std::vector<SegmentChange> segments;
  std::vector<GateResult> gates;
  Verdict verdict = Verdict::inconclusive;  ///< pass, fail (a regression) or inconclusive
  std::string cause;                        ///< of a regression, in words; empty without one
};

/// @param gates  what counts as a regression; empty: kDefaultGates, where they can be applied
/// @param alpha  a gate counts only when chance is less likely than this; none: always
[[nodiscard]] Comparison compare(const RunGroup& before, const RunGroup& after,
                                 std::span<const Gate> gates, std::optional<double> alpha);

/// The links, each run by itself; used by compare().
[[nodiscard]] std::vector<SegmentChange> compare_segments(std::span<const StudiedRun> before,
                                                          std::span<const StudiedRun> after);

[[nodiscard]] Json to_json(const Comparison& comparison);

}  // namespace firedrill
