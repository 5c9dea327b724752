// Bird of agent/host_routes.hpp on the kernel that this process runs on.
#pragma once

#include "agent/host_routes.hpp"

namespace firedrill::agent::kernel {

class LinuxBird final : public Bird {
 public:
  /// `patience`: how long one command may take, from connecting to its answer.
  explicit LinuxBird(OperationObserver observer, Duration patience = std::chrono::seconds(5))
      : observer_(std::move(observer)), patience_(patience) {}

  Result<std::vector<std::string>> sockets() override;
  Result<BirdReply> command(const std::string& socket, const std::string& command) override;

 private:
  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }

  OperationObserver observer_;
  Duration patience_;
};

/// The paths in /proc/net/unix of listening stream sockets that end in ".ctl".
[[nodiscard]] std::vector<std::string> parse_control_sockets(std::string_view proc_net_unix);

}  // namespace firedrill::agent::kernel
