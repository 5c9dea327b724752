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
};

/// The largest clock error that lets two hosts be told to act at one instant.
inline constexpr Duration kMaxClockError{250'000};

/// Blocks for as long as the slowest probe or monitoring server takes.
[[nodiscard]] std::vector<Check> run_preflight(const Experiment& experiment, const Plan& plan,
                                               Fleet& fleet);

}  // namespace firedrill
