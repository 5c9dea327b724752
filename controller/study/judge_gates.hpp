// Inside of compare: gates against changes.
#pragma once

#include <optional>
#include <span>

#include "controller/study/compare.hpp"

namespace firedrill {

/// Fills gates, verdict and cause from times, shares and segments. Arguments as compare()'s.
void judge_gates(std::span<const Gate> gates, std::optional<double> alpha, Comparison& comparison);

}  // namespace firedrill
