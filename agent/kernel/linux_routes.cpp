#include "agent/kernel/linux_routes.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

unsigned char family_of(bool v6) { return v6 ? AF_INET6 : AF_INET; }

/// Asked for IPv6, a kernel without it answers with the routes of every other family.
Result<void> check_family(bool v6) {
  if (!v6 || access("/proc/sys/net/ipv6", F_OK) == 0) return {};
  return fail(ErrorCode::unsupported,
              "IPv6 is off in this kernel: boot it without ipv6.disable=1 to have IPv6 routes");
}

}  // namespace

Result<NetlinkSocket*> LinuxRoutes::socket() {
  if (!socket_) {
    auto opened = NetlinkSocket::open(NETLINK_ROUTE);
    if (!opened) return std::unexpected(opened.error());
    // Lets the kernel leave out other tables (Linux 4.20); an older one sends them all, and what
    // is not wanted is dropped here.
    const int on = 1;
    setsockopt(nl_socket_get_fd(opened->handle()), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
               sizeof on);
    socket_.emplace(std::move(*opened));
  }
  return &*socket_;
}

Result<void> LinuxRoutes::may_change() {
  announce("routes.may_change");
  auto netlink = socket();
  if (!netlink) return std::unexpected(netlink.error());
  // The kernel asks for the privilege before it looks at the message, and this one is too short
  // to mean any route.
  const AttributeWriter nothing(rtgenmsg{AF_INET});
  const auto asked = (*netlink)->request(RTM_DELROUTE, 0, nothing.bytes(), "change routes");
  if (asked || asked.error().sys_errno == EINVAL) return {};
  if (asked.error().sys_errno == EPERM)
    return fail(ErrorCode::permission_denied, EPERM,
                "changing routes needs CAP_NET_ADMIN: run the agent as root");
  return asked;
}

Result<std::vector<Route>> LinuxRoutes::dump(bool v6, std::uint32_t table, std::size_t most,
                                             const Wanted& wanted) {
  if (auto family = check_family(v6); !family) return std::unexpected(family.error());
  auto netlink = socket();
  if (!netlink) return std::unexpected(netlink.error());
  rtmsg header{};
  header.rtm_family = family_of(v6);
  AttributeWriter request(header);
  request.put(RTA_TABLE, table);
  std::vector<Route> out;
  std::optional<Error> broken;
  const auto sink = [&](std::uint16_t type, std::span<const std::byte> payload) {
    if (type != RTM_NEWROUTE || out.size() >= most) return;
    rtmsg head;
    if (payload.size() < sizeof head) return;
    std::memcpy(&head, payload.data(), sizeof head);
    // Cached copies (of exceptions, such as a path MTU) are no routes of anybody's.
    if (head.rtm_family != family_of(v6) || (head.rtm_flags & RTM_F_CLONED) != 0) return;
    auto route = parse_route(payload);
    if (!route) broken = route.error();
    else if (route->table == table && wanted(*route)) out.push_back(std::move(*route));
  };
  const auto done =
      (*netlink)->dump(RTM_GETROUTE, request.bytes(), "list routes", [&out] { out.clear(); }, sink);
  // A table that nobody has put anything into does not exist.
  if (!done && done.error().sys_errno == ENOENT) return std::vector<Route>{};
  if (!done) return std::unexpected(done.error());
  if (broken) return std::unexpected(*broken);
  return out;
}

Result<std::vector<Route>> LinuxRoutes::routes(const IpPrefix& prefix, std::uint32_t table) {
  announce("routes.routes");
  return dump(prefix.address.v6, table, std::numeric_limits<std::size_t>::max(),
              [&prefix](const Route& route) { return route.destination == prefix; });
}

Result<std::vector<Route>> LinuxRoutes::overlapping(const IpPrefix& prefix, std::uint32_t table,
                                                    std::size_t most) {
  announce("routes.overlapping");
  return dump(prefix.address.v6, table, most,
              [&prefix](const Route& route) { return overlaps(route.destination, prefix); });
}

Result<std::optional<Route>> LinuxRoutes::serving(const IpAddress& address) {
  announce("routes.serving");
  if (auto family = check_family(address.v6); !family) return std::unexpected(family.error());
  auto netlink = socket();
  if (!netlink) return std::unexpected(netlink.error());
  rtmsg header{};
  header.rtm_family = family_of(address.v6);
  header.rtm_dst_len = address.v6 ? 128 : 32;
  // IPv6 always tells the table, and refuses to be asked for it.
  header.rtm_flags = RTM_F_FIB_MATCH | (address.v6 ? 0U : RTM_F_LOOKUP_TABLE);
  AttributeWriter request(header);
  request.put_bytes(RTA_DST, std::as_bytes(std::span(address.bytes).first(address.v6 ? 16 : 4)));
  std::optional<Route> out;
  std::optional<Error> broken;
  const auto done =
      (*netlink)->request(RTM_GETROUTE, 0, request.bytes(), "route towards " + to_string(address),
                          [&](std::uint16_t type, std::span<const std::byte> payload) {
                            if (type != RTM_NEWROUTE) return;
                            auto route = parse_route(payload);
                            if (route) out = std::move(*route);
                            else broken = route.error();
                          });
  if (broken) return std::unexpected(*broken);
  if (done) return out;
  // A black hole answers EINVAL, as a wrong question would: then it is not known what serves it.
  const int error = done.error().sys_errno;
  if (error == ENETUNREACH || error == EHOSTUNREACH || error == EACCES) return std::nullopt;
  return std::unexpected(done.error());
}

Result<void> LinuxRoutes::change(std::uint16_t type, std::uint16_t flags, const Bytes& message,
                                 const std::string& what) {
  auto netlink = socket();
  if (!netlink) return std::unexpected(netlink.error());
  auto done = (*netlink)->request(type, flags, message, what);
  if (!done && done.error().sys_errno == ESRCH) {
    Error gone = done.error();
    gone.code = ErrorCode::not_found;
    return std::unexpected(std::move(gone));
  }
  return done;
}

Result<void> LinuxRoutes::add_route(const Route& route) {
  announce("routes.add_route");
  // Appended, because without this word IPv4 would put it in front of others of its place.
  const std::uint16_t flags =
      route.destination.address.v6 ? NLM_F_CREATE : NLM_F_CREATE | NLM_F_APPEND;
  return change(RTM_NEWROUTE, flags, route.message, "add route " + to_string(route, {}));
}

Result<void> LinuxRoutes::delete_route(const Route& route) {
  announce("routes.delete_route");
  return change(RTM_DELROUTE, 0, route.message, "delete route " + to_string(route, {}));
}

Result<std::vector<Rule>> LinuxRoutes::rules(bool v6) {
  announce("routes.rules");
  if (auto family = check_family(v6); !family) return std::unexpected(family.error());
  auto netlink = socket();
  if (!netlink) return std::unexpected(netlink.error());
  fib_rule_hdr header{};
  header.family = family_of(v6);
  std::vector<Rule> out;
  std::optional<Error> broken;
  const auto done = (*netlink)->dump(
      RTM_GETRULE, AttributeWriter(header).bytes(), "list rules", [&out] { out.clear(); },
      [&](std::uint16_t type, std::span<const std::byte> payload) {
        if (type != RTM_NEWRULE) return;
        const auto rule = parse_rule(payload);
        if (!rule) broken = rule.error();
        else if (rule->v6 == v6) out.push_back(*rule);
      });
  if (!done) return std::unexpected(done.error());
  if (broken) return std::unexpected(*broken);
  return out;
}

Result<void> LinuxRoutes::add_rule(const Rule& rule) {
  announce("routes.add_rule");
  return change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule_message(rule),
                "add rule " + to_string(rule));
}

Result<void> LinuxRoutes::delete_rule(const Rule& rule) {
  announce("routes.delete_rule");
  return change(RTM_DELRULE, 0, rule_message(rule), "delete rule " + to_string(rule));
}

}  // namespace firedrill::agent::kernel
