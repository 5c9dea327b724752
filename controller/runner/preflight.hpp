// What must hold before anything is touched. Asks agents and monitoring; changes nothing; decides
// nothing but "this check holds" or not, with the reason.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "controller/fleet/fleet.hpp"
#include "controller/plan/plan.hpp"

namespace firedrill {

struct Check {
  std::string check;  ///< "agents", "leftovers", "clock", "probe write-p99", "monitoring", …
  bool ok = false;
  std::string detail;  ///< what was found; when not ok, how to mend it
  Json measured = {};  ///< of an error budget: the data of slo.budget
};

/// The largest clock error that lets two hosts be told to act at one instant.
inline constexpr Duration kMaxClockError{250'000};

/// Blocks for as long as the slowest probe or monitoring server takes.
[[nodiscard]] std::vector<Check> run_preflight(const Experiment& experiment, const Plan& plan,
                                               Fleet& fleet);

/// What is left of the error budgets, and whether the target's mode can be read. Contacts no agent.
void check_slos(const Experiment& experiment, std::vector<Check>& checks);

}  // namespace firedrill
