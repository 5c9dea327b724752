// Whether values come in one heap or in two. A fault that is on and off by turns, or that hits some
// of the operations only, leaves two: their common median is then a value that nobody saw.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

constexpr std::size_t kFewest = 12;  ///< below this, kurtosis says nothing
constexpr std::size_t kBins = 24;
constexpr double kUniform = 5.0 / 9.0;  ///< Sarle's coefficient of a uniform distribution
constexpr double kCleanSeparation = 2;  ///< Ashman's D from which two parts are told apart
constexpr double kLeastShare = 0.1;     ///< a smaller part is a tail, not a mode

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance_of(std::span<const double> values) {
  const double mean = mean_of(values);
  double sum = 0;
  for (const double value : values) sum += (value - mean) * (value - mean);
  return sum / static_cast<double>(values.size());
}

/// Sarle's bimodality coefficient, (g² + 1) / (k + 3(n-1)²/((n-2)(n-3))), with g the sample
/// skewness and k the sample excess kurtosis, both corrected for bias: SAS Institute, SAS/STAT
/// User's Guide (1990), as examined by Pfister et al., "Good things peak in pairs", Frontiers in
/// Psychology 4:700 (2013). A normal distribution gives 1/3, a uniform one 5/9, two equal points 1;
/// beyond 5/9 two modes are likely. Skewed heaps mislead it, so latencies are judged on a log
/// scale.
double bimodality_coefficient(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  const double mean = mean_of(values);
  double m2 = 0, m3 = 0, m4 = 0;
  for (const double value : values) {
    const double d = value - mean;
    m2 += d * d / n;
    m3 += d * d * d / n;
    m4 += d * d * d * d / n;
  }
  if (m2 <= 0) return 0;
  const double skewness = std::sqrt(n * (n - 1)) / (n - 2) * m3 / std::pow(m2, 1.5);
  const double kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / (m2 * m2) - 3) + 6);
  return (skewness * skewness + 1) / (kurtosis + 3 * (n - 1) * (n - 1) / ((n - 2) * (n - 3)));
}

/// Where to cut sorted values so that the two parts are as far apart as can be for what they
/// spread: the greatest variance between classes (Otsu, IEEE Trans. SMC 9:62, 1979). The size of
/// the lower.
std::size_t best_cut(std::span<const double> sorted) {
  const double total = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  double below = 0, best = -1;
  std::size_t cut = 1;
  for (std::size_t i = 1; i < sorted.size(); ++i) {
    below += sorted[i - 1];
    const auto lower = static_cast<double>(i);
    const auto upper = static_cast<double>(sorted.size() - i);
    const double apart = below / lower - (total - below) / upper;
    const double between_classes = lower * upper * apart * apart;
    if (between_classes <= best) continue;
    best = between_classes;
    cut = i;
  }
  return cut;
}

/// Ashman's D = √2·|μ₁-μ₂| / √(σ₁²+σ₂²): Ashman, Bird, Zepf, Astronomical Journal 108:2348 (1994).
/// Above 2 the parts are cleanly separated. A normal heap cut in its middle has 2.65 already,
/// so this is asked only together with the coefficient.
double ashman_d(std::span<const double> lower, std::span<const double> upper) {
  const double apart = std::fabs(mean_of(upper) - mean_of(lower));
  const double spread = std::sqrt(variance_of(lower) + variance_of(upper));
  if (spread <= 0) return apart > 0 ? std::numeric_limits<double>::infinity() : 0;
  return std::sqrt(2.0) * apart / spread;
}

std::vector<std::size_t> bins_of(std::span<const double> sorted) {
  std::vector<std::size_t> bins(kBins, 0);
  const double width = (sorted.back() - sorted.front()) / static_cast<double>(kBins);
  for (const double value : sorted) {
    const double place = width > 0 ? (value - sorted.front()) / width : 0;
    ++bins[std::min(kBins - 1, static_cast<std::size_t>(place))];
  }
  return bins;
}

double middle_of(std::span<const double> sorted) { return sorted[(sorted.size() - 1) / 2]; }

}  // namespace

std::optional<Spread> spread_of(std::vector<double> values) {
  if (values.size() < kFewest) return std::nullopt;
  std::ranges::sort(values);
  Spread out;
  out.count = values.size();
  out.low = values.front();
  out.high = values.back();
  out.logarithmic = values.front() > 0;
  std::vector<double> scaled = values;
  if (out.logarithmic)
    for (double& value : scaled) value = std::log(value);
  out.bins = bins_of(scaled);
  const std::size_t cut = best_cut(scaled);
  const std::span<const double> all(scaled);
  if (out.low < out.high) {  // else rounding alone would be judged
    out.coefficient = bimodality_coefficient(all);
    out.separation = ashman_d(all.first(cut), all.subspan(cut));
  }
  const std::span<const double> plain(values);
  out.lower = middle_of(plain.first(cut));
  out.upper = middle_of(plain.subspan(cut));
  out.upper_share = static_cast<double>(values.size() - cut) / static_cast<double>(values.size());
  out.bimodal = out.coefficient > kUniform && out.separation > kCleanSeparation &&
                out.upper_share >= kLeastShare && 1 - out.upper_share >= kLeastShare;
  return out;
}

}  // namespace firedrill::measuring
