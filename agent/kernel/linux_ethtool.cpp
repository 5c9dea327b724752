#include "agent/kernel/linux_ethtool.hpp"

#include <fmt/format.h>
#include <linux/ethtool_netlink.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/genl/ctrl.h>

namespace firedrill::agent::kernel {
namespace {

AttributeWriter ring_request(std::uint8_t command, IfIndex link) {
  AttributeWriter request(genlmsghdr{command, ETHTOOL_GENL_VERSION, 0});
  AttributeWriter header;
  header.put(ETHTOOL_A_HEADER_DEV_INDEX, link.value);
  request.put_nest(ETHTOOL_A_RINGS_HEADER, header);
  return request;
}

}  // namespace

Result<LinuxEthtool> LinuxEthtool::open(OperationObserver observer) {
  auto socket = NetlinkSocket::open(NETLINK_GENERIC);
  if (!socket) return std::unexpected(socket.error());
  const int family = genl_ctrl_resolve(socket->handle(), ETHTOOL_GENL_NAME);
  if (family < 0)
    return fail(ErrorCode::unsupported,
                fmt::format("the kernel has no ethtool netlink: {}", nl_geterror(family)));
  return LinuxEthtool(std::move(*socket), static_cast<std::uint16_t>(family), std::move(observer));
}

Result<RingSizes> LinuxEthtool::ring(IfIndex link) {
  if (observer_) observer_("ethtool.ring");
  RingSizes ring;
  bool answered = false;
  const auto sink = [&](std::uint16_t, std::span<const std::byte> payload) {
    if (payload.size() < GENL_HDRLEN) return;
    const auto table = AttributeTable::parse(payload.subspan(GENL_HDRLEN));
    if (!table) return;
    answered = true;
    ring.rx = table->get<std::uint32_t>(ETHTOOL_A_RINGS_RX).value_or(0);
    ring.tx = table->get<std::uint32_t>(ETHTOOL_A_RINGS_TX).value_or(0);
    ring.rx_max = table->get<std::uint32_t>(ETHTOOL_A_RINGS_RX_MAX).value_or(0);
    ring.tx_max = table->get<std::uint32_t>(ETHTOOL_A_RINGS_TX_MAX).value_or(0);
  };
  const auto done = socket_.request(family_, 0, ring_request(ETHTOOL_MSG_RINGS_GET, link).bytes(),
                                    fmt::format("ring sizes of interface {}", link.value), sink);
  if (!done) return std::unexpected(done.error());
  if (!answered) return fail(ErrorCode::corrupt, "ethtool's answer does not parse");
  return ring;
}

Result<void> LinuxEthtool::set_ring(IfIndex link, std::optional<std::uint32_t> rx,
                                    std::optional<std::uint32_t> tx) {
  if (observer_) observer_("ethtool.set_ring");
  AttributeWriter request = ring_request(ETHTOOL_MSG_RINGS_SET, link);
  if (rx) request.put(ETHTOOL_A_RINGS_RX, *rx);
  if (tx) request.put(ETHTOOL_A_RINGS_TX, *tx);
  return socket_.request(family_, 0, request.bytes(),
                         fmt::format("set ring sizes of interface {}", link.value));
}

}  // namespace firedrill::agent::kernel
