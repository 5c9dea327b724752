// Proportions with their intervals. Pure. Every interval here has 95 % confidence.
#pragma once

#include <cstddef>
#include <optional>

namespace firedrill::stats {

/// The normal distribution's 97.5 % point: two-sided 95 %.
inline constexpr double kZ95 = 1.959963984540054;

struct Bounds {
  double low = 0, high = 0;
};

/// `events` of `count` trials; events is at most count.
struct Proportion {
  std::size_t events = 0, count = 0;
  [[nodiscard]] std::optional<double> value() const;  ///< none without trials
};

/// The score interval without continuity correction (Wilson, J. Am. Stat. Assoc. 22, 1927;
/// method 3 of Newcombe, Stat. Med. 17:857-872, 1998). Sound for few trials and for 0 or all of
/// them. Without trials nothing is known: 0 to 1.
[[nodiscard]] Bounds wilson(const Proportion& proportion);

/// p(b) - p(a) for independent samples: Newcombe's hybrid of two score intervals (method 10 of
/// Stat. Med. 17:873-890, 1998). Without trials on either side: -1 to 1.
[[nodiscard]] Bounds difference(const Proportion& a, const Proportion& b);

}  // namespace firedrill::stats
