// Plain values that the kernel room and the faults exchange: addresses, links, rings, tc objects.
// No libnl, no JSON, no experiment words.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// What the kernel calls an interface. Never 0 for an existing one; not reused until it wraps.
struct IfIndex {
  std::uint32_t value = 0;
  auto operator<=>(const IfIndex&) const = default;
};

/// A network namespace, over reboots: interface indexes mean something in one only.
struct NamespaceId {
  std::string boot;         ///< /proc/sys/kernel/random/boot_id
  std::uint64_t inode = 0;  ///< of /proc/self/ns/net
  auto operator<=>(const NamespaceId&) const = default;
};

struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  ///< network order; IPv4 uses the first four
  auto operator<=>(const IpAddress&) const = default;
};
[[nodiscard]] Result<IpAddress> parse_ip_address(std::string_view text);
[[nodiscard]] std::string to_string(const IpAddress& address);

/// An address block. Bits beyond `length` are zero.
struct IpPrefix {
  IpAddress address;
  std::uint8_t length = 0;
  auto operator<=>(const IpPrefix&) const = default;
};
/// "10.0.0.0/24", "10.0.0.7" (one host), "2001:db8::/32". Host bits that are set are refused:
/// 10.0.0.7/24 may be meant either way.
[[nodiscard]] Result<IpPrefix> parse_ip_prefix(std::string_view text);
[[nodiscard]] std::string to_string(const IpPrefix& prefix);
/// True when some address lies in both.
[[nodiscard]] bool overlaps(const IpPrefix& a, const IpPrefix& b);

/// The far end of a TCP connection.
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

using MacAddress = std::array<std::uint8_t, 6>;

struct Link {
  IfIndex index;
  std::string name;
  std::string alias;
  std::string kind;  ///< "ifb", "veth", "vlan", …; empty for hardware
  MacAddress address{};
  bool up = false;       ///< administratively
  bool carrier = false;  ///< the link is there
  std::uint32_t mtu = 0;
  std::uint32_t group = 0;            ///< a number for handling several at once; 0: none
  std::uint32_t carrier_changes = 0;  ///< since the interface was made; a flap adds two
  std::optional<IfIndex> lower;       ///< the interface a VLAN and the like sit on
  std::optional<IfIndex> master;      ///< the bond or bridge it is a port of
};

/// What a host's owner protects by name, beside what is protected without being named.
struct OwnerProtected {
  std::vector<std::string> places;     ///< disks, mount points, and paths whose disks are meant
  std::vector<std::string> units;      ///< of systemd, with their suffix
  std::vector<std::string> processes;  ///< by their own or their program's name
  std::vector<std::uint16_t> ports;    ///< local, TCP
};

/// Slots. A maximum of 0: the driver has no such ring.
struct RingSizes {
  std::uint32_t rx = 0;
  std::uint32_t tx = 0;
  std::uint32_t rx_max = 0;
  std::uint32_t tx_max = 0;
  auto operator<=>(const RingSizes&) const = default;
};

struct Qdisc {
  std::string kind;
  std::uint32_t handle = 0;
  std::uint32_t parent = 0;
  std::vector<std::byte> options;  ///< TCA_OPTIONS as the kernel dumped them
  std::uint32_t queued = 0;        ///< packets waiting in it now
};

/// Where a clsact filter sits.
enum class Side : std::uint8_t { egress, ingress };
[[nodiscard]] std::string_view to_string(Side side);

/// Which packets a filter takes. What is absent matches everything of the family. Ports need
/// protocol TCP or UDP, and then fragments never match [kernel-facts §2].
struct FlowMatch {
  bool v6 = false;
  std::optional<IpPrefix> source;
  std::optional<IpPrefix> destination;
  std::optional<std::uint8_t> protocol;  ///< IPPROTO_*
  std::optional<std::uint16_t> source_port;
  std::optional<std::uint16_t> destination_port;
  std::optional<std::uint8_t> icmp_type;
  auto operator<=>(const FlowMatch&) const = default;
};
/// True when some packet could match both.
[[nodiscard]] bool overlaps(const FlowMatch& a, const FlowMatch& b);
/// What both match; none when that is nothing.
[[nodiscard]] std::optional<FlowMatch> intersection(const FlowMatch& a, const FlowMatch& b);
/// "ip 10.0.0.0/24 tcp dport 2379" as a person should read it.
[[nodiscard]] std::string to_string(const FlowMatch& match);

/// One filter of an interface's clsact. `pref` and `handle` 0 in an addition: the kernel chooses.
struct Filter {
  std::uint16_t pref = 0;
  std::uint16_t protocol = 0;  ///< EtherType, host order
  std::uint32_t chain = 0;
  std::uint32_t handle = 0;
  std::string kind;                    ///< "flower", "u32", "bpf", …
  FlowMatch match;                     ///< of a flower filter; keys we never write are not shown
  std::optional<IfIndex> redirect_to;  ///< mirred egress redirect; else the packet passes
  std::string cookie;   ///< of its first action, at most 16 bytes: whose filter this is
  std::string content;  ///< options without counters, in hexadecimal, for comparison
};

}  // namespace firedrill::agent::kernel
