#include "agent/kernel/route_watch.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

namespace firedrill::agent::kernel {

Result<RouteWatch> RouteWatch::open() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0) return fail_errno(errno, "netlink socket for route changes");
  RouteWatch watch(fd);
  // A flap of a full table is a million messages; without privilege the system's limit holds.
  const int bytes = 8 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  sockaddr_nl name{};
  name.nl_family = AF_NETLINK;
  name.nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name) < 0)
    return fail_errno(errno, "listen for route changes");
  return watch;
}

RouteWatch::RouteWatch(RouteWatch&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

RouteWatch::~RouteWatch() {
  if (fd_ >= 0) close(fd_);
}

Result<void> RouteWatch::drain(const std::function<void(const Change&)>& on_change) {
  Bytes buffer(std::size_t{64} << 10);
  bool lost = false;
  for (;;) {
    const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
    if (count > 0) {
      parse_route_changes(std::span(buffer).first(static_cast<std::size_t>(count)), on_change);
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == ENOBUFS) {
      lost = true;  // said once; what is still in the socket is read on
      continue;
    }
    if (count < 0 && errno != EAGAIN) return fail_errno(errno, "read route changes");
    break;
  }
  if (!lost) return {};
  return fail(ErrorCode::unavailable, ENOBUFS,
              "routes changed faster than they were read, so that some changes were not counted");
}

void parse_route_changes(std::span<const std::byte> datagram,
                         const std::function<void(const RouteWatch::Change&)>& on_change) {
  while (datagram.size() >= sizeof(nlmsghdr)) {
    nlmsghdr header;
    std::memcpy(&header, datagram.data(), sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > datagram.size()) return;
    const bool added = header.nlmsg_type == RTM_NEWROUTE;
    if (added || header.nlmsg_type == RTM_DELROUTE) {
      auto route = parse_route(datagram.subspan(sizeof header, header.nlmsg_len - sizeof header));
      if (route) on_change({std::move(*route), added});
    }
    datagram =
        datagram.subspan(std::min<std::size_t>(NLMSG_ALIGN(header.nlmsg_len), datagram.size()));
  }
}

}  // namespace firedrill::agent::kernel
