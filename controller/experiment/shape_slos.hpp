// The tables of service level objectives, of operating modes, and of what stops a run.
#pragma once

#include "controller/experiment/shape.hpp"

namespace firedrill::format {

extern const Shape kSlo, kOperatingMode, kStop;

}  // namespace firedrill::format
