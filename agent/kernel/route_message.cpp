#include "agent/kernel/route_message.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace firedrill::agent::kernel {
namespace {

/// Flags that someone set; the others tell how the link does or what hardware took over.
constexpr unsigned kSetFlags = RTNH_F_ONLINK | RTNH_F_PERVASIVE;

constexpr std::array<std::pair<std::uint8_t, std::string_view>, 19> kProtocols{{
    {RTPROT_REDIRECT, "redirect"},
    {RTPROT_KERNEL, "kernel"},
    {RTPROT_BOOT, "boot"},
    {RTPROT_STATIC, "static"},
    {RTPROT_GATED, "gated"},
    {RTPROT_RA, "ra"},
    {RTPROT_MRT, "mrt"},
    {RTPROT_ZEBRA, "zebra"},
    {RTPROT_BIRD, "bird"},
    {RTPROT_DNROUTED, "dnrouted"},
    {RTPROT_XORP, "xorp"},
    {RTPROT_DHCP, "dhcp"},
    {RTPROT_KEEPALIVED, "keepalived"},
    {RTPROT_BABEL, "babel"},
    {RTPROT_BGP, "bgp"},
    {RTPROT_ISIS, "isis"},
    {RTPROT_OSPF, "ospf"},
    {RTPROT_RIP, "rip"},
    {RTPROT_EIGRP, "eigrp"},
}};

std::size_t address_size(bool v6) { return v6 ? 16 : 4; }

std::optional<IpAddress> address_in(std::span<const std::byte> bytes, bool v6) {
  if (bytes.size() < address_size(v6)) return std::nullopt;
  IpAddress out;
  out.v6 = v6;
  std::memcpy(out.bytes.data(), bytes.data(), address_size(v6));
  return out;
}

/// A prefix of that length whose address is the attribute `type`; without one, all zeros.
Result<IpPrefix> prefix_in(const AttributeTable& table, std::uint16_t type, unsigned length,
                           bool v6) {
  IpPrefix out;
  out.address.v6 = v6;
  out.length = static_cast<std::uint8_t>(length);
  const auto payload = table.find(type);
  if (length > address_size(v6) * 8 || (!payload && length != 0))
    return fail(ErrorCode::corrupt, "route message: a prefix without its address");
  if (!payload) return out;
  const auto address = address_in(*payload, v6);
  if (!address) return fail(ErrorCode::corrupt, "route message: an address is cut short");
  out.address = *address;
  return out;
}

std::optional<IpAddress> gateway_in(const AttributeTable& table, bool v6) {
  if (const auto gateway = table.find(RTA_GATEWAY)) return address_in(*gateway, v6);
  const auto via = table.find(RTA_VIA);
  if (!via || via->size() < sizeof(rtvia)) return std::nullopt;
  rtvia head;
  std::memcpy(&head, via->data(), sizeof head);
  return address_in(via->subspan(sizeof head), head.rtvia_family == AF_INET6);
}

/// Calls `visit(header, attributes)` for each hop of an RTA_MULTIPATH.
template <class Visit>
Result<void> each_hop(std::span<const std::byte> bytes, Visit visit) {
  while (!bytes.empty()) {
    rtnexthop hop;
    if (bytes.size() < sizeof hop) return fail(ErrorCode::corrupt, "route message: half a hop");
    std::memcpy(&hop, bytes.data(), sizeof hop);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > bytes.size())
      return fail(ErrorCode::corrupt, "route message: a hop has an impossible length");
    if (auto seen = visit(hop, bytes.subspan(sizeof hop, hop.rtnh_len - sizeof hop)); !seen)
      return seen;
    bytes = bytes.subspan(std::min<std::size_t>(RTNH_ALIGN(hop.rtnh_len), bytes.size()));
  }
  return {};
}

Result<std::vector<RouteHop>> hops_in(const AttributeTable& table, bool v6) {
  std::vector<RouteHop> hops;
  if (const auto device = table.get<std::uint32_t>(RTA_OIF))
    hops.push_back({gateway_in(table, v6), IfIndex{*device}});
  const auto multipath = table.find(RTA_MULTIPATH);
  if (!multipath) return hops;
  const auto read = each_hop(*multipath, [&](const rtnexthop& hop, auto attributes) {
    const auto inner = AttributeTable::parse(attributes);
    if (!inner) return Result<void>(std::unexpected(inner.error()));
    hops.push_back({gateway_in(*inner, v6), IfIndex{static_cast<std::uint32_t>(hop.rtnh_ifindex)}});
    return Result<void>{};
  });
  if (!read) return std::unexpected(read.error());
  return hops;
}

Result<Bytes> clean_multipath(std::span<const std::byte> bytes) {
  Bytes out;
  const auto read = each_hop(bytes, [&](rtnexthop hop, auto attributes) {
    hop.rtnh_flags &= static_cast<unsigned char>(kSetFlags);
    append_plain(out, hop);
    out.insert(out.end(), attributes.begin(), attributes.end());
    out.resize(RTNH_ALIGN(out.size()));
    return Result<void>{};
  });
  if (!read) return std::unexpected(read.error());
  return out;
}

/// The message that puts the route back: see Route::message.
Result<Bytes> clean_message(rtmsg header, const AttributeTable& table) {
  header.rtm_flags &= kSetFlags;
  AttributeWriter out(header);
  const bool by_object = table.find(RTA_NH_ID).has_value();
  for (const auto& [type, payload] : table.entries()) {
    const bool of_object =
        type == RTA_OIF || type == RTA_GATEWAY || type == RTA_VIA || type == RTA_MULTIPATH;
    if (type == RTA_CACHEINFO || (by_object && of_object)) continue;
    if (type == RTA_MULTIPATH) {
      const auto hops = clean_multipath(payload);
      if (!hops) return hops;
      out.put_bytes(type, *hops);
    } else {
      out.put_bytes(type, payload);
    }
  }
  return out.bytes();
}

RouteType type_of(unsigned char rtm_type) {
  switch (rtm_type) {
    case RTN_UNICAST:
      return RouteType::forwarding;
    case RTN_BLACKHOLE:
    case RTN_UNREACHABLE:
    case RTN_PROHIBIT:
    case RTN_THROW:
      return RouteType::refusing;
    default:
      return RouteType::local;  // local, broadcast, multicast, anycast: of an address of ours
  }
}

std::string name_of(IfIndex device, const std::vector<Link>& links) {
  const auto link = std::ranges::find(links, device, &Link::index);
  return link == links.end() ? fmt::format("#{}", device.value) : link->name;
}

RuleAction action_of(unsigned char action) {
  switch (action) {
    case FR_ACT_BLACKHOLE:
      return RuleAction::blackhole;
    case FR_ACT_UNREACHABLE:
      return RuleAction::unreachable;
    case FR_ACT_PROHIBIT:
      return RuleAction::prohibit;
    default:
      return RuleAction::other;
  }
}

unsigned char number_of(RuleAction action) {
  switch (action) {
    case RuleAction::unreachable:
      return FR_ACT_UNREACHABLE;
    case RuleAction::prohibit:
      return FR_ACT_PROHIBIT;
    default:
      return FR_ACT_BLACKHOLE;
  }
}

/// Attributes that every rule has or that parse_rule() reads; any other narrows what it matches.
bool is_plain_rule_attribute(std::uint16_t type) {
  constexpr std::array kPlain{FRA_DST,      FRA_SRC,   FRA_PRIORITY,           FRA_TABLE,
                              FRA_PROTOCOL, FRA_FLOW,  FRA_SUPPRESS_PREFIXLEN, FRA_SUPPRESS_IFGROUP,
                              FRA_PAD,      FRA_UNSPEC};
  return std::ranges::find(kPlain, static_cast<int>(type)) != kPlain.end();
}

}  // namespace

Result<Route> parse_route(std::span<const std::byte> payload) {
  rtmsg header;
  if (payload.size() < sizeof header) return fail(ErrorCode::corrupt, "route message is too short");
  std::memcpy(&header, payload.data(), sizeof header);
  if (header.rtm_family != AF_INET && header.rtm_family != AF_INET6)
    return fail(ErrorCode::corrupt, "route message is neither IPv4 nor IPv6");
  const bool v6 = header.rtm_family == AF_INET6;
  const auto table = AttributeTable::parse(payload.subspan(sizeof header));
  if (!table) return std::unexpected(table.error());
  const auto destination = prefix_in(*table, RTA_DST, header.rtm_dst_len, v6);
  if (!destination) return std::unexpected(destination.error());
  const auto source = prefix_in(*table, RTA_SRC, v6 ? header.rtm_src_len : 0, v6);
  if (!source) return std::unexpected(source.error());
  auto hops = hops_in(*table, v6);
  if (!hops) return std::unexpected(hops.error());
  auto message = clean_message(header, *table);
  if (!message) return std::unexpected(message.error());

  Route route;
  route.destination = *destination;
  if (v6 && header.rtm_src_len != 0) route.source = *source;
  route.table = table->get<std::uint32_t>(RTA_TABLE).value_or(header.rtm_table);
  route.metric = table->get<std::uint32_t>(RTA_PRIORITY).value_or(0);
  route.tos = header.rtm_tos;
  route.protocol = header.rtm_protocol;
  route.type = type_of(header.rtm_type);
  route.hops = std::move(*hops);
  route.nexthop_group = table->get<std::uint32_t>(RTA_NH_ID);
  if (const auto cache = table->get<rta_cacheinfo>(RTA_CACHEINFO))
    route.expires = v6 && cache->rta_expires != 0;
  route.message = std::move(*message);
  return route;
}

bool same_place(const Route& a, const Route& b) {
  return a.table == b.table && a.destination == b.destination && a.source == b.source &&
         a.tos == b.tos && a.metric == b.metric;
}

std::string to_string(const Route& route, const std::vector<Link>& links) {
  std::string out = to_string(route.destination);
  if (route.type == RouteType::refusing) out += " (refusing)";
  if (route.source) out += fmt::format(" from {}", to_string(*route.source));
  if (route.tos != 0) out += fmt::format(" tos {:#04x}", route.tos);
  if (route.nexthop_group) out += fmt::format(" nhid {}", *route.nexthop_group);
  for (const RouteHop& hop : route.hops) {
    if (route.hops.size() > 1) out += " nexthop";
    if (hop.gateway) out += fmt::format(" via {}", to_string(*hop.gateway));
    out += fmt::format(" dev {}", name_of(hop.device, links));
  }
  if (route.table != kMainTable) out += fmt::format(" table {}", route.table);
  if (route.metric != 0) out += fmt::format(" metric {}", route.metric);
  return out + fmt::format(" proto {}", protocol_name(route.protocol));
}

std::string protocol_name(std::uint8_t route_protocol) {
  for (const auto& [number, name] : kProtocols)
    if (number == route_protocol) return std::string(name);
  return fmt::format("{}", route_protocol);
}

bool is_of_daemon(std::uint8_t route_protocol) {
  return route_protocol >= RTPROT_GATED && protocol_name(route_protocol) != "mrt" &&
         std::ranges::find(kProtocols, route_protocol, &decltype(kProtocols)::value_type::first) !=
             kProtocols.end();
}

std::string_view to_string(RuleAction action) {
  switch (action) {
    case RuleAction::blackhole:
      return "blackhole";
    case RuleAction::unreachable:
      return "unreachable";
    case RuleAction::prohibit:
      return "prohibit";
    default:
      return "other";
  }
}

Result<Rule> parse_rule(std::span<const std::byte> payload) {
  fib_rule_hdr header;
  if (payload.size() < sizeof header) return fail(ErrorCode::corrupt, "rule message is too short");
  std::memcpy(&header, payload.data(), sizeof header);
  if (header.family != AF_INET && header.family != AF_INET6)
    return fail(ErrorCode::corrupt, "rule message is neither IPv4 nor IPv6");
  const auto table = AttributeTable::parse(payload.subspan(sizeof header));
  if (!table) return std::unexpected(table.error());
  Rule rule;
  rule.v6 = header.family == AF_INET6;
  const auto from = prefix_in(*table, FRA_SRC, header.src_len, rule.v6);
  if (!from) return std::unexpected(from.error());
  const auto to = prefix_in(*table, FRA_DST, header.dst_len, rule.v6);
  if (!to) return std::unexpected(to.error());
  if (header.src_len != 0) rule.from = *from;
  if (header.dst_len != 0) rule.to = *to;
  rule.priority = table->get<std::uint32_t>(FRA_PRIORITY).value_or(0);
  rule.protocol = table->get<std::uint8_t>(FRA_PROTOCOL).value_or(0);
  rule.action = action_of(header.action);
  rule.more = header.tos != 0 || (header.flags & FIB_RULE_INVERT) != 0 ||
              std::ranges::any_of(table->entries(), [](const AttributeTable::Entry& entry) {
                return !is_plain_rule_attribute(entry.type);
              });
  return rule;
}

Bytes rule_message(const Rule& rule) {
  fib_rule_hdr header{};
  header.family = rule.v6 ? AF_INET6 : AF_INET;
  header.action = number_of(rule.action);
  header.src_len = rule.from ? rule.from->length : 0;
  header.dst_len = rule.to ? rule.to->length : 0;
  AttributeWriter out(header);
  const auto put = [&](std::uint16_t type, const std::optional<IpPrefix>& prefix) {
    if (!prefix || prefix->length == 0) return;
    out.put_bytes(
        type,
        std::as_bytes(std::span(prefix->address.bytes).first(address_size(prefix->address.v6))));
  };
  put(FRA_SRC, rule.from);
  put(FRA_DST, rule.to);
  out.put(FRA_PRIORITY, rule.priority);
  out.put(FRA_PROTOCOL, rule.protocol);
  return out.bytes();
}

std::string to_string(const Rule& rule) {
  std::string out = fmt::format("{}: from {}", rule.priority,
                                rule.from ? to_string(*rule.from) : std::string("all"));
  if (rule.to) out += fmt::format(" to {}", to_string(*rule.to));
  return out + fmt::format(" {} proto {}", to_string(rule.action), rule.protocol);
}

IpAddress unmapped(const IpAddress& address) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (!address.v6 || !std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin()))
    return address;
  IpAddress out;
  std::copy_n(address.bytes.begin() + 12, 4, out.bytes.begin());
  return out;
}

bool contains(const IpPrefix& block, const IpAddress& address) {
  const auto longest = static_cast<std::uint8_t>(address_size(address.v6) * 8);
  return overlaps(block, IpPrefix{address, longest});
}

Result<IpPrefix> parse_route_prefix(std::string_view text) {
  if (text == "default") return IpPrefix{};
  return parse_ip_prefix(text);
}

}  // namespace firedrill::agent::kernel
