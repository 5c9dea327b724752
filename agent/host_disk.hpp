// The host as the disk faults see it; see agent/host.hpp for what holds for all of it.
#pragma once

#include "agent/host.hpp"

namespace firedrill::agent {

/// Block devices: device-mapper tables, what lies on what, where files lie.
class Disks {
 public:
  virtual ~Disks() = default;
};

/// Control groups of both versions, and the systemd properties that stand for them.
class Cgroups {
 public:
  virtual ~Cgroups() = default;
};

}  // namespace firedrill::agent
