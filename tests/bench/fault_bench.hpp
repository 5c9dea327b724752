// What each fault really does, measured on a real kernel: one function a fault, for `scripts/bench
// faults`. A row sets what was asked beside what was observed; nothing here passes or fails.
#pragma once

#include <string>
#include <vector>

#include "firedrill/result.hpp"

namespace firedrill::bench {

struct Row {
  std::string fault;
  std::string asked;     ///< as a person reads it: "write 100ms, flush 0"
  std::string measured;  ///< what was measured: "fsync p50"
  double without = 0;    ///< the same without the fault, in the same run
  double with = 0;
  std::string unit;
};

using Measure = Result<std::vector<Row>> (*)();

// One per source of this folder. Each makes what it needs (namespaces, loop devices, processes)
// and removes it again; root, in the lab's guest.
[[nodiscard]] Result<std::vector<Row>> measure_dm_delay();
[[nodiscard]] Result<std::vector<Row>> measure_io_throttle();
[[nodiscard]] Result<std::vector<Row>> measure_memory_leak();
[[nodiscard]] Result<std::vector<Row>> measure_route_flap();
[[nodiscard]] Result<std::vector<Row>> measure_bgp_flap();

}  // namespace firedrill::bench
