// Kills the agent at each point of a case, pass by pass, and judges each recovery.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "tests/crash/stage.hpp"

namespace firedrill::crash {

/// Every `of`-th point, beginning with the `which`-th: for a short run that covers other points
/// each time.
struct Shard {
  int which = 0;
  int of = 1;
};

struct ExploreOptions {
  std::vector<Pass> passes{Pass::agent_killed, Pass::both_killed};
  std::optional<Point> point;  ///< only this one
  std::string before;          ///< only points whose operation has this in its name
  bool recovery = false;       ///< also each point of the recovery after a crash of both
  Shard shard;
};

/// What happened up to points that have been explored, before anything was in a journal: another
/// case that comes to the same point the same way would be the same trial.
using Histories = std::set<std::string>;

/// One row of the table.
struct CaseResult {
  std::string name;
  std::map<Phase, int> points;  ///< without those that an earlier case has had
  int trials = 0;
  int failures = 0;
  milliseconds slowest{};
};

/// Runs the case once to its end, without a kill: counts and names its points.
/// @errors with what the agent said, when the example does not hold on this host
[[nodiscard]] Result<std::vector<std::pair<Point, std::string>>> points_of(Stage& stage,
                                                                           const Case& what);

/// Prints each failure as it happens. @errors  nothing could be tried
[[nodiscard]] Result<CaseResult> explore(Stage& stage, const Case& what,
                                         const ExploreOptions& options, Histories& explored);

/// The rows, and below them the sums.
void print_table(const std::vector<CaseResult>& results);

}  // namespace firedrill::crash
