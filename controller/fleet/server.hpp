// The listener behind Fleet: TCP, TLS, HTTP and WebSocket, and nothing of what messages mean. Beast
// is used in server.cpp and wire.cpp only. Everything here belongs to the I/O thread.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "controller/fleet/fleet.hpp"
#include "firedrill/worker.hpp"

namespace firedrill {

/// Who is on the other side: CN, OU and serial number of the verified client certificate; empty
/// without one.
struct TlsPeer {
  std::string name, role, serial;
};

/// One agent's WebSocket.
class Wire {
 public:
  virtual ~Wire() = default;
  /// Queues a text message. A peer that does not read is closed, not waited for.
  virtual void send(std::string text) = 0;
  /// Begins to close; what is queued may be lost. Messages that still arrive are not delivered.
  virtual void close(std::string reason) = 0;
  [[nodiscard]] virtual const TlsPeer& peer() const = 0;
  [[nodiscard]] const std::string& host() const { return peer().name; }
  [[nodiscard]] virtual const std::string& remote_address() const = 0;
};

struct ServerHooks {
  std::function<void(const std::shared_ptr<Wire>&)> opened;
  std::function<void(Wire&, std::string_view text)> message;
  /// Once for each opened; with close()'s own reason when we closed it.
  std::function<void(Wire&, const std::string& reason)> closed;
  std::function<HttpResponse(const HttpRequest&)> http;
  /// On `clerk`, the thread that may wait for the disk.
  std::function<HttpResponse(const HttpRequest&)> join;
  Worker* clerk = nullptr;
  std::function<void(const std::string& remote_address, const std::string& reason)> refused;
};

class Server {
 public:
  /// Listens and begins to accept on `io`. `config` must outlive the io_context's last handler.
  /// @errors as Fleet::start
  [[nodiscard]] static Result<std::unique_ptr<Server>> listen(boost::asio::io_context& io,
                                                              const FleetConfig& config,
                                                              ServerHooks hooks);
  /// Both on the I/O thread.
  void set_revoked(std::set<std::string> serials);
  [[nodiscard]] Result<void> reload();
  ~Server();  ///< Stops listening and ends every connection. On the I/O thread.
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] std::uint16_t port() const;

  struct Core;  ///< shared with the coroutines, which may outlive the Server

 private:
  explicit Server(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace firedrill
