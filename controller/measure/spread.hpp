// How the values of a probe spread over some time. Plain values; what they mean is in modes.cpp.
#pragma once

#include <cstddef>
#include <vector>

namespace firedrill {

/// How the values of a series spread over some time: in one heap or in two.
struct Spread {
  std::size_t count = 0;
  bool logarithmic = false;       ///< judged and drawn on a log scale: every value is above zero
  double low = 0, high = 0;       ///< ends of the histogram: the least and the greatest value
  std::vector<std::size_t> bins;  ///< of equal width between them, on that scale
  double coefficient = 0;         ///< Sarle's, see modes.cpp
  double separation = 0;          ///< Ashman's D between the two parts; infinite without spread
  bool bimodal = false;
  double lower = 0, upper = 0;  ///< medians of the two parts
  double upper_share = 0;       ///< of the samples
};

}  // namespace firedrill
