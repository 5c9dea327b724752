// Traffic control of LinuxNetwork: qdiscs, classes, clsact and its filters.
#include <algorithm>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "agent/kernel/filter_options.hpp"
#include "agent/kernel/linux_network.hpp"

namespace firedrill::agent::kernel {
namespace {

constexpr std::uint32_t kClsactHandle = TC_H_MAKE(TC_H_CLSACT, 0);

/// How often drain() looks: a round trip is well below it, and a delay well above.
constexpr auto kDrainPause = std::chrono::milliseconds(1);

struct Object {
  tcmsg header{};
  AttributeTable table;
};

std::optional<Object> parse_object(std::span<const std::byte> payload, IfIndex link) {
  Object object;
  if (payload.size() < sizeof object.header) return std::nullopt;
  std::memcpy(&object.header, payload.data(), sizeof object.header);
  if (static_cast<std::uint32_t>(object.header.tcm_ifindex) != link.value) return std::nullopt;
  auto table = AttributeTable::parse(payload.subspan(sizeof object.header));
  if (!table) return std::nullopt;
  object.table = std::move(*table);
  return object;
}

tcmsg tc_header(IfIndex link, std::uint32_t parent, std::uint32_t handle, std::uint32_t info = 0) {
  tcmsg header{};
  header.tcm_ifindex = static_cast<int>(link.value);
  header.tcm_parent = parent;
  header.tcm_handle = handle;
  header.tcm_info = info;
  return header;
}

std::uint32_t parent_of(Side side) {
  return TC_H_MAKE(TC_H_CLSACT, side == Side::egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
}

Qdisc parse_qdisc(const Object& object) {
  Qdisc qdisc;
  qdisc.kind = object.table.text(TCA_KIND);
  qdisc.handle = object.header.tcm_handle;
  qdisc.parent = object.header.tcm_parent;
  if (const auto options = object.table.find(TCA_OPTIONS))
    qdisc.options.assign(options->begin(), options->end());
  if (const auto stats = object.table.nest(TCA_STATS2))
    if (const auto queue = stats->get<gnet_stats_queue>(TCA_STATS_QUEUE))
      qdisc.queued = queue->qlen;
  return qdisc;
}

std::optional<Filter> parse_filter(const Object& object) {
  const auto options = object.table.find(TCA_OPTIONS);
  if (!options) return std::nullopt;  // the head of a preference, not a filter
  Filter filter;
  filter.kind = object.table.text(TCA_KIND);
  filter.pref = static_cast<std::uint16_t>(TC_H_MAJ(object.header.tcm_info) >> 16);
  filter.protocol = ntohs(static_cast<std::uint16_t>(TC_H_MIN(object.header.tcm_info)));
  filter.chain = object.table.get<std::uint32_t>(TCA_CHAIN).value_or(0);
  filter.handle = object.header.tcm_handle;
  if (!parse_filter_options(*options, filter)) return std::nullopt;
  return filter;
}

}  // namespace

Result<std::vector<Qdisc>> LinuxNetwork::dump_qdiscs(IfIndex link) {
  std::vector<Qdisc> qdiscs;
  const AttributeWriter request(tc_header(link, 0, 0));
  const auto done = socket_.dump(
      RTM_GETQDISC, request.bytes(), "list qdiscs", [&qdiscs] { qdiscs.clear(); },
      [&](std::uint16_t type, std::span<const std::byte> payload) {
        // Some kernels ignore the interface in the request and list all.
        const auto object = parse_object(payload, link);
        if (type == RTM_NEWQDISC && object) qdiscs.push_back(parse_qdisc(*object));
      });
  if (!done) return std::unexpected(done.error());
  return qdiscs;
}

Result<std::vector<Qdisc>> LinuxNetwork::qdiscs(IfIndex link) {
  announce("network.qdiscs");
  return dump_qdiscs(link);
}

Result<std::vector<std::string>> LinuxNetwork::classes(IfIndex link) {
  announce("network.classes");
  std::vector<std::string> classes;
  const AttributeWriter request(tc_header(link, 0, 0));
  const auto done = socket_.dump(
      RTM_GETTCLASS, request.bytes(), "list classes", [&classes] { classes.clear(); },
      [&](std::uint16_t type, std::span<const std::byte> payload) {
        const auto object = parse_object(payload, link);
        if (type != RTM_NEWTCLASS || !object) return;
        // fq_codel and its like show a class for each flow that is busy now: not configuration.
        const std::string_view kind = object->table.text(TCA_KIND);
        if (kind == "fq_codel" || kind == "sfq" || kind == "fq_pie" || kind == "cake") return;
        const auto options = object->table.find(TCA_OPTIONS).value_or(std::span<const std::byte>{});
        classes.push_back(fmt::format("class {} {:x} parent {:x} leaf {:x} {}", kind,
                                      object->header.tcm_handle, object->header.tcm_parent,
                                      object->header.tcm_info, comparable_options("", options)));
      });
  if (!done) return std::unexpected(done.error());
  return classes;
}

Result<void> LinuxNetwork::put_netem(IfIndex link, std::uint32_t parent, std::uint32_t handle,
                                     const NetemSpec& spec, std::uint16_t flags,
                                     std::string_view what) {
  AttributeWriter request(tc_header(link, parent, handle));
  request.put_text(TCA_KIND, "netem");
  request.put_bytes(TCA_OPTIONS, encode_netem(spec));
  return socket_.request(RTM_NEWQDISC, flags, request.bytes(), what);
}

Result<void> LinuxNetwork::add_netem(IfIndex link, std::uint32_t parent, std::uint32_t handle,
                                     const NetemSpec& spec) {
  announce("network.add_netem");
  constexpr std::uint32_t kOnlyClass = 1;  // of a netem: what is inside it
  return put_netem(link, parent == 0 ? TC_H_ROOT : parent | kOnlyClass, handle, spec,
                   NLM_F_CREATE | NLM_F_EXCL, "add netem");
}

Result<void> LinuxNetwork::change_netem(IfIndex link, std::uint32_t handle, const NetemSpec& spec) {
  announce("network.change_netem");
  return put_netem(link, 0, handle, spec, 0, "change netem");  // by its handle, wherever it is
}

Result<bool> LinuxNetwork::drain(IfIndex link, std::uint32_t handle, Duration longest) {
  announce("network.drain");
  const auto deadline = std::chrono::steady_clock::now() + longest;
  while (true) {
    const auto qdiscs = dump_qdiscs(link);
    if (!qdiscs) return std::unexpected(qdiscs.error());
    const auto ours = std::ranges::find(*qdiscs, handle, &Qdisc::handle);
    const bool empty = ours == qdiscs->end() || ours->queued == 0;
    if (!empty && std::chrono::steady_clock::now() >= deadline) return false;
    // The pause after the last packet lets the ifb hand on what it already took out of its qdisc.
    std::this_thread::sleep_for(kDrainPause);
    if (empty) return true;
  }
}

Result<void> LinuxNetwork::add_clsact(IfIndex link) {
  announce("network.add_clsact");
  AttributeWriter request(tc_header(link, TC_H_CLSACT, kClsactHandle));
  request.put_text(TCA_KIND, "clsact");
  return socket_.request(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, request.bytes(), "add clsact");
}

Result<void> LinuxNetwork::delete_clsact(IfIndex link) {
  announce("network.delete_clsact");
  AttributeWriter request(tc_header(link, TC_H_CLSACT, kClsactHandle));
  request.put_text(TCA_KIND, "clsact");
  return socket_.request(RTM_DELQDISC, 0, request.bytes(), "delete clsact");
}

Result<std::vector<Filter>> LinuxNetwork::filters(IfIndex link, Side side) {
  announce("network.filters");
  // A legacy "ingress" qdisc answers for the egress side too, with its ingress filters.
  const auto qdiscs = dump_qdiscs(link);
  if (!qdiscs) return std::unexpected(qdiscs.error());
  const auto block = std::ranges::find(*qdiscs, TC_H_CLSACT, &Qdisc::parent);
  if (block == qdiscs->end() || (side == Side::egress && block->kind != "clsact"))
    return std::vector<Filter>{};

  std::vector<Filter> filters;
  bool unreadable = false;
  const AttributeWriter request(tc_header(link, parent_of(side), 0));
  const auto done = socket_.dump(
      RTM_GETTFILTER, request.bytes(), "list filters", [&filters] { filters.clear(); },
      [&](std::uint16_t type, std::span<const std::byte> payload) {
        const auto object = parse_object(payload, link);
        if (type != RTM_NEWTFILTER || !object || !object->table.find(TCA_OPTIONS)) return;
        if (auto filter = parse_filter(*object)) filters.push_back(std::move(*filter));
        else unreadable = true;
      });
  if (!done) return std::unexpected(done.error());
  if (unreadable) return fail(ErrorCode::corrupt, "a clsact filter's options do not parse");
  return filters;
}

Result<void> LinuxNetwork::add_filter(IfIndex link, Side side, const Filter& filter) {
  announce("network.add_filter");
  const std::uint32_t protocol = htons(filter.match.v6 ? ETH_P_IPV6 : ETH_P_IP);
  const std::uint32_t info = TC_H_MAKE(static_cast<std::uint32_t>(filter.pref) << 16, protocol);
  AttributeWriter request(tc_header(link, parent_of(side), filter.handle, info));
  request.put_text(TCA_KIND, "flower");
  request.put_bytes(TCA_OPTIONS, encode_flower(filter));
  return socket_.request(
      RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL, request.bytes(),
      fmt::format("add {} filter for {}", to_string(side), to_string(filter.match)));
}

Result<void> LinuxNetwork::delete_filter(IfIndex link, Side side, const Filter& filter) {
  announce("network.delete_filter");
  const std::uint32_t protocol = htons(filter.protocol);
  const std::uint32_t info = TC_H_MAKE(static_cast<std::uint32_t>(filter.pref) << 16, protocol);
  AttributeWriter request(tc_header(link, parent_of(side), filter.handle, info));
  request.put_text(TCA_KIND, filter.kind);
  request.put(TCA_CHAIN, filter.chain);
  return socket_.request(RTM_DELTFILTER, 0, request.bytes(),
                         fmt::format("delete {} filter at pref {}", to_string(side), filter.pref));
}

}  // namespace firedrill::agent::kernel
