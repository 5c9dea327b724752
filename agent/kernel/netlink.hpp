// One netlink socket: a request and its answer, with the kernel's own words in errors.
// Takes and gives bytes; knows no object. In process: nothing is executed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "agent/kernel/attributes.hpp"
#include "firedrill/result.hpp"

struct nl_sock;

namespace firedrill::agent::kernel {

/// One message of an answer: its type and what follows the netlink header.
using MessageSink = std::function<void(std::uint16_t type, std::span<const std::byte> payload)>;

class NetlinkSocket {
 public:
  /// `protocol` is NETLINK_ROUTE or NETLINK_GENERIC.
  [[nodiscard]] static Result<NetlinkSocket> open(int protocol);

  /// Sends one message and waits for its acknowledgement; messages of the answer go to `sink`.
  /// Errors have the kernel's errno and extended ack text, after `what`.
  [[nodiscard]] Result<void> request(std::uint16_t type, std::uint16_t flags,
                                     std::span<const std::byte> payload, std::string_view what,
                                     const MessageSink& sink = {});
  /// As request(), for a dump. Repeated when the table changed while it was read; `restart` is
  /// called before each reading, so that the caller can drop a torn one.
  [[nodiscard]] Result<void> dump(std::uint16_t type, std::span<const std::byte> payload,
                                  std::string_view what, const std::function<void()>& restart,
                                  const MessageSink& sink);

  [[nodiscard]] nl_sock* handle() const { return socket_.get(); }

 private:
  struct Closer {
    void operator()(nl_sock* socket) const;
  };
  explicit NetlinkSocket(nl_sock* socket) : socket_(socket) {}
  /// The errno of the answer, 0 when acknowledged; `words` gets the extended ack text.
  [[nodiscard]] int exchange(std::uint16_t type, std::uint16_t flags,
                             std::span<const std::byte> payload, const MessageSink& sink,
                             std::string& words);

  std::unique_ptr<nl_sock, Closer> socket_;
};

}  // namespace firedrill::agent::kernel
