// One connection to the controller: dialled, verified, upgraded, read until it ends. Beast is used
// in link.cpp only. Everything here belongs to the I/O thread; nothing of what messages mean.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "agent/uplink/uplink.hpp"

namespace firedrill::agent {

class Link {
 public:
  virtual ~Link() = default;
  /// Queues a text message. A controller that does not read is left, not waited for.
  virtual void send(std::string text) = 0;
  virtual void close(std::string reason) = 0;
  /// Ends the TCP connection at once. Also when the I/O thread has ended.
  virtual void abort() = 0;
  [[nodiscard]] virtual const LinkEnds& ends() const = 0;
};

struct LinkHooks {
  /// The controller is verified and the WebSocket is up.
  std::function<void(const std::shared_ptr<Link>&)> opened;
  /// `text` is valid during the call only.
  std::function<void(Link&, std::string_view text)> message;
  /// Once for each dial(), whatever came of it. dial() may be called again from here.
  std::function<void(const std::string& reason)> ended;
};

class Dialer {
 public:
  /// `config` must outlive the io_context's last handler. @errors as Uplink::start
  [[nodiscard]] static Result<std::unique_ptr<Dialer>> make(boost::asio::io_context& io,
                                                            const UplinkConfig& config,
                                                            LinkHooks hooks);
  /// Begins one attempt; returns at once.
  void dial();
  /// Reads the certificates anew, for the next attempt; the link that is up stays as it is.
  /// @errors as make(); what was in use stays in use
  [[nodiscard]] Result<void> reload();

  struct Core;  ///< shared with the coroutine, which may outlive the Dialer
  explicit Dialer(std::shared_ptr<Core> core) : core_(std::move(core)) {}

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace firedrill::agent
