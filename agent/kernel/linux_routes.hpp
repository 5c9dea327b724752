// Routes of agent/host_routes.hpp on the kernel that this process runs on.
#pragma once

#include "agent/host_routes.hpp"

namespace firedrill::agent::kernel {

class LinuxRoutes final : public Routes {
 public:
  explicit LinuxRoutes(OperationObserver observer) : observer_(std::move(observer)) {}

 private:
  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }

  OperationObserver observer_;
};

}  // namespace firedrill::agent::kernel
