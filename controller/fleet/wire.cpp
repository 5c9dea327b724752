#include "controller/fleet/wire.hpp"

#include <deque>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>

namespace firedrill {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

// Compression is left out at compile time: it would cost 300 KiB for each agent.
using WebSocket = websocket::stream<TlsStream&, false>;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
// A peer this far behind does not read. It holds eight of the largest messages.
constexpr std::size_t kMaxUnsentBytes = 8 * rpc::kMaxMessageBytes;
constexpr std::size_t kKeptBufferBytes = 16 * 1024;
constexpr std::chrono::seconds kCloseTimeout{1};  // a peer that is thrown out need not agree

class AgentWire final : public Wire, public std::enable_shared_from_this<AgentWire> {
 public:
  AgentWire(StreamPtr stream, TlsPeer peer, std::string remote_address)
      : stream_(std::move(stream)),
        socket_(*stream_),
        peer_(std::move(peer)),
        remote_address_(std::move(remote_address)) {}

  void prepare(Duration idle_timeout) {
    beast::get_lowest_layer(*stream_).expires_never();  // the WebSocket has timers of its own
    websocket::stream_base::timeout limits{};
    limits.handshake_timeout = kCloseTimeout;
    limits.idle_timeout = idle_timeout;
    limits.keep_alive_pings = true;
    socket_.set_option(limits);
    socket_.set_option(websocket::stream_base::decorator([](websocket::response_type& response) {
      response.set(beast::http::field::sec_websocket_protocol, rpc::kProtocol);
    }));
    socket_.read_message_max(rpc::kMaxMessageBytes);
    socket_.auto_fragment(false);
    socket_.text(true);
  }

  void send(std::string text) override {
    if (closing_) return;
    unsent_bytes_ += text.size();
    if (unsent_bytes_ > kMaxUnsentBytes) return close("the agent does not read its messages");
    unsent_.push_back(std::move(text));
    if (unsent_.size() == 1) write_first();
  }

  void close(std::string reason) override {
    if (closing_) return;
    closing_ = true;
    reason_ = std::move(reason);
    websocket::close_reason why{websocket::close_code::policy_error};
    why.reason = beast::string_view{reason_}.substr(0, 120);  // a control frame holds 123 bytes
    socket_.async_close(why, [self = shared_from_this()](error_code) {});
  }

  [[nodiscard]] const TlsPeer& peer() const override { return peer_; }
  [[nodiscard]] const std::string& remote_address() const override { return remote_address_; }

  WebSocket& socket() { return socket_; }
  [[nodiscard]] bool closing() const { return closing_; }

  /// Why the link ended: our own reason, the peer's close frame, or the error.
  [[nodiscard]] std::string reason_of(const error_code& error) const {
    if (closing_) return reason_;
    if (error == beast::error::timeout) return "the agent was silent for too long";
    if (error == websocket::error::closed && !socket_.reason().reason.empty())
      return "closed by the agent: " + std::string{socket_.reason().reason.c_str()};
    return error.message();
  }

 private:
  void write_first() {
    socket_.async_write(asio::buffer(unsent_.front()),
                        [self = shared_from_this()](error_code error, std::size_t) {
                          self->unsent_bytes_ -= self->unsent_.front().size();
                          self->unsent_.pop_front();
                          // The reader learns of a broken link too, and reports it.
                          if (!error && !self->unsent_.empty()) self->write_first();
                        });
  }

  StreamPtr stream_;
  WebSocket socket_;
  std::deque<std::string> unsent_;
  std::size_t unsent_bytes_ = 0;
  bool closing_ = false;
  std::string reason_;
  TlsPeer peer_;
  std::string remote_address_;
};

}  // namespace

asio::awaitable<void> serve_agent(StreamPtr stream, HttpStringRequest request,
                                  const FleetConfig& config, const ServerHooks& hooks, TlsPeer peer,
                                  std::string remote_address) {
  const auto wire =
      std::make_shared<AgentWire>(std::move(stream), std::move(peer), std::move(remote_address));
  wire->prepare(config.agent_idle_timeout);
  const auto [accept_error] = co_await wire->socket().async_accept(request, kTuple);
  if (accept_error) {
    hooks.refused(wire->remote_address(), "WebSocket: " + accept_error.message());
    co_return;
  }
  hooks.opened(wire);
  beast::flat_buffer buffer;
  for (;;) {
    const auto [error, size] = co_await wire->socket().async_read(buffer, kTuple);
    if (error) {
      const std::string reason = wire->reason_of(error);
      hooks.closed(*wire, reason);
      co_return;
    }
    if (!wire->closing()) {
      if (wire->socket().got_text())
        hooks.message(*wire, {static_cast<const char*>(buffer.data().data()), size});
      else wire->close("binary messages are not used");
    }
    buffer.consume(size);
    if (buffer.capacity() > kKeptBufferBytes) buffer.shrink_to_fit();
  }
}

}  // namespace firedrill
