// Links and routes of LinuxNetwork.
#include <algorithm>
#include <cerrno>

#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/kernel/linux_network.hpp"
#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

/// Splits a message into its fixed header and attributes.
template <class Header>
std::optional<std::pair<Header, AttributeTable>> split(std::span<const std::byte> payload) {
  Header header;
  if (payload.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, payload.data(), sizeof header);
  auto table = AttributeTable::parse(payload.subspan(NLMSG_ALIGN(sizeof header)));
  if (!table) return std::nullopt;
  return std::pair(header, std::move(*table));
}

std::optional<IfIndex> index_in(const AttributeTable& table, std::uint16_t type) {
  const auto value = table.get<std::uint32_t>(type);
  if (!value || *value == 0) return std::nullopt;
  return IfIndex{*value};
}

Link parse_link(const ifinfomsg& header, const AttributeTable& table) {
  Link link;
  link.index = {static_cast<std::uint32_t>(header.ifi_index)};
  link.name = table.text(IFLA_IFNAME);
  link.alias = table.text(IFLA_IFALIAS);
  if (const auto info = table.nest(IFLA_LINKINFO)) link.kind = info->text(IFLA_INFO_KIND);
  link.address = table.get<MacAddress>(IFLA_ADDRESS).value_or(MacAddress{});
  link.up = (header.ifi_flags & IFF_UP) != 0;
  link.carrier = table.get<std::uint8_t>(IFLA_CARRIER).value_or(0) != 0;
  link.mtu = table.get<std::uint32_t>(IFLA_MTU).value_or(0);
  link.group = table.get<std::uint32_t>(IFLA_GROUP).value_or(0);
  link.carrier_changes = table.get<std::uint32_t>(IFLA_CARRIER_CHANGES).value_or(0);
  // A lower interface in another namespace has an index of that namespace: of no use here.
  if (!table.find(IFLA_LINK_NETNSID)) link.lower = index_in(table, IFLA_LINK);
  link.master = index_in(table, IFLA_MASTER);
  return link;
}

bool ipv6_enabled() { return access("/proc/sys/net/ipv6", F_OK) == 0; }

}  // namespace

bool ifb_module_loaded() { return access("/sys/module/ifb", F_OK) == 0; }

Result<NamespaceId> LinuxNetwork::namespace_id() {
  announce("network.namespace_id");
  auto boot = read_file("/proc/sys/kernel/random/boot_id");
  if (!boot) return std::unexpected(boot.error());
  boot->resize(std::min(boot->find('\n'), boot->size()));
  struct stat status{};
  if (stat("/proc/thread-self/ns/net", &status) < 0)
    return fail_errno(errno, "/proc/thread-self/ns/net");
  return NamespaceId{std::move(*boot), status.st_ino};
}

Result<std::vector<Link>> LinuxNetwork::dump_links() {
  std::vector<Link> links;
  const AttributeWriter request(ifinfomsg{});
  const auto done = socket_.dump(
      RTM_GETLINK, request.bytes(), "list interfaces", [&links] { links.clear(); },
      [&links](std::uint16_t type, std::span<const std::byte> payload) {
        const auto parts = split<ifinfomsg>(payload);
        if (type == RTM_NEWLINK && parts) links.push_back(parse_link(parts->first, parts->second));
      });
  if (!done) return std::unexpected(done.error());
  return links;
}

Result<std::vector<Link>> LinuxNetwork::links() {
  announce("network.links");
  return dump_links();
}

Result<std::optional<IfIndex>> LinuxNetwork::interface_towards(const IpAddress& address) {
  announce("network.interface_towards");
  rtmsg header{};
  header.rtm_family = address.v6 ? AF_INET6 : AF_INET;
  header.rtm_dst_len = address.v6 ? 128 : 32;
  AttributeWriter request(header);
  request.put_bytes(RTA_DST, std::as_bytes(std::span(address.bytes).first(address.v6 ? 16 : 4)));
  std::optional<IfIndex> out;
  const auto done =
      socket_.request(RTM_GETROUTE, 0, request.bytes(), "route to " + to_string(address),
                      [&out](std::uint16_t type, std::span<const std::byte> payload) {
                        const auto parts = split<rtmsg>(payload);
                        if (type == RTM_NEWROUTE && parts) out = index_in(parts->second, RTA_OIF);
                      });
  if (!done && (done.error().sys_errno == ENETUNREACH || done.error().sys_errno == EHOSTUNREACH))
    return std::nullopt;
  if (!done) return std::unexpected(done.error());
  return out;
}

Result<IfIndex> LinuxNetwork::create_ifb(const std::string& name, const MacAddress& address,
                                         std::uint32_t group) {
  announce("network.create_ifb");
  // Loading the module makes two idle devices, ifb0 and ifb1. Only when it was not loaded before,
  // and only names that did not exist, are taken away again.
  const bool loaded = ifb_module_loaded();
  const auto before = dump_links();
  if (!before) return std::unexpected(before.error());

  AttributeWriter request(ifinfomsg{});
  request.put_text(IFLA_IFNAME, name);
  request.put(IFLA_ADDRESS, address);
  request.put(IFLA_GROUP, group);
  request.put(IFLA_NUM_TX_QUEUES, std::uint32_t{1});
  request.put(IFLA_NUM_RX_QUEUES, std::uint32_t{1});
  AttributeWriter info;
  info.put_text(IFLA_INFO_KIND, "ifb");
  request.put_nest(IFLA_LINKINFO, info);
  const auto made = socket_.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, request.bytes(),
                                    fmt::format("create ifb '{}'", name));
  if (!made) return std::unexpected(made.error());

  const auto after = dump_links();
  if (!after) return std::unexpected(after.error());
  std::optional<IfIndex> found;
  for (const Link& link : *after) {
    if (link.name == name) found = link.index;
    const bool idle_pair = link.kind == "ifb" && (link.name == "ifb0" || link.name == "ifb1");
    if (loaded || !idle_pair || std::ranges::find(*before, link.name, &Link::name) != before->end())
      continue;
    if (auto removed = delete_link(link.index); !removed) return std::unexpected(removed.error());
  }
  if (!found) return fail(ErrorCode::io_failed, fmt::format("ifb '{}' vanished at once", name));
  return *found;
}

Result<void> LinuxNetwork::start_ifb(IfIndex ifb, const std::string& alias) {
  announce("network.start_ifb");
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(ifb.value);
  AttributeWriter names(header);
  names.put_text(IFLA_IFALIAS, alias);
  if (ipv6_enabled()) {
    // Otherwise coming up gives it a link-local address, and routes that only confuse.
    AttributeWriter inet6;
    inet6.put(IFLA_INET6_ADDR_GEN_MODE, std::uint8_t{IN6_ADDR_GEN_MODE_NONE});
    AttributeWriter families;
    families.put_nest(AF_INET6, inet6);
    names.put_nest(IFLA_AF_SPEC, families);
  }
  if (auto set = socket_.request(RTM_SETLINK, 0, names.bytes(), "name the ifb"); !set) return set;
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  return socket_.request(RTM_SETLINK, 0, AttributeWriter(header).bytes(), "bring the ifb up");
}

Result<void> LinuxNetwork::delete_link(IfIndex link) {
  announce("network.delete_link");
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(link.value);
  return socket_.request(RTM_DELLINK, 0, AttributeWriter(header).bytes(),
                         fmt::format("delete interface {}", link.value));
}

Result<void> LinuxNetwork::delete_link_group(std::uint32_t group) {
  announce("network.delete_link_group");
  AttributeWriter request(ifinfomsg{});
  request.put(IFLA_GROUP, group);
  return socket_.request(RTM_DELLINK, 0, request.bytes(),
                         fmt::format("delete the interfaces of group {}", group));
}

}  // namespace firedrill::agent::kernel
