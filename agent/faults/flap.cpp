#include "agent/faults/flap.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace firedrill::agent {
namespace {

/// Taking effect, reading back and journalling take milliseconds; below this they would be most of
/// the time.
constexpr Duration kShortestPart = std::chrono::milliseconds(50);

}  // namespace

Pattern flap_pattern(const Params& params) {
  const Duration period = params.duration("period");
  const double down = static_cast<double>(period.count()) * params.ratio("down-share").value;
  const Duration on{std::llround(down)};
  return {on, period - on};
}

Result<void> check_flap(const Params& params) {
  const Pattern pattern = flap_pattern(params);
  if (std::min(pattern.on, pattern.off) >= kShortestPart) return {};
  return fail_at("/down-share",
                 fmt::format("of each {} it would be down {} and up {}; each must be at least {}",
                             to_string(params.duration("period")), to_string(pattern.on),
                             to_string(pattern.off), to_string(kShortestPart)));
}

}  // namespace firedrill::agent
