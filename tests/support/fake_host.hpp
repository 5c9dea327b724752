// A host in memory for the tests of faults: it keeps state as the kernel does, as far as faults can
// see it, counts operations and fails at the one it is told to.
#pragma once

#include <climits>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agent/host.hpp"
#include "tests/support/fake_disk.hpp"
#include "tests/support/fake_memory.hpp"
#include "tests/support/fake_routes.hpp"

namespace firedrill::agent::test {

/// Every object of the fake host. Tests read and write it freely.
struct FakeKernel {
  kernel::NamespaceId where{"boot-1", 4026531840};
  std::vector<kernel::Link> links;
  std::map<kernel::IfIndex, std::vector<kernel::Qdisc>> qdiscs;
  std::map<std::pair<kernel::IfIndex, kernel::Side>, std::vector<kernel::Filter>> filters;
  std::map<kernel::IfIndex, kernel::RingSizes> rings;
  std::map<kernel::IpAddress, kernel::IfIndex> routes;
  std::uint32_t next_index = 100;
  std::uint32_t ring_multiple = 1;       ///< the driver rounds ring sizes up to this
  bool flaps = false;                    ///< a ring change takes the link down and up
  bool forgets_loss = false;             ///< netem keeps no loss, as an older kernel might
  std::vector<std::string> black_holes;  ///< when traffic would have been swallowed: never
  std::vector<std::string> log;          ///< names of operations so far
  int fail_at = INT_MAX;                 ///< number of the operation that fails, from 0
  bool fails_after = false;              ///< … after taking effect, rather than instead
  OperationObserver observer;
  FakeKernel* counted_by = nullptr;  ///< whose operations ours are, too; null: our own

  /// Everything a person could see of the host, one line an object.
  [[nodiscard]] std::string state() const;
  /// Counts; true when this operation is the one to fail.
  bool enter(std::string_view operation);
};

class FakeNetwork final : public Network {
 public:
  explicit FakeNetwork(FakeKernel& state) : k_(state) {}

  Result<kernel::NamespaceId> namespace_id() override;
  Result<std::vector<kernel::Link>> links() override;
  Result<std::optional<kernel::IfIndex>> interface_towards(
      const kernel::IpAddress& address) override;
  Result<kernel::IfIndex> create_ifb(const std::string& name, const kernel::MacAddress& address,
                                     std::uint32_t group) override;
  Result<void> start_ifb(kernel::IfIndex ifb, const std::string& alias) override;
  Result<void> delete_link(kernel::IfIndex link) override;
  Result<void> delete_link_group(std::uint32_t group) override;
  Result<std::vector<kernel::Qdisc>> qdiscs(kernel::IfIndex link) override;
  Result<std::vector<std::string>> classes(kernel::IfIndex link) override;
  Result<void> add_netem(kernel::IfIndex link, std::uint32_t parent, std::uint32_t handle,
                         const kernel::NetemSpec& spec) override;
  Result<void> change_netem(kernel::IfIndex link, std::uint32_t handle,
                            const kernel::NetemSpec& spec) override;
  Result<bool> drain(kernel::IfIndex link, std::uint32_t handle, Duration longest) override;
  Result<void> add_clsact(kernel::IfIndex link) override;
  Result<void> delete_clsact(kernel::IfIndex link) override;
  Result<std::vector<kernel::Filter>> filters(kernel::IfIndex link, kernel::Side side) override;
  Result<void> add_filter(kernel::IfIndex link, kernel::Side side,
                          const kernel::Filter& filter) override;
  Result<void> delete_filter(kernel::IfIndex link, kernel::Side side,
                             const kernel::Filter& filter) override;

 private:
  /// Runs `effect` unless this operation is to fail before it.
  template <class Effect>
  auto act(std::string_view name, Effect effect) -> decltype(effect());
  void take_away(kernel::IfIndex link);
  [[nodiscard]] kernel::Link* link_at(kernel::IfIndex index);
  [[nodiscard]] kernel::Qdisc* clsact_of(kernel::IfIndex index);

  FakeKernel& k_;
};

class FakeEthtool final : public Ethtool {
 public:
  explicit FakeEthtool(FakeKernel& state) : k_(state) {}
  Result<kernel::RingSizes> ring(kernel::IfIndex link) override;
  Result<void> set_ring(kernel::IfIndex link, std::optional<std::uint32_t> rx,
                        std::optional<std::uint32_t> tx) override;

 private:
  FakeKernel& k_;
};

/// "lo", and "eth0" (ifindex 2) with a tuned fq_codel root, rings 1024 of 4096 and 512 of 4096.
class FakeHost final : public Host {
 public:
  FakeHost();
  Network& network() override { return network_; }
  Result<std::unique_ptr<Network>> scratch_network() override;
  Ethtool& ethtool() override { return ethtool_; }
  Disks& disks() override { return fake_disks; }
  Cgroups& cgroups() override { return fake_cgroups; }
  Processes& processes() override { return fake_processes; }
  Routes& routes() override { return fake_routes; }
  Bird& bird() override { return fake_bird; }
  std::vector<kernel::Endpoint> protected_peers() override { return peers; }
  std::vector<std::uint16_t> protected_ports(bool ssh) override {
    return ssh ? std::vector<std::uint16_t>{22} : std::vector<std::uint16_t>{};
  }
  std::uint32_t fresh_token() override { return ++last_token_; }

  [[nodiscard]] std::string state() const {
    return kernel.state() + fake_disks.state() + fake_cgroups.state() + fake_processes.state() +
           fake_routes.state() + fake_bird.state();
  }
  /// The `number`-th operation from now on fails; `after`: it takes effect all the same.
  void fail_call(int number, bool after = false);
  void heal() { kernel.fail_at = INT_MAX; }

  FakeKernel kernel;
  FakeDisks fake_disks{kernel};
  FakeCgroups fake_cgroups{kernel};
  FakeProcesses fake_processes{kernel};
  FakeRoutes fake_routes{kernel};
  FakeBird fake_bird{kernel};
  std::vector<kernel::Endpoint> peers;
  bool has_namespaces = true;

 private:
  FakeNetwork network_{kernel};
  FakeEthtool ethtool_{kernel};
  std::list<FakeKernel> scratches_;
  std::uint32_t last_token_ = 0x1A2B3C00;
};

inline constexpr kernel::IfIndex kEth0{2};

}  // namespace firedrill::agent::test
