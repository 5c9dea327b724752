// The host as the routes faults see it; see agent/host.hpp for what holds for all of it.
#pragma once

#include "agent/host.hpp"

namespace firedrill::agent {

/// Kernel routes and rules, as raw netlink messages with every attribute kept.
class Routes {
 public:
  virtual ~Routes() = default;
};

/// BIRD's control socket.
class Bird {
 public:
  virtual ~Bird() = default;
};

}  // namespace firedrill::agent
