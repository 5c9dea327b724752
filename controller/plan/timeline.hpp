// When each action starts, counted from t0. Pure.
#pragma once

#include <map>
#include <string>

#include "controller/experiment/experiment.hpp"

namespace firedrill {

struct Span {
  Duration start{};  ///< the pause before it included
  Duration end{};    ///< as planned; what starts after it begins here, its own pause after included
};

/// By action name, faults and processes alike. A process ends at its time-out at the latest.
/// @errors internal the links were not checked: an action waits for none that exists, or in a
/// circle
[[nodiscard]] Result<std::map<std::string, Span>> lay_out(const Experiment& experiment);

}  // namespace firedrill
