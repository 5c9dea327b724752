// rtnetlink behind agent/host.hpp's Network. Two sources: links and routes, and traffic control.
#pragma once

#include "agent/host.hpp"
#include "agent/kernel/netlink.hpp"

namespace firedrill::agent::kernel {

class LinuxNetwork final : public Network {
 public:
  LinuxNetwork(NetlinkSocket socket, OperationObserver observer)
      : socket_(std::move(socket)), observer_(std::move(observer)) {}

  Result<NamespaceId> namespace_id() override;
  Result<std::vector<Link>> links() override;
  Result<std::optional<IfIndex>> interface_towards(const IpAddress& address) override;
  Result<IfIndex> create_ifb(const std::string& name, const MacAddress& address,
                             std::uint32_t group) override;
  Result<void> start_ifb(IfIndex ifb, const std::string& alias) override;
  Result<void> delete_link(IfIndex link) override;
  Result<void> delete_link_group(std::uint32_t group) override;

  Result<std::vector<Qdisc>> qdiscs(IfIndex link) override;
  Result<std::vector<std::string>> classes(IfIndex link) override;
  Result<void> add_netem(IfIndex link, std::uint32_t parent, std::uint32_t handle,
                         const NetemSpec& spec) override;
  Result<void> change_netem(IfIndex link, std::uint32_t handle, const NetemSpec& spec) override;
  Result<bool> drain(IfIndex link, std::uint32_t handle, Duration longest) override;
  Result<void> add_clsact(IfIndex link) override;
  Result<void> delete_clsact(IfIndex link) override;
  Result<std::vector<Filter>> filters(IfIndex link, Side side) override;
  Result<void> add_filter(IfIndex link, Side side, const Filter& filter) override;
  Result<void> delete_filter(IfIndex link, Side side, const Filter& filter) override;

 private:
  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }
  [[nodiscard]] Result<std::vector<Link>> dump_links();
  [[nodiscard]] Result<std::vector<Qdisc>> dump_qdiscs(IfIndex link);
  [[nodiscard]] Result<void> put_netem(IfIndex link, std::uint32_t parent, std::uint32_t handle,
                                       const NetemSpec& spec, std::uint16_t flags,
                                       std::string_view what);

  NetlinkSocket socket_;
  OperationObserver observer_;
};

/// Loading it, which the first create_ifb() does, makes two idle devices in the first namespace.
[[nodiscard]] bool ifb_module_loaded();

}  // namespace firedrill::agent::kernel
