// Reads Chaos Toolkit's tolerance forms. Pure.
#pragma once

#include <string>

#include "controller/experiment/method.hpp"

namespace firedrill {

/// Accepts a scalar, [low, high], a longer list (membership) and {"type": "range" | "regex" |
/// "jsonpath", …}; refuses "probe" and anything else, with pointer.
[[nodiscard]] Result<Tolerance> parse_tolerance(const Json& json, const std::string& pointer);

/// The member "target" of an object tolerance ("stdout", "body", …), or empty.
[[nodiscard]] std::string tolerance_target(const Json& json);

}  // namespace firedrill
