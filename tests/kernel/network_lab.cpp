#include "tests/kernel/network_lab.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/kernel/netlink.hpp"

namespace firedrill::agent::test {
namespace {

sockaddr_in address_of(const std::string& address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  if (inet_pton(AF_INET, address.c_str(), &out.sin_addr) != 1) ADD_FAILURE() << address;
  return out;
}

void bind_to(const Descriptor& socket, const std::string& address, std::uint16_t port) {
  const sockaddr_in name = address_of(address, port);
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) < 0)
    ADD_FAILURE() << "bind " << address << ": " << std::strerror(errno);
}

/// A large buffer, and kernel time stamps from the first packet on.
void prepare_receiver(const Descriptor& socket) {
  const int on = 1;
  if (setsockopt(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) < 0)
    ADD_FAILURE() << "SO_TIMESTAMPNS: " << std::strerror(errno);
  const int bytes = 64 << 20;  // a burst must wait here rather than be dropped here
  if (setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
    ADD_FAILURE() << "SO_RCVBUFFORCE: " << std::strerror(errno);
}

void connect_to(const Descriptor& socket, const std::string& address, std::uint16_t port) {
  const sockaddr_in name = address_of(address, port);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) < 0)
    ADD_FAILURE() << "connect " << address << ": " << std::strerror(errno);
}

/// Attributes that count or age by themselves, by the message that asks for them.
bool changes_by_itself(int request, std::uint16_t type) {
  switch (request) {
    case RTM_GETLINK:
      return type == IFLA_STATS || type == IFLA_STATS64 || type == IFLA_AF_SPEC;
    case RTM_GETADDR:
      return type == IFA_CACHEINFO;
    case RTM_GETROUTE:
      return type == RTA_CACHEINFO;
    default:
      return type == TCA_STATS || type == TCA_STATS2 || type == TCA_XSTATS;
  }
}

void enter(const Descriptor& network_namespace) {
  if (setns(network_namespace.get(), CLONE_NEWNET) < 0)
    ADD_FAILURE() << "setns: " << std::strerror(errno);
}

Descriptor open_namespace(const std::string& path) {
  return Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

std::string run(const std::string& command) {
  std::string output;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << command;
    return output;
  }
  char buffer[4096];
  while (const std::size_t count = fread(buffer, 1, sizeof buffer, pipe))
    output.append(buffer, count);
  if (pclose(pipe) != 0) ADD_FAILURE() << command << "\n" << output;
  return output;
}

std::string raw_dump(int request, std::size_t header_size) {
  auto socket = kernel::NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) {
    ADD_FAILURE() << describe(socket.error());
    return {};
  }
  const kernel::Bytes header(header_size);
  std::string out;
  const auto sink = [&](std::uint16_t type, std::span<const std::byte> payload) {
    out += fmt::format("\n{} ", type);
    for (const std::byte byte : payload.first(header_size))
      out += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
    const auto table = kernel::AttributeTable::parse(payload.subspan(NLMSG_ALIGN(header_size)));
    if (!table) ADD_FAILURE() << describe(table.error());
    for (const auto& [number, bytes] : table->entries()) {
      if (changes_by_itself(request, number)) continue;
      out += fmt::format(" {}=", number);
      for (const std::byte byte : bytes)
        out += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
    }
  };
  const auto done = socket->dump(
      static_cast<std::uint16_t>(request), header, "dump", [&out] { out.clear(); }, sink);
  if (!done) ADD_FAILURE() << describe(done.error());
  return out;
}

int DatagramPath::drain_now() {
  int count = 0;
  char buffer[64];
  while (recv(receiver_.get(), buffer, sizeof buffer, MSG_DONTWAIT) >= 0) ++count;
  return count;
}

void DatagramPath::send(int count) {
  for (int i = 0; i < count; ++i)
    if (::send(sender_.get(), "x", 1, 0) < 0) ADD_FAILURE() << "send: " << std::strerror(errno);
}

int DatagramPath::arrived(std::chrono::milliseconds quiet) {
  int count = 0;
  pollfd ready{receiver_.get(), POLLIN, 0};
  while (poll(&ready, 1, static_cast<int>(quiet.count())) > 0) count += drain_now();
  return count;
}

std::optional<std::chrono::system_clock::time_point> DatagramPath::arrival() {
  pollfd ready{receiver_.get(), POLLIN, 0};
  if (poll(&ready, 1, 60'000) <= 0) return std::nullopt;
  char byte = 0;
  iovec place{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(timespec))];
  msghdr message{};
  message.msg_iov = &place;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(receiver_.get(), &message, 0) < 0) return std::nullopt;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_TIMESTAMPNS) return std::nullopt;
  timespec stamp;
  std::memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
  return std::chrono::system_clock::time_point(std::chrono::seconds(stamp.tv_sec) +
                                               std::chrono::nanoseconds(stamp.tv_nsec));
}

testing::AssertionResult about(int arrived, int sent, double probability) {
  const double mean = sent * probability;
  const double slack = 6 * std::sqrt(sent * probability * (1 - probability));
  if (std::abs(arrived - mean) <= slack) return testing::AssertionSuccess();
  return testing::AssertionFailure() << arrived << " of " << sent << ", expected " << mean;
}

void NetworkLab::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  home_ = open_namespace("/proc/thread-self/ns/net");
  ASSERT_EQ(unshare(CLONE_NEWNET), 0) << std::strerror(errno);
  here_ = open_namespace("/proc/thread-self/ns/net");
  const auto probe = open_host();
  ASSERT_TRUE(probe);
  const Support support = find_fault("netem")->probe_support(*probe);
  if (needs_netem() && !support.supported) GTEST_SKIP() << support.reason;

  peer_name_ = fmt::format("firedrill-{}", getpid());
  run("ip netns add " + peer_name_);
  peer_ = open_namespace("/run/netns/" + peer_name_);
  ASSERT_GE(peer_.get(), 0);
  run("ip link set lo up && ip link add data0 type veth peer name peer0 netns " + peer_name_);
  // Link-local addresses come by themselves and settle seconds later: they would change the dump.
  const std::string at_peer = "ip -n " + peer_name_ + " ";
  run("ip link set data0 addrgenmode none && " + at_peer + "link set peer0 addrgenmode none");
  run("ip link set data0 up && ip addr add 10.77.0.1/24 dev data0");
  run("ip addr add fd77::1/64 dev data0 nodad");
  run(at_peer + "link set lo up && " + at_peer + "link set peer0 up");
  run(at_peer + "addr add fd77::2/64 dev peer0 nodad");
  for (const char* address : {"10.77.0.2/24", "10.77.0.3/24", "10.77.0.4/24"})
    run(at_peer + "addr add " + address + " dev peer0");
}

void NetworkLab::TearDown() {
  if (!peer_name_.empty()) run("ip netns del " + peer_name_);
  if (home_.get() >= 0) enter(home_);
}

Descriptor NetworkLab::socket_at_peer(int type, int family) {
  enter(peer_);
  Descriptor made(socket(family, type | SOCK_CLOEXEC, 0));
  enter(here_);
  if (made.get() < 0) ADD_FAILURE() << "socket: " << std::strerror(errno);
  return made;
}

DatagramPath NetworkLab::to_peer(const std::string& address, std::uint16_t port) {
  Descriptor receiver = socket_at_peer(SOCK_DGRAM);
  prepare_receiver(receiver);
  bind_to(receiver, address, port);
  Descriptor sender(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  connect_to(sender, address, port);
  return {std::move(sender), std::move(receiver)};
}

DatagramPath NetworkLab::from_peer(std::uint16_t port) {
  Descriptor receiver(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  prepare_receiver(receiver);
  bind_to(receiver, "10.77.0.1", port);
  Descriptor sender = socket_at_peer(SOCK_DGRAM);
  bind_to(sender, "10.77.0.2", port);
  connect_to(sender, "10.77.0.1", port);
  return {std::move(sender), std::move(receiver)};
}

Descriptor NetworkLab::peer_listener(const std::string& address, std::uint16_t port) {
  Descriptor listener = socket_at_peer(SOCK_STREAM);
  bind_to(listener, address, port);
  if (listen(listener.get(), 4) < 0) ADD_FAILURE() << "listen: " << std::strerror(errno);
  return listener;
}

Descriptor NetworkLab::local_listener(std::uint16_t port) {
  Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  bind_to(listener, "10.77.0.1", port);
  if (listen(listener.get(), 4) < 0) ADD_FAILURE() << "listen: " << std::strerror(errno);
  return listener;
}

Descriptor NetworkLab::dual_listener(std::uint16_t port, bool at_peer) {
  Descriptor listener = at_peer ? socket_at_peer(SOCK_STREAM, AF_INET6)
                                : Descriptor(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 name{};
  name.sin6_family = AF_INET6;
  name.sin6_port = htons(port);
  if (bind(listener.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) < 0 ||
      listen(listener.get(), 4) < 0)
    ADD_FAILURE() << "listen: " << std::strerror(errno);
  return listener;
}

bool NetworkLab::peer_reaches(std::uint16_t port) {
  const std::string command = fmt::format(
      "ip netns exec {} timeout 5 bash -c '</dev/tcp/10.77.0.1/{}' 2>/dev/null", peer_name_, port);
  return system(command.c_str()) == 0;
}

std::unique_ptr<Host> NetworkLab::open_host(OperationObserver observer) {
  auto host = kernel::open_linux_host({[this] { return protected_peers_; }, std::move(observer)});
  if (host) return std::move(*host);
  ADD_FAILURE() << describe(host.error());
  return nullptr;
}

std::string NetworkLab::dump() {
  return raw_dump(RTM_GETLINK, sizeof(ifinfomsg)) + raw_dump(RTM_GETQDISC, sizeof(tcmsg)) +
         raw_dump(RTM_GETTCLASS, sizeof(tcmsg)) + raw_dump(RTM_GETADDR, sizeof(ifaddrmsg)) +
         raw_dump(RTM_GETROUTE, sizeof(rtmsg)) + run("tc filter show dev data0 egress") +
         run("tc filter show dev data0 ingress");
}

std::string NetworkLab::dump_root_tree() {
  return run("tc -d qdisc show dev data0 | grep -v clsact") + run("tc -d class show dev data0");
}

Params NetworkLab::params(const Fault& fault, Json given) {
  given.emplace("device", "data0");
  auto valid = validate_params(fault.schema(), given, "");
  if (!valid) {
    ADD_FAILURE() << describe(valid.error());
    return {};
  }
  if (auto checked = fault.check(*valid); !checked) ADD_FAILURE() << describe(checked.error());
  return *valid;
}

Json NetworkLab::inject(const Fault& fault, const Params& params) {
  const auto host = open_host();
  const auto record = fault.capture(*host, params);
  if (!record) {
    ADD_FAILURE() << "capture: " << describe(record.error());
    return {};
  }
  const auto values = fault.apply(*host, params, *record);
  if (!values) ADD_FAILURE() << "apply: " << describe(values.error());
  return *record;
}

void NetworkLab::undo(const Fault& fault, const Json& record) {
  for (const int round : {1, 2}) {
    const auto host = open_host();
    const auto undone = fault.undo(*host, record);
    ASSERT_TRUE(undone) << "undo " << round << ": " << describe(undone.error());
    EXPECT_NE(*undone, UndoOutcome::superseded);
    const auto verified = fault.verify(*host, record);
    ASSERT_TRUE(verified) << describe(verified.error());
    for (const std::string& difference : verified->differences) ADD_FAILURE() << difference;
  }
}

}  // namespace firedrill::agent::test
