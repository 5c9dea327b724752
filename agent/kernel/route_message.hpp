// Routes and rules as rtnetlink messages: what a person wants to know of one, and the bytes that
// take it away and put it back as it was. Pure; sends nothing.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/kernel/attributes.hpp"
#include "agent/kernel/types.hpp"

namespace firedrill::agent::kernel {

inline constexpr std::uint32_t kMainTable = 254;

/// One way a route leads.
struct RouteHop {
  std::optional<IpAddress> gateway;  ///< none: the destination is on the link itself
  IfIndex device;
};

enum class RouteType : std::uint8_t { forwarding, refusing, local };

struct Route {
  IpPrefix destination;
  std::optional<IpPrefix> source;  ///< of a source-specific IPv6 route
  std::uint32_t table = kMainTable;
  std::uint32_t metric = 0;  ///< the kernel's "priority"; less is preferred
  std::uint8_t tos = 0;
  std::uint8_t protocol = 0;  ///< who installed it: RTPROT_*
  RouteType type = RouteType::forwarding;
  std::vector<RouteHop> hops;                  ///< several: multipath
  std::optional<std::uint32_t> nexthop_group;  ///< id of the nexthop object it goes through
  bool expires = false;                        ///< it has a lifetime, which cannot be put back
  /// Header and attributes, without what ages or follows from a nexthop object, and with only
  /// those flags that are settings: adds the route, deletes exactly it, and is equal for equal
  /// routes.
  Bytes message;
};

/// The payload of an RTM_NEWROUTE. @errors corrupt  not a whole route of IPv4 or IPv6
[[nodiscard]] Result<Route> parse_route(std::span<const std::byte> payload);
/// True when the kernel lets only one of them be in its place: same table, prefix, source, tos and
/// metric.
[[nodiscard]] bool same_place(const Route& a, const Route& b);
/// "10.0.0.0/24 via 10.1.0.1 dev eth0 metric 100 proto static" as ip(8) would say it.
[[nodiscard]] std::string to_string(const Route& route, const std::vector<Link>& links);
/// "static", "bird", "bgp", …, or the number.
[[nodiscard]] std::string protocol_name(std::uint8_t route_protocol);
/// Protocols of programs that watch their routes and may install one again that is missing.
[[nodiscard]] bool is_of_daemon(std::uint8_t route_protocol);

/// What a rule does to the packets it takes.
enum class RuleAction : std::uint8_t { blackhole, unreachable, prohibit, other };
[[nodiscard]] std::string_view to_string(RuleAction action);

/// A policy rule ("ip rule"), as far as ours use it.
struct Rule {
  bool v6 = false;
  std::uint32_t priority = 0;  ///< less is asked first; 0 is the local table
  std::uint8_t protocol = 0;   ///< who installed it
  RuleAction action = RuleAction::other;
  std::optional<IpPrefix> from;
  std::optional<IpPrefix> to;
  bool more = false;  ///< it matches by something that is not shown here
  bool operator==(const Rule&) const = default;
};
/// The payload of an RTM_NEWRULE. @errors corrupt
[[nodiscard]] Result<Rule> parse_rule(std::span<const std::byte> payload);
/// The payload that adds `rule` or deletes exactly it. `action` must not be `other`.
[[nodiscard]] Bytes rule_message(const Rule& rule);
/// "5100: from all to 10.0.0.0/24 blackhole" as ip(8) would say it.
[[nodiscard]] std::string to_string(const Rule& rule);

/// An IPv4 peer of a socket that speaks both families shows as ::ffff:a.b.c.d; routes know it as
/// a.b.c.d.
[[nodiscard]] IpAddress unmapped(const IpAddress& address);
/// Does the block hold the address?
[[nodiscard]] bool contains(const IpPrefix& block, const IpAddress& address);
/// "default" is 0.0.0.0/0; else as parse_ip_prefix.
[[nodiscard]] Result<IpPrefix> parse_route_prefix(std::string_view text);

}  // namespace firedrill::agent::kernel
