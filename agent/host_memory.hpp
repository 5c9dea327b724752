// The host as the memory faults see it; see agent/host.hpp for what holds for all of it.
#pragma once

#include "agent/host.hpp"

namespace firedrill::agent {

/// Processes of this host: who they are, what they map, what is mapped into them.
class Processes {
 public:
  virtual ~Processes() = default;
};

}  // namespace firedrill::agent
