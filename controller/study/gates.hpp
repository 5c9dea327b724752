// What counts as a regression: "ttd:+20%". Pure.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/result.hpp"

namespace firedrill {

struct Comparison;

/// Times (tti, ttd, ttd-from-injection, tta, ttm, ttr) may grow by a share or a duration: "+20%",
/// "+10s". Shares (detection, steps) may fall and false-alarms may grow by points: "-10%", "+5%".
struct Gate {
  std::string text, key;
  double limit = 0;       ///< above zero: a share, or seconds
  bool relative = false;  ///< of times: a share of the baseline's
};

inline constexpr std::array<std::string_view, 2> kDefaultGates{"ttd:+20%", "detection:-10%"};

/// @errors invalid_input: an unknown key (the nearest is named), a wrong sign or no number
[[nodiscard]] Result<Gate> parse_gate(std::string_view text);

enum class GateVerdict : std::uint8_t { held, regression, unclear };
struct GateResult {
  Gate gate;
  GateVerdict verdict = GateVerdict::unclear;
  std::string words;
};

[[nodiscard]] std::string_view to_string(GateVerdict verdict);

}  // namespace firedrill
