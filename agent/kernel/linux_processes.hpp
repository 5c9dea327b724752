// Processes of agent/host_memory.hpp on the kernel that this process runs on.
#pragma once

#include "agent/host_memory.hpp"

namespace firedrill::agent::kernel {

class LinuxProcesses final : public Processes {
 public:
  explicit LinuxProcesses(OperationObserver observer) : observer_(std::move(observer)) {}

 private:
  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }

  OperationObserver observer_;
};

}  // namespace firedrill::agent::kernel
