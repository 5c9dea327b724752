#include "agent/kernel/linux_host.hpp"

#include <cerrno>
#include <cstdlib>

#include <linux/netlink.h>
#include <sys/random.h>

#include "agent/kernel/linux_ethtool.hpp"
#include "agent/kernel/linux_network.hpp"

namespace firedrill::agent::kernel {
namespace {

class LinuxHost final : public Host {
 public:
  LinuxHost(LinuxNetwork network, LinuxEthtool ethtool,
            std::function<std::vector<Endpoint>()> protected_peers)
      : network_(std::move(network)),
        ethtool_(std::move(ethtool)),
        protected_peers_(std::move(protected_peers)) {}

  Network& network() override { return network_; }
  Ethtool& ethtool() override { return ethtool_; }
  std::vector<Endpoint> protected_peers() override {
    return protected_peers_ ? protected_peers_() : std::vector<Endpoint>{};
  }
  std::uint32_t fresh_token() override {
    std::uint32_t token = 0;
    // Up to 256 bytes come whole and without waiting once the pool is ready; without it nothing
    // we make could be told from anyone else's, so that going on is no choice.
    while (token == 0)
      if (getrandom(&token, sizeof token, 0) < 0 && errno != EINTR) std::abort();
    return token;
  }

 private:
  LinuxNetwork network_;
  LinuxEthtool ethtool_;
  std::function<std::vector<Endpoint>()> protected_peers_;
};

}  // namespace

Result<std::unique_ptr<Host>> open_linux_host(LinuxHostOptions options) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return std::unexpected(socket.error());
  auto ethtool = LinuxEthtool::open(options.on_operation);
  if (!ethtool) return std::unexpected(ethtool.error());
  LinuxNetwork network(std::move(*socket), std::move(options.on_operation));
  return std::make_unique<LinuxHost>(std::move(network), std::move(*ethtool),
                                     std::move(options.protected_peers));
}

}  // namespace firedrill::agent::kernel
