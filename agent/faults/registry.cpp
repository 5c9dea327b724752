// The catalogue. A new fault is one line here.
#include "agent/fault.hpp"
#include "agent/faults/bgp_flap.hpp"
#include "agent/faults/dm_delay.hpp"
#include "agent/faults/io_throttle.hpp"
#include "agent/faults/memory_leak.hpp"
#include "agent/faults/netem.hpp"
#include "agent/faults/nic_ring.hpp"
#include "agent/faults/route_blackhole.hpp"
#include "agent/faults/route_flap.hpp"

namespace firedrill::agent {
namespace {

std::vector<std::unique_ptr<Fault>> all_faults() {
  std::vector<std::unique_ptr<Fault>> faults;
  faults.push_back(std::make_unique<Netem>());
  faults.push_back(std::make_unique<NicRing>());
  faults.push_back(std::make_unique<DmDelay>());
  faults.push_back(std::make_unique<IoThrottle>());
  faults.push_back(std::make_unique<MemoryLeak>());
  faults.push_back(std::make_unique<RouteFlap>());
  faults.push_back(std::make_unique<RouteBlackhole>());
  faults.push_back(std::make_unique<BgpFlap>());
  return faults;
}

}  // namespace

const std::vector<std::unique_ptr<Fault>>& fault_registry() {
  static const std::vector<std::unique_ptr<Fault>> registry = all_faults();
  return registry;
}

const Fault* find_fault(std::string_view name) {
  for (const auto& fault : fault_registry())
    if (fault->name() == name) return fault.get();
  return nullptr;
}

}  // namespace firedrill::agent
