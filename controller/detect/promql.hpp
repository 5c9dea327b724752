// What can be told from a PromQL expression without evaluating it. Pure; safe on any bytes. It
// reads words, brackets and quotes; it is no parser and says nothing about whether one would take
// the expression.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firedrill/units.hpp"

namespace firedrill {

struct PromqlParts {
  /// The series it reads: `up{job="etcd"}`, without ranges, each once, at most 16.
  std::vector<std::string> selectors;
  Duration longest_range{};   ///< the largest [range]: how far back it looks; 0 without one
  bool asks_absence = false;  ///< holds absent() or absent_over_time(): no data is its very point
};

[[nodiscard]] PromqlParts promql_parts(std::string_view expression);

/// "1h30m", "2d", "500ms", "1w": Prometheus' own durations. @errors invalid_input
[[nodiscard]] Result<Duration> parse_prometheus_duration(std::string_view text);

}  // namespace firedrill
