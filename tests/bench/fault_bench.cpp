// Prints the table of asked against observed as JSON lines. usage: fault_bench [FAULT...]
#include "tests/bench/fault_bench.hpp"

#include <algorithm>
#include <cstdio>
#include <span>
#include <string_view>
#include <utility>

#include "firedrill/json.hpp"

namespace firedrill::bench {
namespace {

const std::vector<std::pair<std::string_view, Measure>>& measures() {
  static const std::vector<std::pair<std::string_view, Measure>> all = {
      {"dm-delay", &measure_dm_delay},       {"io-throttle", &measure_io_throttle},
      {"memory-leak", &measure_memory_leak}, {"route-flap", &measure_route_flap},
      {"bgp-flap", &measure_bgp_flap},
  };
  return all;
}

int run(std::span<char*> wanted) {
  int failures = 0;
  for (const auto& [name, measure] : measures()) {
    const bool chosen = wanted.empty() || std::ranges::find(wanted, name) != wanted.end();
    if (!chosen) continue;
    const auto rows = measure();
    if (!rows) {
      std::fprintf(stderr, "%s: %s\n", std::string(name).c_str(), describe(rows.error()).c_str());
      ++failures;
      continue;
    }
    for (const Row& row : *rows)
      std::puts(Json{{"fault", row.fault},
                     {"asked", row.asked},
                     {"measured", row.measured},
                     {"without", row.without},
                     {"with", row.with},
                     {"unit", row.unit}}
                    .dump()
                    .c_str());
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace firedrill::bench

int main(int argc, char** argv) {
  return firedrill::bench::run({argv + 1, static_cast<std::size_t>(argc - 1)});
}
