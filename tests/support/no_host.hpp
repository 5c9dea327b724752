// A host for tests whose faults touch none: using any part of it ends the program.
#pragma once

#include <cstdlib>

#include "agent/host.hpp"

namespace firedrill::agent::testing {

class NoHost final : public Host {
 public:
  Network& network() override { std::abort(); }
  Result<std::unique_ptr<Network>> scratch_network() override { std::abort(); }
  Ethtool& ethtool() override { std::abort(); }
  Disks& disks() override { std::abort(); }
  Cgroups& cgroups() override { std::abort(); }
  Processes& processes() override { std::abort(); }
  Routes& routes() override { std::abort(); }
  Bird& bird() override { std::abort(); }
  std::vector<kernel::Endpoint> protected_peers() override { return {}; }
  std::vector<std::uint16_t> protected_ports(bool) override { return {}; }
  std::uint32_t fresh_token() override { return 1; }
};

}  // namespace firedrill::agent::testing
