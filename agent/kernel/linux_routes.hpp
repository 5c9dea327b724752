// Routes of agent/host_routes.hpp on the kernel that this process runs on.
#pragma once

#include "agent/host_routes.hpp"
#include "agent/kernel/netlink.hpp"

namespace firedrill::agent::kernel {

class LinuxRoutes final : public Routes {
 public:
  explicit LinuxRoutes(OperationObserver observer) : observer_(std::move(observer)) {}

  Result<void> may_change() override;
  Result<std::vector<Route>> routes(const IpPrefix& prefix, std::uint32_t table) override;
  Result<std::vector<Route>> overlapping(const IpPrefix& prefix, std::uint32_t table,
                                         std::size_t most) override;
  Result<std::optional<Route>> serving(const IpAddress& address) override;
  Result<void> add_route(const Route& route) override;
  Result<void> delete_route(const Route& route) override;
  Result<std::vector<Rule>> rules(bool v6) override;
  Result<void> add_rule(const Rule& rule) override;
  Result<void> delete_rule(const Rule& rule) override;

 private:
  using Wanted = std::function<bool(const Route&)>;

  void announce(std::string_view operation) const {
    if (observer_) observer_(operation);
  }
  /// Opens the socket at first use, in the namespace of the thread that asks.
  [[nodiscard]] Result<NetlinkSocket*> socket();
  [[nodiscard]] Result<std::vector<Route>> dump(bool v6, std::uint32_t table, std::size_t most,
                                                const Wanted& wanted);
  [[nodiscard]] Result<void> change(std::uint16_t type, std::uint16_t flags, const Bytes& message,
                                    const std::string& what);

  std::optional<NetlinkSocket> socket_;
  OperationObserver observer_;
};

}  // namespace firedrill::agent::kernel
