// The bodies of tests/support/fake_routes.hpp.
#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "tests/support/fake_host.hpp"

namespace firedrill::agent::test {

using kernel::IpAddress;
using kernel::IpPrefix;
using kernel::Route;
using kernel::Rule;

namespace {

constexpr std::string_view kSocket = "/run/bird/bird.ctl";

std::span<const std::byte> bytes_of(const IpAddress& address) {
  return std::as_bytes(std::span(address.bytes).first(address.v6 ? 16 : 4));
}

std::string hex(const kernel::Bytes& bytes) {
  std::string out;
  for (const std::byte byte : bytes) out += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return out;
}

}  // namespace

kernel::Bytes fake_route_message(const FakeRouteSpec& spec) {
  const IpPrefix prefix = *kernel::parse_route_prefix(spec.prefix);
  rtmsg header{};
  header.rtm_family = prefix.address.v6 ? AF_INET6 : AF_INET;
  header.rtm_dst_len = prefix.length;
  header.rtm_table = spec.table < 256 ? static_cast<unsigned char>(spec.table) : RT_TABLE_COMPAT;
  header.rtm_protocol = spec.protocol;
  header.rtm_type = spec.type;
  header.rtm_flags = spec.header_flags;
  kernel::AttributeWriter out(header);
  out.put(RTA_TABLE, spec.table);
  if (prefix.length != 0) out.put_bytes(RTA_DST, bytes_of(prefix.address));
  if (spec.metric != 0) out.put(RTA_PRIORITY, spec.metric);
  if (!spec.gateway.empty())
    out.put_bytes(RTA_GATEWAY, bytes_of(*kernel::parse_ip_address(spec.gateway)));
  if (spec.device != 0) out.put(RTA_OIF, spec.device);
  if (prefix.address.v6) {
    rta_cacheinfo cache{};
    cache.rta_expires = static_cast<int>(spec.expires);
    out.put(RTA_CACHEINFO, cache);
  }
  return out.bytes();
}

Route fake_route(const FakeRouteSpec& spec) {
  return *kernel::parse_route(fake_route_message(spec));
}

FakeRoutes::FakeRoutes(FakeKernel& state) : k_(state) {
  list = {fake_route({.prefix = "10.77.2.0/24", .gateway = "10.77.0.2"}),
          fake_route({.prefix = "10.77.2.0/24",
                      .gateway = "10.77.0.3",
                      .metric = 32,
                      .protocol = RTPROT_BIRD}),
          fake_route({.prefix = "10.77.0.0/24", .gateway = "", .protocol = RTPROT_KERNEL}),
          fake_route({.prefix = "default", .gateway = "10.77.0.1", .protocol = RTPROT_DHCP})};
  for (const std::uint32_t priority : {0U, 32766U, 32767U}) {
    Rule rule;
    rule.priority = priority;
    rule.protocol = RTPROT_KERNEL;
    rule_list.push_back(rule);
  }
}

template <class Effect>
auto FakeRoutes::act(std::string_view name, Effect effect) -> decltype(effect()) {
  const bool fails = k_.enter(name);
  if (fails && !k_.fails_after) return fail_errno(EIO, fmt::format("fake {}", name));
  auto result = effect();
  if (fails) return fail_errno(EIO, fmt::format("fake {}, done all the same", name));
  return result;
}

std::string FakeRoutes::state() const {
  std::string out;
  for (const Route& route : list) out += fmt::format("route {}\n", hex(route.message));
  for (const Rule& rule : rule_list) out += fmt::format("rule {}\n", to_string(rule));
  return out;
}

Result<void> FakeRoutes::may_change() {
  return act("routes.may_change", [&]() -> Result<void> {
    if (!privileged) return fail_errno(EPERM, "changing routes needs CAP_NET_ADMIN");
    return {};
  });
}

Result<std::vector<Route>> FakeRoutes::routes(const IpPrefix& prefix, std::uint32_t table) {
  return act("routes.routes", [&]() -> Result<std::vector<Route>> {
    if (prefix.address.v6 && !has_ipv6) return fail(ErrorCode::unsupported, "IPv6 is off");
    std::vector<Route> out;
    for (const Route& route : list)
      if (route.destination == prefix && route.table == table) out.push_back(route);
    return out;
  });
}

Result<std::vector<Route>> FakeRoutes::overlapping(const IpPrefix& prefix, std::uint32_t table,
                                                   std::size_t most) {
  return act("routes.overlapping", [&]() -> Result<std::vector<Route>> {
    std::vector<Route> out;
    for (const Route& route : list)
      if (overlaps(route.destination, prefix) && route.table == table && out.size() < most)
        out.push_back(route);
    return out;
  });
}

Result<std::optional<Route>> FakeRoutes::serving(const IpAddress& address) {
  return act("routes.serving", [&]() -> Result<std::optional<Route>> {
    std::optional<Route> best;
    for (const Route& route : list) {
      if (route.table != kernel::kMainTable || !contains(route.destination, address)) continue;
      const bool longer = !best || route.destination.length > best->destination.length;
      const bool better = best && route.destination.length == best->destination.length &&
                          route.metric < best->metric;
      if (longer || better) best = route;
    }
    return best;
  });
}

Result<void> FakeRoutes::add_route(const Route& route) {
  return act("routes.add_route", [&]() -> Result<void> {
    if (std::ranges::find(list, route.message, &Route::message) != list.end())
      return fail_errno(EEXIST, "add route");
    Route kept = route;
    if (loses_metrics)
      kept = fake_route({.prefix = "10.77.2.0/24", .gateway = "10.77.0.9", .metric = 77});
    // In the order of the kernel's table: by prefix, then by metric.
    const auto place = [](const Route& one) { return std::pair(one.destination, one.metric); };
    const auto after = std::ranges::find_if(list, [&](const Route& other) {
      return other.destination == kept.destination && place(kept) < place(other);
    });
    const auto same =
        std::ranges::find(list.rbegin(), list.rend(), kept.destination, &Route::destination);
    if (after != list.end()) list.insert(after, kept);
    else if (same != list.rend()) list.insert(same.base(), kept);
    else list.insert(list.begin(), kept);
    return {};
  });
}

Result<void> FakeRoutes::delete_route(const Route& route) {
  return act("routes.delete_route", [&]() -> Result<void> {
    if (daemon_watches) return {};
    if (std::erase_if(list, [&](const Route& one) { return one.message == route.message; }) == 0)
      return fail(ErrorCode::not_found, ESRCH, "delete route");
    return {};
  });
}

Result<std::vector<Rule>> FakeRoutes::rules(bool v6) {
  return act("routes.rules", [&]() -> Result<std::vector<Rule>> {
    if (v6 && !has_ipv6) return fail(ErrorCode::unsupported, "IPv6 is off");
    std::vector<Rule> out;
    for (const Rule& rule : rule_list)
      if (rule.v6 == v6) out.push_back(rule);
    return out;
  });
}

Result<void> FakeRoutes::add_rule(const Rule& rule) {
  return act("routes.add_rule", [&]() -> Result<void> {
    if (std::ranges::find(rule_list, rule) != rule_list.end()) return fail_errno(EEXIST, "rule");
    rule_list.insert(std::ranges::upper_bound(rule_list, rule.priority, {}, &Rule::priority), rule);
    return {};
  });
}

Result<void> FakeRoutes::delete_rule(const Rule& rule) {
  return act("routes.delete_rule", [&]() -> Result<void> {
    if (std::erase(rule_list, rule) == 0) return fail_errno(ENOENT, "delete rule");
    return {};
  });
}

FakeBird::FakeBird(FakeKernel& state) : k_(state) {
  protocols = {{"device1", {"Device", "up", ""}},
               {"edge1", {"BGP", "up", ""}},
               {"pinned", {"Static", "up", ""}}};
  listening = {std::string(kSocket)};
}

std::string FakeBird::state() const {
  std::string out;
  for (const auto& [name, one] : protocols)
    out += fmt::format("bird {} {} {} '{}'\n", name, one.kind, one.state, one.message);
  return out;
}

Result<std::vector<std::string>> FakeBird::sockets() {
  if (k_.enter("bird.sockets")) return fail_errno(EIO, "fake bird.sockets");
  return std::vector<std::string>(listening.begin(), listening.end());
}

std::string FakeBird::answer(const std::string& command) {
  const std::size_t quote = command.find('"');
  const std::string verb = command.substr(0, quote);
  const std::size_t close = quote == std::string::npos ? quote : command.find('"', quote + 1);
  const std::string name =
      quote == std::string::npos ? "" : command.substr(quote + 1, close - quote - 1);
  if (verb == "show status") return "1000-BIRD 2.0.12\n0013 Daemon is up and running\n";
  if (verb.starts_with("show route")) return "8001 Network not found\n";
  if (!name.empty() && !protocols.contains(name)) return "8003 No protocols match\n";
  if (verb.starts_with("show protocols")) {
    std::string out = "2002-Name       Proto      Table      State  Since         Info\n";
    for (const auto& [key, one] : protocols) {
      if (!name.empty() && key != name) continue;
      out += fmt::format("1002-{} {} --- {} 12:00:00.123 {}\n", key, one.kind, one.state,
                         one.kind == "BGP" && one.state == "up" ? "Established" : "");
      if (!one.message.empty()) out += fmt::format("1006-  Message:        {}\n", one.message);
    }
    return out + "0000 \n";
  }
  Protocol& protocol = protocols.at(name);
  const bool down = verb.starts_with("disable");
  const std::string state = down ? "down" : "up";
  if (protocol.state == state)
    return fmt::format("{}-{}: already\n0000 \n", down ? "0008" : "0010", name);
  if (!deaf) {
    protocol.state = state;
    const std::size_t second = command.find('"', close + 1);
    protocol.message =
        second == std::string::npos ? "" : command.substr(second + 1, command.size() - second - 2);
  }
  return fmt::format("{}-{}: {}\n0000 \n", down ? "0009" : "0011", name, down ? "dis" : "en");
}

Result<kernel::BirdReply> FakeBird::command(const std::string& socket, const std::string& command) {
  const bool fails = k_.enter("bird.command");
  if (fails && !k_.fails_after) return fail_errno(EIO, "fake bird.command");
  if (!listening.contains(socket))
    return fail(ErrorCode::not_found, ENOENT, fmt::format("no BIRD listens on '{}'", socket));
  std::string text;
  if (answers.contains("")) text = answers.at("");
  else if (answers.contains(command)) text = answers.at(command);
  else text = answer(command);
  if (fails) return fail_errno(EIO, "fake bird.command, done all the same");
  kernel::BirdReplyReader reader;
  if (auto fed = reader.feed(text); !fed) return std::unexpected(fed.error());
  auto reply = reader.take();
  if (!reply) return fail(ErrorCode::unavailable, "BIRD closed within its answer");
  return std::move(*reply);
}

}  // namespace firedrill::agent::test
