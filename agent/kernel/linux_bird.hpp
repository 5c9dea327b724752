// Bird of agent/host_routes.hpp on the kernel that this process runs on.
#pragma once

#include "agent/host_routes.hpp"

namespace firedrill::agent::kernel {

class LinuxBird final : public Bird {
 public:
  explicit LinuxBird(OperationObserver observer) : observer_(std::move(observer)) {}

 private:
  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }

  OperationObserver observer_;
};

}  // namespace firedrill::agent::kernel
