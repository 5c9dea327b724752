// The table of `blast-radius`, which the experiment's file and the fleet's have in common.
#pragma once

#include "controller/experiment/blast_radius.hpp"
#include "controller/experiment/shape.hpp"

namespace firedrill::format {

extern const Shape kBlastRadius;

/// From a document that format::check() has accepted; without the key: no limits.
[[nodiscard]] Result<BlastRadius> read_blast_radius(const Json& document);

}  // namespace firedrill::format
