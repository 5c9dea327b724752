// The two parameters that every flap has: how long one round takes, and which share of it the
// thing is down. Pure.
#pragma once

#include "agent/fault.hpp"

namespace firedrill::agent {

inline constexpr ParamSpec kPeriodParam{.name = "period",
                                        .type = ParamType::duration,
                                        .min = 200e3,
                                        .max = 86400e6,
                                        .choices = {},
                                        .default_text = "30s",
                                        .help = "from one withdrawal to the next"};
inline constexpr ParamSpec kDownShareParam{.name = "down-share",
                                           .type = ParamType::ratio,
                                           .min = 0.01,
                                           .max = 0.99,
                                           .choices = {},
                                           .default_text = "50%",
                                           .help = "share of each period that it is withdrawn"};

/// On is down: the fault is what withdraws.
[[nodiscard]] Pattern flap_pattern(const Params& params);
/// @errors invalid_input  one of the two parts is shorter than an injection can be kept to
[[nodiscard]] Result<void> check_flap(const Params& params);

}  // namespace firedrill::agent
