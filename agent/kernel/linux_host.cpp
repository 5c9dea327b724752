#include "agent/kernel/linux_host.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <thread>

#include <linux/netlink.h>
#include <sched.h>
#include <sys/random.h>

#include "agent/kernel/dm_library.hpp"
#include "agent/kernel/linux_bird.hpp"
#include "agent/kernel/linux_cgroups.hpp"
#include "agent/kernel/linux_disks.hpp"
#include "agent/kernel/linux_ethtool.hpp"
#include "agent/kernel/linux_network.hpp"
#include "agent/kernel/linux_processes.hpp"
#include "agent/kernel/linux_routes.hpp"
#include "agent/kernel/ssh_ports.hpp"
#include "agent/kernel/systemd_library.hpp"

namespace firedrill::agent::kernel {
namespace {

class LinuxHost final : public Host {
 public:
  LinuxHost(LinuxNetwork network, LinuxEthtool ethtool, const LinuxHostOptions& options)
      : network_(std::move(network)),
        ethtool_(std::move(ethtool)),
        disks_(options.on_operation, options.own_paths, options.owner.places),
        cgroups_(options.on_operation, "/sys/fs/cgroup", options.owner),
        processes_(options.on_operation, options.owner),
        routes_(options.on_operation),
        bird_(options.on_operation),
        protected_peers_(options.protected_peers),
        protected_ports_(options.owner.ports),
        observer_(options.on_operation) {}

  Network& network() override { return network_; }
  Result<std::unique_ptr<Network>> scratch_network() override;
  Ethtool& ethtool() override { return ethtool_; }
  Disks& disks() override { return disks_; }
  Cgroups& cgroups() override { return cgroups_; }
  Processes& processes() override { return processes_; }
  Routes& routes() override { return routes_; }
  Bird& bird() override { return bird_; }
  std::vector<Endpoint> protected_peers() override {
    return protected_peers_ ? protected_peers_() : std::vector<Endpoint>{};
  }
  std::vector<std::uint16_t> protected_ports(bool ssh) override {
    std::vector<std::uint16_t> ports = protected_ports_;
    if (ssh) std::ranges::copy(ssh_server_ports("/proc"), std::back_inserter(ports));
    std::ranges::sort(ports);
    const auto same = std::ranges::unique(ports);
    ports.erase(same.begin(), same.end());
    return ports;
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
  LinuxDisks disks_;
  LinuxCgroups cgroups_;
  LinuxProcesses processes_;
  LinuxRoutes routes_;
  LinuxBird bird_;
  std::function<std::vector<Endpoint>()> protected_peers_;
  std::vector<std::uint16_t> protected_ports_;
  OperationObserver observer_;
};

/// A socket keeps the namespace in which it was opened, and nothing else keeps this one.
Result<NetlinkSocket> open_in_new_namespace() {
  Result<NetlinkSocket> socket = fail(ErrorCode::internal, "not opened");
  std::thread([&socket] {
    if (::unshare(CLONE_NEWNET) == 0) socket = NetlinkSocket::open(NETLINK_ROUTE);
    else socket = fail_errno(errno, "a network namespace to try things in");
  }).join();
  return socket;
}

Result<std::unique_ptr<Network>> LinuxHost::scratch_network() {
  if (!ifb_module_loaded()) return fail(ErrorCode::unavailable, "the module ifb is not loaded yet");
  auto socket = open_in_new_namespace();
  if (!socket) return std::unexpected(socket.error());
  return std::make_unique<LinuxNetwork>(std::move(*socket), observer_);
}

}  // namespace

Result<std::unique_ptr<Host>> open_linux_host(const LinuxHostOptions& options) {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return std::unexpected(socket.error());
  auto ethtool = LinuxEthtool::open(options.on_operation);
  if (!ethtool) return std::unexpected(ethtool.error());
  LinuxNetwork network(std::move(*socket), options.on_operation);
  return std::make_unique<LinuxHost>(std::move(network), std::move(*ethtool), options);
}

void load_libraries_of_faults() {
  (void)dm_library();
  (void)systemd_library();
}

}  // namespace firedrill::agent::kernel
