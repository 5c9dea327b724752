#include "controller/stats/proportion.hpp"

#include <algorithm>
#include <cmath>

namespace firedrill::stats {

std::optional<double> Proportion::value() const {
  if (count == 0) return std::nullopt;
  return static_cast<double>(events) / static_cast<double>(count);
}

Bounds wilson(const Proportion& proportion) {
  if (proportion.count == 0) return {.low = 0, .high = 1};
  const auto n = static_cast<double>(proportion.count);
  const double p = static_cast<double>(proportion.events) / n;
  const double z2 = kZ95 * kZ95;
  const double middle = 2 * n * p + z2;
  const double half = kZ95 * std::sqrt(z2 + 4 * n * p * (1 - p));
  // At 0 and at all the formula gives exactly 0 and 1; rounding must not leave [0, 1].
  return {.low = proportion.events == 0 ? 0 : (middle - half) / (2 * (n + z2)),
          .high = proportion.events == proportion.count ? 1 : (middle + half) / (2 * (n + z2))};
}

Bounds difference(const Proportion& a, const Proportion& b) {
  if (a.count == 0 || b.count == 0) return {.low = -1, .high = 1};
  const double from = *a.value(), to = *b.value();
  const Bounds before = wilson(a), after = wilson(b);
  const double change = to - from;
  return {.low = change - std::hypot(to - after.low, before.high - from),
          .high = change + std::hypot(after.high - to, from - before.low)};
}

}  // namespace firedrill::stats
