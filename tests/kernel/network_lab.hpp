// Two network namespaces joined by a veth pair: ours with "data0" (10.77.0.1), the peer's with
// "peer0" (10.77.0.2, .3 and .4). Packets go over real sockets, so that what arrives is a fact.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "agent/fault.hpp"
#include "agent/kernel/linux_host.hpp"

namespace firedrill::agent::test {

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// Runs a shell command of the test's own making; its output, and a failure when it fails.
std::string run(const std::string& command);

/// A netlink table byte for byte, but for what changes by itself. Its own reader, on purpose: what
/// the agent's reader overlooks must show here.
std::string raw_dump(int request, std::size_t header_size);

/// Sends datagrams to one address and counts those that arrive there.
class DatagramPath {
 public:
  DatagramPath(Descriptor sender, Descriptor receiver)
      : sender_(std::move(sender)), receiver_(std::move(receiver)) {}
  void send(int count);
  /// How many came since the last call, once none has come for `quiet`.
  [[nodiscard]] int arrived(std::chrono::milliseconds quiet = std::chrono::milliseconds(1000));
  /// When the kernel took in the next datagram, however late this thread comes to ask; none when
  /// none comes within a minute.
  [[nodiscard]] std::optional<std::chrono::system_clock::time_point> arrival();

 private:
  [[nodiscard]] int drain_now();

  Descriptor sender_;    ///< connected
  Descriptor receiver_;  ///< bound; its buffer holds whatever a test sends at once
};

/// Six standard deviations either way: a correct netem falls outside once in 5·10⁸ runs.
[[nodiscard]] testing::AssertionResult about(int arrived, int sent, double probability);

class NetworkLab : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  /// Skip where the kernel cannot impair packets? Tests of routes need no more than a namespace.
  [[nodiscard]] virtual bool needs_netem() const { return true; }

  /// Our side sends to the peer's `address`.
  DatagramPath to_peer(const std::string& address, std::uint16_t port);
  /// The peer sends to us.
  DatagramPath from_peer(std::uint16_t port);
  /// A listening TCP socket of the peer.
  Descriptor peer_listener(const std::string& address, std::uint16_t port);

  /// One of ours, and whether a connection from the peer to it succeeds within seconds.
  Descriptor local_listener(std::uint16_t port);
  bool peer_reaches(std::uint16_t port);
  /// A listening TCP socket for both families on every address, the peer's or ours.
  Descriptor dual_listener(std::uint16_t port, bool at_peer);

  /// A host as a fresh agent process would open it.
  std::unique_ptr<Host> open_host(OperationObserver observer = {});
  /// Links, qdiscs, classes, filters, addresses and routes of our namespace, without counters.
  [[nodiscard]] std::string dump();
  /// Of data0 only, and without its clsact and filters: what a lane must never touch, even while
  /// on.
  [[nodiscard]] std::string dump_root_tree();

  [[nodiscard]] Params params(const Fault& fault, Json given);
  /// Captures and applies; the record.
  Json inject(const Fault& fault, const Params& params);
  /// Undoes twice in fresh hosts, and verifies.
  void undo(const Fault& fault, const Json& record);

  /// Name of the peer's namespace, for `ip -n`.
  [[nodiscard]] const std::string& peer_name() const { return peer_name_; }

  std::vector<kernel::Endpoint> protected_peers_;

 private:
  [[nodiscard]] Descriptor socket_at_peer(int type, int family = AF_INET);

  Descriptor home_;
  Descriptor here_;
  Descriptor peer_;
  std::string peer_name_;
};

}  // namespace firedrill::agent::test
