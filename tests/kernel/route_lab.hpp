// The network lab with a second link, and what tests of routes share.
#pragma once

#include "tests/kernel/network_lab.hpp"

namespace firedrill::agent::test {

/// Beside data0 and peer0: "data1" (10.78.0.1, fd78::1) with its other end "far1" in the peer's
/// namespace (10.78.0.2, fd78::2).
class RouteLab : public NetworkLab {
 protected:
  void SetUp() override;
  [[nodiscard]] bool needs_netem() const override { return false; }

  /// Every route and rule byte for byte. Executes nothing, so that it can be had often.
  [[nodiscard]] static std::string routes_and_rules();
  [[nodiscard]] static Params params_of(const Fault& fault, const Json& given);
  /// Calls `act` in a child that dies at its n-th operation, as a killed agent would; true when
  /// the child got through all of it.
  bool die_at(int operation, const std::function<bool(Host&)>& act);
  /// What connect(2) to that address says: 0 or an errno.
  [[nodiscard]] static int connect_error(const std::string& address, std::uint16_t port);
};

}  // namespace firedrill::agent::test
