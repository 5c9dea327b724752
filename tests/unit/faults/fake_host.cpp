// The bodies of tests/support/fake_host.hpp.
#include "tests/support/fake_host.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "agent/kernel/filter_options.hpp"

namespace firedrill::agent::test {

using kernel::Filter;
using kernel::IfIndex;
using kernel::Link;
using kernel::Qdisc;
using kernel::Side;

namespace {

constexpr std::uint32_t kClsact = 0xFFFFFFF1;  // TC_H_CLSACT
constexpr std::uint32_t kRoot = 0xFFFFFFFF;    // TC_H_ROOT

}  // namespace

std::string FakeKernel::state() const {
  std::string out;
  for (const Link& link : links)
    out += fmt::format("link {} {} {} alias '{}' up {}\n", link.index.value, link.name, link.kind,
                       link.alias, link.up);
  for (const auto& [index, list] : qdiscs)
    for (const Qdisc& qdisc : list)
      out += fmt::format("qdisc {} {} {:x} {:x} {}\n", index.value, qdisc.kind, qdisc.handle,
                         qdisc.parent, kernel::comparable_options(qdisc.kind, qdisc.options));
  for (const auto& [place, list] : filters)
    for (const Filter& filter : list)
      out += fmt::format("filter {} {} {} {} {} {}\n", place.first.value, to_string(place.second),
                         filter.pref, filter.kind, to_string(filter.match), filter.cookie);
  for (const auto& [index, ring] : rings)
    out += fmt::format("ring {} rx {} tx {}\n", index.value, ring.rx, ring.tx);
  return out;
}

bool FakeKernel::enter(std::string_view operation) {
  if (counted_by != nullptr) return counted_by->enter(operation);
  if (observer) observer(operation);
  log.emplace_back(operation);
  return static_cast<int>(log.size()) - 1 == fail_at;
}

template <class Effect>
auto FakeNetwork::act(std::string_view name, Effect effect) -> decltype(effect()) {
  const bool fails = k_.enter(name);
  if (fails && !k_.fails_after) return fail_errno(EIO, fmt::format("fake {}", name));
  auto result = effect();
  if (fails) return fail_errno(EIO, fmt::format("fake {}, done all the same", name));
  return result;
}

Link* FakeNetwork::link_at(IfIndex index) {
  const auto found = std::ranges::find(k_.links, index, &Link::index);
  return found == k_.links.end() ? nullptr : &*found;
}

Qdisc* FakeNetwork::clsact_of(IfIndex index) {
  auto& list = k_.qdiscs[index];
  const auto found = std::ranges::find(list, kClsact, &Qdisc::parent);
  return found == list.end() ? nullptr : &*found;
}

Result<kernel::NamespaceId> FakeNetwork::namespace_id() {
  return act("network.namespace_id", [&]() -> Result<kernel::NamespaceId> { return k_.where; });
}

Result<std::vector<Link>> FakeNetwork::links() {
  return act("network.links", [&]() -> Result<std::vector<Link>> { return k_.links; });
}

Result<std::optional<IfIndex>> FakeNetwork::interface_towards(const kernel::IpAddress& address) {
  return act("network.interface_towards", [&]() -> Result<std::optional<IfIndex>> {
    const auto route = k_.routes.find(address);
    if (route == k_.routes.end()) return std::nullopt;
    return route->second;
  });
}

Result<IfIndex> FakeNetwork::create_ifb(const std::string& name, const kernel::MacAddress& address,
                                        std::uint32_t group) {
  return act("network.create_ifb", [&]() -> Result<IfIndex> {
    if (std::ranges::find(k_.links, name, &Link::name) != k_.links.end())
      return fail_errno(EEXIST, name);
    const IfIndex index{k_.next_index++};
    Link link;
    link.index = index;
    link.name = name;
    link.kind = "ifb";
    link.address = address;
    link.group = group;
    k_.links.push_back(link);
    return index;
  });
}

Result<void> FakeNetwork::start_ifb(IfIndex ifb, const std::string& alias) {
  return act("network.start_ifb", [&]() -> Result<void> {
    Link* link = link_at(ifb);
    if (link == nullptr) return fail_errno(ENODEV, "start ifb");
    link->alias = alias;
    link->up = link->carrier = true;
    return {};
  });
}

void FakeNetwork::take_away(IfIndex index) {
  for (const auto& [place, list] : k_.filters)
    for (const Filter& filter : list)
      if (filter.redirect_to == index && place.first != index)
        k_.black_holes.push_back(fmt::format("ifb {} went before its filter", index.value));
  std::erase_if(k_.links, [index](const Link& link) { return link.index == index; });
  k_.qdiscs.erase(index);
  std::erase_if(k_.filters, [index](const auto& entry) { return entry.first.first == index; });
}

Result<void> FakeNetwork::delete_link(IfIndex index) {
  return act("network.delete_link", [&]() -> Result<void> {
    if (link_at(index) == nullptr) return fail_errno(ENODEV, "delete link");
    take_away(index);
    return {};
  });
}

Result<void> FakeNetwork::delete_link_group(std::uint32_t group) {
  return act("network.delete_link_group", [&]() -> Result<void> {
    if (group == 0) return fail_errno(EPERM, "delete group 0");
    const std::vector<Link> links = k_.links;
    for (const Link& link : links)
      if (link.group == group) take_away(link.index);
    return {};
  });
}

Result<std::vector<Qdisc>> FakeNetwork::qdiscs(IfIndex link) {
  return act("network.qdiscs", [&]() -> Result<std::vector<Qdisc>> {
    const auto found = k_.qdiscs.find(link);
    return found == k_.qdiscs.end() ? std::vector<Qdisc>{} : found->second;
  });
}

Result<std::vector<std::string>> FakeNetwork::classes(IfIndex) {
  return act("network.classes",
             [&]() -> Result<std::vector<std::string>> { return std::vector<std::string>{}; });
}

Result<void> FakeNetwork::add_netem(IfIndex link, std::uint32_t parent, std::uint32_t handle,
                                    const kernel::NetemSpec& spec) {
  return act("network.add_netem", [&]() -> Result<void> {
    if (link_at(link) == nullptr) return fail_errno(ENODEV, "add netem");
    auto& list = k_.qdiscs[link];
    const std::uint32_t place = parent == 0 ? kRoot : parent | 1;
    if (std::ranges::find(list, place, &Qdisc::parent) != list.end())
      return fail_errno(EEXIST, "add netem");
    if (parent != 0 && std::ranges::find(list, parent, &Qdisc::handle) == list.end())
      return fail_errno(ENOENT, "add netem");
    kernel::NetemSpec kept = spec;
    if (k_.forgets_loss) kept.loss = {};
    list.push_back({"netem", handle, place, kernel::encode_netem(kept), 3});
    return {};
  });
}

Result<void> FakeNetwork::change_netem(IfIndex link, std::uint32_t handle,
                                       const kernel::NetemSpec& spec) {
  return act("network.change_netem", [&]() -> Result<void> {
    for (Qdisc& qdisc : k_.qdiscs[link]) {
      if (qdisc.handle != handle) continue;
      kernel::NetemSpec kept = spec;
      if (k_.forgets_loss) kept.loss = {};
      qdisc.options = kernel::encode_netem(kept);
      return {};
    }
    return fail_errno(ENOENT, "change netem");
  });
}

Result<bool> FakeNetwork::drain(IfIndex link, std::uint32_t handle, Duration) {
  return act("network.drain", [&]() -> Result<bool> {
    for (Qdisc& qdisc : k_.qdiscs[link])
      if (qdisc.handle == handle) qdisc.queued = 0;
    return true;
  });
}

Result<void> FakeNetwork::add_clsact(IfIndex link) {
  return act("network.add_clsact", [&]() -> Result<void> {
    if (link_at(link) == nullptr) return fail_errno(ENODEV, "add clsact");
    if (clsact_of(link) != nullptr) return fail_errno(EEXIST, "add clsact");
    k_.qdiscs[link].push_back({"clsact", 0xFFFF0000, kClsact, {}, 0});
    return {};
  });
}

Result<void> FakeNetwork::delete_clsact(IfIndex link) {
  return act("network.delete_clsact", [&]() -> Result<void> {
    if (clsact_of(link) == nullptr) return fail_errno(ENOENT, "delete clsact");
    std::erase_if(k_.qdiscs[link], [](const Qdisc& qdisc) { return qdisc.parent == kClsact; });
    k_.filters.erase({link, Side::egress});
    k_.filters.erase({link, Side::ingress});
    return {};
  });
}

Result<std::vector<Filter>> FakeNetwork::filters(IfIndex link, Side side) {
  return act("network.filters", [&]() -> Result<std::vector<Filter>> {
    const auto found = k_.filters.find({link, side});
    return found == k_.filters.end() ? std::vector<Filter>{} : found->second;
  });
}

Result<void> FakeNetwork::add_filter(IfIndex link, Side side, const Filter& filter) {
  return act("network.add_filter", [&]() -> Result<void> {
    const Qdisc* clsact = clsact_of(link);
    if (clsact == nullptr) return fail_errno(EINVAL, "add filter: Parent Qdisc doesn't exists");
    const Link* target = filter.redirect_to ? link_at(*filter.redirect_to) : nullptr;
    if (filter.redirect_to && target == nullptr) return fail_errno(EINVAL, "add filter: no target");
    if (target != nullptr && !target->up && target->index != link)
      k_.black_holes.push_back(fmt::format("redirect to {}, which is down", target->name));
    auto& list = k_.filters[{link, side}];
    const std::uint16_t protocol = filter.match.v6 ? 0x86DD : 0x0800;
    Filter added = filter;
    added.kind = "flower";
    added.protocol = protocol;
    for (const Filter& other : list) {
      if (other.pref != filter.pref) continue;
      if (other.protocol != protocol) return fail_errno(EINVAL, "add filter: protocol mismatch");
      if (other.match == filter.match) return fail_errno(EEXIST, "add filter");
      added.handle = std::max(added.handle, other.handle);
    }
    ++added.handle;
    list.insert(std::ranges::upper_bound(list, added.pref, {}, &Filter::pref), added);
    return {};
  });
}

Result<void> FakeNetwork::delete_filter(IfIndex link, Side side, const Filter& filter) {
  return act("network.delete_filter", [&]() -> Result<void> {
    const auto list = k_.filters.find({link, side});
    if (list == k_.filters.end()) return fail_errno(ENOENT, "delete filter");
    const auto gone = std::erase_if(list->second, [&filter](const Filter& other) {
      return other.pref == filter.pref && other.handle == filter.handle;
    });
    if (list->second.empty()) k_.filters.erase(list);
    if (gone == 0) return fail_errno(ENOENT, "delete filter");
    return {};
  });
}

Result<kernel::RingSizes> FakeEthtool::ring(IfIndex link) {
  if (k_.enter("ethtool.ring")) return fail_errno(EIO, "fake ethtool.ring");
  const auto ring = k_.rings.find(link);
  if (ring == k_.rings.end()) return fail_errno(EOPNOTSUPP, "fake ethtool.ring");
  return ring->second;
}

Result<void> FakeEthtool::set_ring(IfIndex link, std::optional<std::uint32_t> rx,
                                   std::optional<std::uint32_t> tx) {
  const bool fails = k_.enter("ethtool.set_ring");
  if (fails && !k_.fails_after) return fail_errno(EIO, "fake ethtool.set_ring");
  const auto ring = k_.rings.find(link);
  if (ring == k_.rings.end()) return fail_errno(EOPNOTSUPP, "fake ethtool.set_ring");
  const auto rounded = [this](std::uint32_t slots) {
    return (slots + k_.ring_multiple - 1) / k_.ring_multiple * k_.ring_multiple;
  };
  if (rx) ring->second.rx = rounded(*rx);
  if (tx) ring->second.tx = rounded(*tx);
  for (Link& other : k_.links)
    if (k_.flaps && other.index == link) other.carrier_changes += 2;
  if (fails) return fail_errno(EIO, "fake ethtool.set_ring, done all the same");
  return {};
}

FakeHost::FakeHost() {
  Link loopback;
  loopback.index = {1};
  loopback.name = "lo";
  Link card;
  card.index = kEth0;
  card.name = "eth0";
  card.up = card.carrier = true;
  kernel.links = {loopback, card};
  kernel.qdiscs[kEth0] = {{"fq_codel", 0x80010000, kRoot, {std::byte{1}, std::byte{244}}, 0}};
  kernel.rings[kEth0] = {1024, 512, 4096, 4096};
}

Result<std::unique_ptr<Network>> FakeHost::scratch_network() {
  if (!has_namespaces) return fail(ErrorCode::permission_denied, "no namespaces");
  scratches_.emplace_back().counted_by = &kernel;
  return std::make_unique<FakeNetwork>(scratches_.back());
}

void FakeHost::fail_call(int number, bool after) {
  kernel.fail_at = static_cast<int>(kernel.log.size()) + number;
  kernel.fails_after = after;
}

}  // namespace firedrill::agent::test
