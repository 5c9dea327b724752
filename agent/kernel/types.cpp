#include "agent/kernel/types.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

namespace firedrill::agent::kernel {
namespace {

/// Are the first `length` bits of both equal?
bool same_start(const IpAddress& a, const IpAddress& b, unsigned length) {
  const unsigned whole = length / 8;
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + whole, b.bytes.begin())) return false;
  const unsigned rest = length % 8;
  if (rest == 0) return true;
  const unsigned mask = 0xFFU << (8 - rest) & 0xFFU;
  return (a.bytes[whole] & mask) == (b.bytes[whole] & mask);
}

template <class Value>
bool compatible(const std::optional<Value>& a, const std::optional<Value>& b) {
  return !a || !b || *a == *b;
}

bool compatible(const std::optional<IpPrefix>& a, const std::optional<IpPrefix>& b) {
  return !a || !b || overlaps(*a, *b);
}

/// Of two blocks that overlap, the one inside the other.
std::optional<IpPrefix> narrower(const std::optional<IpPrefix>& a,
                                 const std::optional<IpPrefix>& b) {
  if (!a || !b) return a ? a : b;
  return a->length >= b->length ? a : b;
}

std::string protocol_name(std::uint8_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "icmpv6";
    default:
      return fmt::format("protocol {}", protocol);
  }
}

}  // namespace

Result<IpAddress> parse_ip_address(std::string_view text) {
  const std::string terminated(text);
  IpAddress address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.data()) == 1) return address;
  address.bytes.fill(0);  // a failed attempt may have written some
  address.v6 = true;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  return fail(ErrorCode::invalid_input, fmt::format("'{}' is not an IP address", text));
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text, sizeof text);
  return text;
}

Result<IpPrefix> parse_ip_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = parse_ip_address(text.substr(0, slash));
  if (!address) return std::unexpected(address.error());
  const unsigned longest = address->v6 ? 128 : 32;
  unsigned length = longest;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), length);
    if (error != std::errc{} || end != digits.end() || length > longest)
      return fail(ErrorCode::invalid_input,
                  fmt::format("'{}': the prefix length must be 0 to {}", text, longest));
  }
  IpAddress base = *address;
  for (unsigned bit = length; bit < longest; ++bit)
    base.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> (bit % 8)));
  if (base != *address)
    return fail(ErrorCode::invalid_input,
                fmt::format("'{}' has bits set beyond its prefix: write {}/{} for the block or {} "
                            "for the host",
                            text, to_string(base), length, to_string(*address)));
  return IpPrefix{base, static_cast<std::uint8_t>(length)};
}

std::string to_string(const IpPrefix& prefix) {
  return fmt::format("{}/{}", to_string(prefix.address), prefix.length);
}

bool overlaps(const IpPrefix& a, const IpPrefix& b) {
  return a.address.v6 == b.address.v6 &&
         same_start(a.address, b.address, std::min(a.length, b.length));
}

std::string_view to_string(Side side) { return side == Side::egress ? "egress" : "ingress"; }

bool overlaps(const FlowMatch& a, const FlowMatch& b) {
  return a.v6 == b.v6 && compatible(a.source, b.source) &&
         compatible(a.destination, b.destination) && compatible(a.protocol, b.protocol) &&
         compatible(a.source_port, b.source_port) &&
         compatible(a.destination_port, b.destination_port) && compatible(a.icmp_type, b.icmp_type);
}

std::optional<FlowMatch> intersection(const FlowMatch& a, const FlowMatch& b) {
  if (!overlaps(a, b)) return std::nullopt;
  return FlowMatch{a.v6,
                   narrower(a.source, b.source),
                   narrower(a.destination, b.destination),
                   a.protocol ? a.protocol : b.protocol,
                   a.source_port ? a.source_port : b.source_port,
                   a.destination_port ? a.destination_port : b.destination_port,
                   a.icmp_type ? a.icmp_type : b.icmp_type};
}

std::string to_string(const FlowMatch& match) {
  std::string out = match.v6 ? "ipv6" : "ip";
  if (match.source) out += fmt::format(" from {}", to_string(*match.source));
  if (match.destination) out += fmt::format(" to {}", to_string(*match.destination));
  if (match.protocol) out += " " + protocol_name(*match.protocol);
  if (match.source_port) out += fmt::format(" sport {}", *match.source_port);
  if (match.destination_port) out += fmt::format(" dport {}", *match.destination_port);
  if (match.icmp_type) out += fmt::format(" type {}", *match.icmp_type);
  return out;
}

}  // namespace firedrill::agent::kernel
