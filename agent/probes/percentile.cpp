#include "agent/probes/percentile.hpp"

#include <algorithm>
#include <cmath>

namespace firedrill::agent {
namespace {

double to_ms(Duration duration) { return static_cast<double>(duration.count()) / 1000.0; }

}  // namespace

Duration nearest_rank(const std::vector<Duration>& sorted, Ratio share) {
  const auto count = static_cast<double>(sorted.size());
  // 0.95 × 20 is a hair above 19 in binary; without the slack it would pick the 20th.
  const double rank = std::ceil(share.value * count - 1e-9);
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

std::map<std::string, double> latency_values(std::vector<Duration> latencies) {
  if (latencies.empty()) return {};
  std::ranges::sort(latencies);
  Duration sum{};
  for (const Duration latency : latencies) sum += latency;
  return {{"p50_ms", to_ms(nearest_rank(latencies, Ratio{0.50}))},
          {"p95_ms", to_ms(nearest_rank(latencies, Ratio{0.95}))},
          {"p99_ms", to_ms(nearest_rank(latencies, Ratio{0.99}))},
          {"max_ms", to_ms(latencies.back())},
          {"mean_ms", to_ms(sum) / static_cast<double>(latencies.size())}};
}

}  // namespace firedrill::agent
