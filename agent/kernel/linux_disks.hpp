// Disks of agent/host_disk.hpp on the kernel that this process runs on.
#pragma once

#include "agent/host_disk.hpp"

namespace firedrill::agent::kernel {

class LinuxDisks final : public Disks {
 public:
  explicit LinuxDisks(OperationObserver observer) : observer_(std::move(observer)) {}

 private:
  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }

  OperationObserver observer_;
};

}  // namespace firedrill::agent::kernel
