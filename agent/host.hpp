// The host as faults see it: abstract, so that tests give one that keeps its state in memory and
// fails on command. The real one is kernel/linux_host.hpp. Every call blocks for a few netlink
// round trips at most, except where said; none may be called from two threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kernel/netem.hpp"
#include "agent/kernel/types.hpp"
#include "firedrill/result.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent {

/// rtnetlink: links, qdiscs, filters. Errors everywhere: permission_denied without CAP_NET_ADMIN,
/// not_found when the interface or object is gone, with the kernel's own words in the text.
class Network {
 public:
  virtual ~Network() = default;

  /// The boot and the network namespace all of this is about.
  [[nodiscard]] virtual Result<kernel::NamespaceId> namespace_id() = 0;
  [[nodiscard]] virtual Result<std::vector<kernel::Link>> links() = 0;
  /// The interface that packets to `address` leave through; none when there is no route.
  [[nodiscard]] virtual Result<std::optional<kernel::IfIndex>> interface_towards(
      const kernel::IpAddress& address) = 0;

  /// Makes an ifb, down, with one queue. Name, address and group exist from its first instant; the
  /// two idle devices that loading the module makes are removed again.
  /// @errors already_exists  the name is taken;  unsupported  no ifb in this kernel
  [[nodiscard]] virtual Result<kernel::IfIndex> create_ifb(const std::string& name,
                                                           const kernel::MacAddress& address,
                                                           std::uint32_t group) = 0;
  /// Sets the alias, keeps IPv6 from addressing it, and brings it up.
  [[nodiscard]] virtual Result<void> start_ifb(kernel::IfIndex ifb, const std::string& alias) = 0;
  /// Packets still queued in it are lost; a filter that still redirects to it is a black hole.
  [[nodiscard]] virtual Result<void> delete_link(kernel::IfIndex link) = 0;
  /// All that are in that group now: look first. They go at once, so the kernel waits for its
  /// readers once and not for each. @errors invalid_input  group 0
  [[nodiscard]] virtual Result<void> delete_link_group(std::uint32_t group) = 0;

  [[nodiscard]] virtual Result<std::vector<kernel::Qdisc>> qdiscs(kernel::IfIndex link) = 0;
  /// The classes below the link's qdiscs, one line each without counters, for comparison.
  [[nodiscard]] virtual Result<std::vector<std::string>> classes(kernel::IfIndex link) = 0;
  /// Adds netem as the root (`parent` 0; refused when a root other than the kernel's default is
  /// there), or inside the netem of handle `parent`, whose packets it gets next.
  [[nodiscard]] virtual Result<void> add_netem(kernel::IfIndex link, std::uint32_t parent,
                                               std::uint32_t handle,
                                               const kernel::NetemSpec& spec) = 0;
  /// Changes the netem of that handle; packets in it keep the times they were given.
  [[nodiscard]] virtual Result<void> change_netem(kernel::IfIndex link, std::uint32_t handle,
                                                  const kernel::NetemSpec& spec) = 0;
  /// Waits until the qdisc of that handle is empty, or `longest` has passed: true when empty.
  [[nodiscard]] virtual Result<bool> drain(kernel::IfIndex link, std::uint32_t handle,
                                           Duration longest) = 0;

  /// @errors already_exists  there is a clsact or ingress qdisc
  [[nodiscard]] virtual Result<void> add_clsact(kernel::IfIndex link) = 0;
  /// Takes every filter in it along: look first.
  [[nodiscard]] virtual Result<void> delete_clsact(kernel::IfIndex link) = 0;
  /// In the order of their preference. Empty when there is no clsact.
  [[nodiscard]] virtual Result<std::vector<kernel::Filter>> filters(kernel::IfIndex link,
                                                                    kernel::Side side) = 0;
  /// Adds a flower filter: match, pref, redirect_to and cookie are used.
  [[nodiscard]] virtual Result<void> add_filter(kernel::IfIndex link, kernel::Side side,
                                                const kernel::Filter& filter) = 0;
  /// Deletes exactly the filter of that pref, protocol, chain, kind and handle.
  [[nodiscard]] virtual Result<void> delete_filter(kernel::IfIndex link, kernel::Side side,
                                                   const kernel::Filter& filter) = 0;
};

/// ethtool netlink.
class Ethtool {
 public:
  virtual ~Ethtool() = default;
  /// @errors unsupported  the driver has no ring sizes (veth, lo)
  [[nodiscard]] virtual Result<kernel::RingSizes> ring(kernel::IfIndex link) = 0;
  /// Sets what is given and leaves the other alone. The driver may round silently, and may take
  /// the link down for seconds [kernel-facts §3]: read back. About 0.1 s.
  [[nodiscard]] virtual Result<void> set_ring(kernel::IfIndex link, std::optional<std::uint32_t> rx,
                                              std::optional<std::uint32_t> tx) = 0;
};

/// Told the name of each operation just before it: "network.add_filter", "ethtool.set_ring", …
/// A crash explorer ends the process here.
using OperationObserver = std::function<void(std::string_view operation)>;

class Disks;      // agent/host_disk.hpp
class Cgroups;    // agent/host_disk.hpp
class Processes;  // agent/host_memory.hpp
class Routes;     // agent/host_routes.hpp
class Bird;       // agent/host_routes.hpp

class Host {
 public:
  virtual ~Host() = default;
  [[nodiscard]] virtual Network& network() = 0;
  /// A network of its own, empty, to try out what the kernel can do: what is made in it goes with
  /// the object, and with this process however that ends.
  /// @errors unavailable        the first use of ifb would make devices in the host's own network
  ///         permission_denied  without CAP_SYS_ADMIN;  io_failed  no namespace to be had
  [[nodiscard]] virtual Result<std::unique_ptr<Network>> scratch_network() = 0;
  [[nodiscard]] virtual Ethtool& ethtool() = 0;
  [[nodiscard]] virtual Disks& disks() = 0;
  [[nodiscard]] virtual Cgroups& cgroups() = 0;
  [[nodiscard]] virtual Processes& processes() = 0;
  [[nodiscard]] virtual Routes& routes() = 0;
  [[nodiscard]] virtual Bird& bird() = 0;
  /// Far ends of connections that no fault may impair: the controller, as the agent's live socket
  /// has it, and what the agent adds.
  [[nodiscard]] virtual std::vector<kernel::Endpoint> protected_peers() = 0;
  /// Local TCP ports that no fault may impair: what the host's owner named and, with `ssh`, where
  /// this host's SSH server can be reached. Sorted.
  [[nodiscard]] virtual std::vector<std::uint16_t> protected_ports(bool ssh) = 0;
  /// A number that no other caller was given, to mark what is ours; never 0.
  [[nodiscard]] virtual std::uint32_t fresh_token() = 0;
};

}  // namespace firedrill::agent
