// The tables of what acts and measures; used by the table of the whole file.
#pragma once

#include "controller/experiment/shape.hpp"

namespace firedrill::format {

inline constexpr double kSecond = 1e6;
inline constexpr double kMinute = 60 * kSecond;
inline constexpr double kHour = 60 * kMinute;
inline constexpr double kDay = 24 * kHour;

extern const Shape kTarget, kHypothesis, kFaultAction, kProcessAction, kRef;

/// Which table an item of `method` is checked against, by its provider.
[[nodiscard]] const Shape& pick_method_item(const Json& item);

}  // namespace firedrill::format
