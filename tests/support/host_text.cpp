#include "tests/support/host_text.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "agent/host_disk.hpp"

namespace firedrill::test {
namespace {

Result<std::string> link_state(agent::Host& host, const agent::kernel::Link& link) {
  std::string out = fmt::format("link {} {} {} mtu {} '{}'\n", link.name, link.kind,
                                link.up ? "up" : "down", link.mtu, link.alias);
  if (const auto ring = host.ethtool().ring(link.index))
    out += fmt::format("  ring rx {} tx {}\n", ring->rx, ring->tx);
  auto qdiscs = host.network().qdiscs(link.index);
  if (!qdiscs) return std::unexpected(qdiscs.error());
  for (const agent::kernel::Qdisc& qdisc : *qdiscs) {
    out += fmt::format("  qdisc {} {:x} {:x}", qdisc.kind, qdisc.handle, qdisc.parent);
    for (const std::byte byte : qdisc.options) out += fmt::format(" {:02x}", unsigned(byte));
    out += "\n";
  }
  for (const auto side : {agent::kernel::Side::egress, agent::kernel::Side::ingress}) {
    auto filters = host.network().filters(link.index, side);
    if (!filters) return std::unexpected(filters.error());
    for (const agent::kernel::Filter& filter : *filters)
      out += fmt::format("  filter {} {} {} {}\n", to_string(side), filter.pref, filter.kind,
                         filter.content);
  }
  return out;
}

}  // namespace

Result<std::string> disk_text(agent::Host& host) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/block", none))
    if (entry.path().filename().string().starts_with("dm-"))
      names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  std::string out;
  for (const std::string& name : names) {
    const auto device = host.disks().find(name);
    if (!device) return std::unexpected(device.error());
    const auto state = host.disks().state(device->number);
    if (!state) return std::unexpected(state.error());
    if (!*state) continue;
    out += fmt::format("disk {} {} suspended {} loaded {}\n", name, (*state)->name,
                       (*state)->suspended, (*state)->inactive.has_value());
    for (const auto& target : (*state)->live) out += "  " + to_string(target) + "\n";
  }
  return out;
}

Result<std::string> network_text(agent::Host& host) {
  auto links = host.network().links();
  if (!links) return std::unexpected(links.error());
  std::string out;
  for (const agent::kernel::Link& link : *links) {
    auto one = link_state(host, link);
    if (!one) return one;
    out += *one;
  }
  return out;
}

}  // namespace firedrill::test
