// The routes part of the fake host; see tests/support/fake_host.hpp.
#pragma once

#include <map>
#include <set>

#include "agent/host_routes.hpp"

namespace firedrill::agent::test {

struct FakeKernel;

/// A route as the kernel would dump it. `gateway` empty: on the link itself.
struct FakeRouteSpec {
  std::string prefix;
  std::string gateway;
  std::uint32_t device = 2;
  std::uint32_t metric = 0;
  std::uint8_t protocol = 4;  ///< static
  std::uint32_t table = kernel::kMainTable;
  std::uint8_t type = 1;          ///< unicast
  std::uint32_t expires = 0;      ///< IPv6 only
  std::uint8_t header_flags = 0;  ///< rtm_flags
};
[[nodiscard]] kernel::Bytes fake_route_message(const FakeRouteSpec& spec);
[[nodiscard]] kernel::Route fake_route(const FakeRouteSpec& spec);

/// Main table: 10.77.2.0/24 twice, static and with metric 32 from BIRD, 10.77.0.0/24 on eth0, and
/// a default route.
class FakeRoutes final : public Routes {
 public:
  explicit FakeRoutes(FakeKernel& state);

  Result<void> may_change() override;
  Result<std::vector<kernel::Route>> routes(const kernel::IpPrefix& prefix,
                                            std::uint32_t table) override;
  Result<std::vector<kernel::Route>> overlapping(const kernel::IpPrefix& prefix,
                                                 std::uint32_t table, std::size_t most) override;
  Result<std::optional<kernel::Route>> serving(const kernel::IpAddress& address) override;
  Result<void> add_route(const kernel::Route& route) override;
  Result<void> delete_route(const kernel::Route& route) override;
  Result<std::vector<kernel::Rule>> rules(bool v6) override;
  Result<void> add_rule(const kernel::Rule& rule) override;
  Result<void> delete_rule(const kernel::Rule& rule) override;

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const;

  std::vector<kernel::Route> list;
  std::vector<kernel::Rule> rule_list;
  bool privileged = true;
  bool has_ipv6 = true;
  bool daemon_watches = false;  ///< puts back at once what is deleted
  bool loses_metrics = false;   ///< keeps another route than the one it was given

 private:
  template <class Effect>
  auto act(std::string_view name, Effect effect) -> decltype(effect());
  FakeKernel& k_;
};

/// BIRD on /run/bird/bird.ctl with the BGP protocol "edge1" up, a static one and the device one.
class FakeBird final : public Bird {
 public:
  struct Protocol {
    std::string kind;
    std::string state;
    std::string message;
  };

  explicit FakeBird(FakeKernel& state);
  Result<std::vector<std::string>> sockets() override;
  Result<kernel::BirdReply> command(const std::string& socket, const std::string& command) override;

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const;

  std::map<std::string, Protocol> protocols;
  std::set<std::string> listening;
  std::map<std::string, std::string> answers;  ///< given instead, by command or "" for any
  bool deaf = false;                           ///< says "disabled" and does nothing

 private:
  [[nodiscard]] std::string answer(const std::string& command);
  FakeKernel& k_;
};

}  // namespace firedrill::agent::test
