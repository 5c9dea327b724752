// How a run begins in its log: its name, and everything that measuring it later will need.
#pragma once

#include <string>

#include "controller/runner/runner.hpp"

namespace firedrill {

/// Sortable by time, readable, and unlikely to repeat: "20260301-120000-silent-nic-drops-7f3a".
[[nodiscard]] std::string new_run_id(const std::string& experiment, UtcTime now);

/// The data of run.created (event.hpp).
[[nodiscard]] Json created_data(const Experiment& experiment, const Plan& plan,
                                const RunRequest& request);

}  // namespace firedrill
