// Ring sizes by ethtool netlink, behind agent/host.hpp's Ethtool.
#pragma once

#include <string_view>

#include "agent/host.hpp"
#include "agent/kernel/netlink.hpp"

namespace firedrill::agent::kernel {

class LinuxEthtool final : public Ethtool {
 public:
  /// Opens a generic netlink socket and looks up the family (a few ms, once).
  /// @errors unsupported  a kernel older than 5.6
  [[nodiscard]] static Result<LinuxEthtool> open(OperationObserver observer);

  Result<RingSizes> ring(IfIndex link) override;
  Result<void> set_ring(IfIndex link, std::optional<std::uint32_t> rx,
                        std::optional<std::uint32_t> tx) override;

 private:
  LinuxEthtool(NetlinkSocket socket, std::uint16_t family, OperationObserver observer)
      : socket_(std::move(socket)), family_(family), observer_(std::move(observer)) {}

  NetlinkSocket socket_;
  std::uint16_t family_;
  OperationObserver observer_;
};

}  // namespace firedrill::agent::kernel
