#include "agent/kernel/filter_options.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/in.h>

#include "agent/kernel/attributes.hpp"

namespace firedrill::agent::kernel {
namespace {

/// Where the attributes that hold actions, or that count, lie in each classifier's options.
struct ClassifierLayout {
  std::string_view kind;
  std::uint16_t actions;
  std::array<std::uint16_t, 2> changing;  ///< counters and offload state; 0: none
};
constexpr ClassifierLayout kLayouts[] = {
    {"flower", TCA_FLOWER_ACT, {TCA_FLOWER_IN_HW_COUNT, TCA_FLOWER_FLAGS}},
    {"u32", TCA_U32_ACT, {TCA_U32_PCNT, TCA_U32_FLAGS}},
    {"matchall", TCA_MATCHALL_ACT, {TCA_MATCHALL_PCNT, TCA_MATCHALL_FLAGS}},
    {"bpf", TCA_BPF_ACT, {TCA_BPF_FLAGS_GEN, 0}},
    {"fw", TCA_FW_ACT, {0, 0}},
    {"basic", TCA_BASIC_ACT, {TCA_BASIC_PCNT, 0}},
    {"cgroup", TCA_CGROUP_ACT, {0, 0}},
};

std::string hex(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte byte : bytes) out += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return out;
}

void put_prefix(AttributeWriter& out, const IpPrefix& prefix, std::uint16_t key) {
  const std::size_t size = prefix.address.v6 ? 16 : 4;
  std::array<std::uint8_t, 16> mask{};
  for (unsigned bit = 0; bit < prefix.length; ++bit)
    mask[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
  out.put_bytes(key, std::as_bytes(std::span(prefix.address.bytes).first(size)));
  // In the flower enumeration each mask follows its key.
  out.put_bytes(key + 1, std::as_bytes(std::span(mask).first(size)));
}

void put_match(AttributeWriter& out, const FlowMatch& match) {
  out.put(TCA_FLOWER_KEY_ETH_TYPE, htons(match.v6 ? ETH_P_IPV6 : ETH_P_IP));
  if (match.protocol) out.put(TCA_FLOWER_KEY_IP_PROTO, *match.protocol);
  if (match.source)
    put_prefix(out, *match.source, match.v6 ? TCA_FLOWER_KEY_IPV6_SRC : TCA_FLOWER_KEY_IPV4_SRC);
  if (match.destination)
    put_prefix(out, *match.destination,
               match.v6 ? TCA_FLOWER_KEY_IPV6_DST : TCA_FLOWER_KEY_IPV4_DST);
  const bool udp = match.protocol == IPPROTO_UDP;
  if (match.source_port)
    out.put(udp ? TCA_FLOWER_KEY_UDP_SRC : TCA_FLOWER_KEY_TCP_SRC, htons(*match.source_port));
  if (match.destination_port)
    out.put(udp ? TCA_FLOWER_KEY_UDP_DST : TCA_FLOWER_KEY_TCP_DST, htons(*match.destination_port));
  if (match.icmp_type)
    out.put(match.v6 ? TCA_FLOWER_KEY_ICMPV6_TYPE : TCA_FLOWER_KEY_ICMPV4_TYPE, *match.icmp_type);
}

void put_action(AttributeWriter& out, const Filter& filter) {
  AttributeWriter options;
  AttributeWriter action;
  if (filter.redirect_to) {
    tc_mirred redirect{};
    redirect.action = TC_ACT_STOLEN;
    redirect.eaction = TCA_EGRESS_REDIR;
    redirect.ifindex = filter.redirect_to->value;
    options.put(TCA_MIRRED_PARMS, redirect);
    action.put_text(TCA_ACT_KIND, "mirred");
  } else {
    tc_gact pass{};
    pass.action = TC_ACT_OK;
    options.put(TCA_GACT_PARMS, pass);
    action.put_text(TCA_ACT_KIND, "gact");
  }
  action.put_nest(TCA_ACT_OPTIONS, options);
  if (filter.cookie.size() > TC_COOKIE_MAX_SIZE) std::abort();
  if (!filter.cookie.empty())
    action.put_bytes(TCA_ACT_COOKIE, std::as_bytes(std::span(filter.cookie)));
  AttributeWriter actions;
  actions.put_nest(1, action);  // the first action in the filter's list
  out.put_nest(TCA_FLOWER_ACT, actions);
}

/// The length of a contiguous mask's ones; what we write is always contiguous.
std::uint8_t mask_length(std::span<const std::byte> mask) {
  unsigned length = 0;
  for (const std::byte byte : mask) length += std::popcount(std::to_integer<std::uint8_t>(byte));
  return static_cast<std::uint8_t>(length);
}

std::optional<IpPrefix> parse_prefix(const AttributeTable& table, bool v6, std::uint16_t key) {
  const std::size_t size = v6 ? 16 : 4;
  const auto address = table.find(key);
  if (!address || address->size() != size) return std::nullopt;
  IpPrefix prefix{{v6, {}}, static_cast<std::uint8_t>(size * 8)};
  std::memcpy(prefix.address.bytes.data(), address->data(), size);
  if (const auto mask = table.find(key + 1)) prefix.length = mask_length(*mask);
  return prefix;
}

std::optional<std::uint16_t> parse_port(const AttributeTable& table, std::uint16_t tcp,
                                        std::uint16_t udp) {
  auto port = table.get<std::uint16_t>(tcp);
  if (!port) port = table.get<std::uint16_t>(udp);
  if (!port) return std::nullopt;
  return ntohs(*port);
}

FlowMatch parse_match(const AttributeTable& table) {
  FlowMatch match;
  match.v6 = table.get<std::uint16_t>(TCA_FLOWER_KEY_ETH_TYPE) == htons(ETH_P_IPV6);
  match.protocol = table.get<std::uint8_t>(TCA_FLOWER_KEY_IP_PROTO);
  match.source =
      parse_prefix(table, match.v6, match.v6 ? TCA_FLOWER_KEY_IPV6_SRC : TCA_FLOWER_KEY_IPV4_SRC);
  match.destination =
      parse_prefix(table, match.v6, match.v6 ? TCA_FLOWER_KEY_IPV6_DST : TCA_FLOWER_KEY_IPV4_DST);
  match.source_port = parse_port(table, TCA_FLOWER_KEY_TCP_SRC, TCA_FLOWER_KEY_UDP_SRC);
  match.destination_port = parse_port(table, TCA_FLOWER_KEY_TCP_DST, TCA_FLOWER_KEY_UDP_DST);
  match.icmp_type =
      table.get<std::uint8_t>(match.v6 ? TCA_FLOWER_KEY_ICMPV6_TYPE : TCA_FLOWER_KEY_ICMPV4_TYPE);
  return match;
}

/// One action: its cookie and redirect when it is the first, and a word of it for comparison.
Result<void> parse_action(std::span<const std::byte> bytes, bool first, Filter& filter) {
  const auto action = AttributeTable::parse(bytes);
  if (!action) return std::unexpected(action.error());
  const auto options = action->nest(TCA_ACT_OPTIONS);
  if (!options) return std::unexpected(options.error());
  const std::string kind(action->text(TCA_ACT_KIND));
  std::string cookie;
  if (const auto raw = action->find(TCA_ACT_COOKIE))
    cookie.assign(reinterpret_cast<const char*>(raw->data()), raw->size());
  if (cookie.size() > TC_COOKIE_MAX_SIZE)
    return fail(ErrorCode::corrupt, "a filter's action has a cookie longer than any can be");
  filter.content += fmt::format(" {}[{}]", kind, hex(std::as_bytes(std::span(cookie))));
  if (!first) return {};
  filter.cookie = cookie;
  const auto redirect = options->get<tc_mirred>(TCA_MIRRED_PARMS);
  if (kind == "mirred" && redirect && redirect->eaction == TCA_EGRESS_REDIR)
    filter.redirect_to = IfIndex{redirect->ifindex};
  return {};
}

}  // namespace

std::vector<std::byte> encode_flower(const Filter& filter) {
  AttributeWriter out;
  put_match(out, filter.match);
  out.put(TCA_FLOWER_FLAGS, std::uint32_t{TCA_CLS_FLAGS_SKIP_HW});
  put_action(out, filter);
  return out.bytes();
}

Result<void> parse_filter_options(std::span<const std::byte> options, Filter& filter) {
  const auto* layout = std::ranges::find(kLayouts, filter.kind, &ClassifierLayout::kind);
  if (layout == std::end(kLayouts)) return {};
  const auto table = AttributeTable::parse(options);
  if (!table) return std::unexpected(table.error());
  for (const AttributeTable::Entry& entry : table->entries()) {
    const bool changes = std::ranges::find(layout->changing, entry.type) != layout->changing.end();
    if (entry.type == layout->actions || changes) continue;
    filter.content += fmt::format("{}:{} ", entry.type, hex(entry.payload));
  }
  if (filter.kind == "flower") filter.match = parse_match(*table);
  const auto actions = table->nest(layout->actions);
  if (!actions) return std::unexpected(actions.error());
  bool first = true;
  for (const AttributeTable::Entry& entry : actions->entries()) {
    if (auto parsed = parse_action(entry.payload, first, filter); !parsed) return parsed;
    first = false;
  }
  return {};
}

std::string comparable_options(std::string_view kind, std::span<const std::byte> options) {
  Bytes copy(options.begin(), options.end());
  if (kind != "htb") return hex(copy);
  // An htb qdisc's dump counts the packets that no class took: the last word of TCA_HTB_INIT.
  const auto table = AttributeTable::parse(copy);
  if (!table) return hex(copy);
  const auto init = table->find(TCA_HTB_INIT);
  if (init && init->size() >= sizeof(tc_htb_glob)) {
    const auto at = init->data() - copy.data() + offsetof(tc_htb_glob, direct_pkts);
    std::fill_n(copy.begin() + at, sizeof(tc_htb_glob::direct_pkts), std::byte{0});
  }
  return hex(copy);
}

}  // namespace firedrill::agent::kernel
