#include "agent/uplink/link.hpp"

#include <deque>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "agent/uplink/tls.hpp"

namespace firedrill::agent {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

struct Dialer::Core {
  Core(asio::io_context& io_in, const UplinkConfig& config_in, LinkHooks hooks_in,
       asio::ssl::context tls_in)
      : io(io_in), config(config_in), hooks(std::move(hooks_in)), tls(std::move(tls_in)) {}
  asio::io_context& io;
  const UplinkConfig& config;
  LinkHooks hooks;
  asio::ssl::context tls;
};

namespace {

using CorePtr = std::shared_ptr<Dialer::Core>;
using TlsStream = asio::ssl::stream<beast::tcp_stream>;
using WebSocket = websocket::stream<TlsStream, false>;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxUnsentBytes = 8 * rpc::kMaxMessageBytes;
constexpr std::size_t kKeptBufferBytes = 8 * 1024;
constexpr std::size_t kMaxReasonBytes = 120;  // a control frame holds 123
constexpr unsigned kUserTimeoutMillis = 5000;
constexpr std::chrono::seconds kCloseTimeout{1};  // the controller need not agree

class LiveLink final : public Link, public std::enable_shared_from_this<LiveLink> {
 public:
  LiveLink(asio::io_context& io, asio::ssl::context& tls) : socket_(io, tls) {}

  void send(std::string text) override {
    if (closing_) return;
    unsent_bytes_ += text.size();
    if (unsent_bytes_ > kMaxUnsentBytes) return close("the controller does not read its messages");
    unsent_.push_back(std::move(text));
    if (unsent_.size() == 1) write_first();
  }

  void close(std::string reason) override {
    if (closing_) return;
    closing_ = true;
    reason_ = std::move(reason);
    websocket::close_reason why{websocket::close_code::policy_error};
    why.reason = beast::string_view{reason_}.substr(0, kMaxReasonBytes);
    socket_.async_close(why, [self = shared_from_this()](error_code) {});
  }

  void abort() override {
    error_code ignored;  // it may have ended already
    tcp_layer().socket().shutdown(tcp::socket::shutdown_both, ignored);
  }

  [[nodiscard]] const LinkEnds& ends() const override { return ends_; }

  WebSocket& socket() { return socket_; }
  beast::tcp_stream& tcp_layer() { return beast::get_lowest_layer(socket_); }
  SSL* tls() { return socket_.next_layer().native_handle(); }
  [[nodiscard]] bool closing() const { return closing_; }

  /// Empty when the socket has ended already.
  bool note_ends() {
    error_code error;
    const auto local = tcp_layer().socket().local_endpoint(error);
    if (error) return false;
    const auto peer = tcp_layer().socket().remote_endpoint(error);
    if (error) return false;
    ends_ = {{local.address().to_string(), local.port()},
             {peer.address().to_string(), peer.port()},
             controller_name(tls())};
    return true;
  }

  void set_tcp_options() {
    error_code ignored;  // they only make things quicker
    tcp_layer().socket().set_option(tcp::no_delay(true), ignored);
    // Data that a dead peer does not acknowledge breaks the link after this, not after 15 minutes.
    ::setsockopt(tcp_layer().socket().native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT,
                 &kUserTimeoutMillis, sizeof(kUserTimeoutMillis));
  }

  void set_websocket_options(const UplinkConfig& config) {
    tcp_layer().expires_never();  // the WebSocket has timers of its own
    websocket::stream_base::timeout limits{};
    limits.handshake_timeout = config.handshake_timeout;
    limits.idle_timeout = config.idle_timeout;
    limits.keep_alive_pings = true;
    socket_.set_option(limits);
    socket_.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
      request.set(beast::http::field::sec_websocket_protocol, rpc::kProtocol);
      request.set(beast::http::field::user_agent, "firedrill-agent/" FIREDRILL_VERSION);
    }));
    socket_.read_message_max(rpc::kMaxMessageBytes);
    socket_.auto_fragment(false);
    socket_.text(true);
  }

  /// Once the upgrade is done, the same limit of Beast's bounds the closing handshake.
  void set_close_timeout() {
    websocket::stream_base::timeout limits{};
    socket_.get_option(limits);
    limits.handshake_timeout = kCloseTimeout;
    socket_.set_option(limits);
  }

  /// Why the link ended: our own reason, the controller's close frame, or the error.
  [[nodiscard]] std::string reason_of(const error_code& error) const {
    if (closing_) return reason_;
    if (error == beast::error::timeout) return "the controller was silent for too long";
    if (error == websocket::error::closed && !socket_.reason().reason.empty())
      return "closed by the controller: " + std::string{socket_.reason().reason.c_str()};
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

  WebSocket socket_;
  LinkEnds ends_;
  std::deque<std::string> unsent_;
  std::size_t unsent_bytes_ = 0;
  bool closing_ = false;
  std::string reason_;
};

using Text = std::string;  // of a failure; empty when all is well

asio::awaitable<Text> find_addresses(CorePtr core, std::vector<tcp::endpoint>& out) {
  const UplinkConfig& config = core->config;
  error_code not_numeric;
  const auto address = asio::ip::make_address(config.controller, not_numeric);
  if (!not_numeric) {  // no look-up, and so no thread for one
    out.emplace_back(address, config.port);
    co_return Text{};
  }
  tcp::resolver resolver{core->io};
  const std::string service = std::to_string(config.port);
  const auto [error, found] = co_await resolver.async_resolve(config.controller, service, kTuple);
  if (error) co_return "looking up '" + config.controller + "': " + error.message();
  for (const auto& entry : found) out.push_back(entry.endpoint());
  co_return Text{};
}

asio::awaitable<Text> connect(CorePtr core, LiveLink& link) {
  std::vector<tcp::endpoint> addresses;
  Text failure = co_await find_addresses(core, addresses);
  if (!failure.empty()) co_return failure;
  const Duration limit = core->config.handshake_timeout;
  link.tcp_layer().expires_after(limit);
  const auto [error, end] = co_await link.tcp_layer().async_connect(addresses, kTuple);
  if (error)
    co_return "connecting to " + core->config.controller + " port " +
        std::to_string(core->config.port) + ": " + error.message();
  link.set_tcp_options();
  if (auto named = expect_server(link.tls(), core->config.server_name); !named)
    co_return named.error().what;
  link.tcp_layer().expires_after(limit);
  auto& tls = link.socket().next_layer();
  const auto [refused] = co_await tls.async_handshake(TlsStream::client, kTuple);
  if (refused) co_return handshake_reason(link.tls(), refused.message());
  if (auto controller = check_controller(link.tls()); !controller)
    co_return controller.error().what;
  co_return link.note_ends() ? Text{} : Text{"the connection ended during the handshake"};
}

asio::awaitable<Text> upgrade(CorePtr core, LiveLink& link) {
  link.set_websocket_options(core->config);
  websocket::response_type response;
  const std::string path{rpc::kAgentPath};
  const auto [error] =
      co_await link.socket().async_handshake(response, core->config.server_name, path, kTuple);
  if (error == websocket::error::upgrade_declined)
    co_return "the controller refused this agent: " + std::to_string(response.result_int()) + " " +
        response.body().substr(0, 500);
  if (error) co_return "asking for the WebSocket: " + error.message();
  const auto protocol = response[beast::http::field::sec_websocket_protocol];
  if (std::string_view{protocol.data(), protocol.size()} != rpc::kProtocol)
    co_return "the controller does not speak " + std::string{rpc::kProtocol};
  link.set_close_timeout();
  co_return Text{};
}

asio::awaitable<Text> read_until_end(CorePtr core, LiveLink& link) {
  beast::flat_buffer buffer;
  for (;;) {
    const auto [error, size] = co_await link.socket().async_read(buffer, kTuple);
    if (error) co_return link.reason_of(error);
    if (!link.closing()) {
      if (link.socket().got_text())
        core->hooks.message(link, {static_cast<const char*>(buffer.data().data()), size});
      else link.close("binary messages are not used");
    }
    buffer.consume(size);
    if (buffer.capacity() > kKeptBufferBytes) buffer.shrink_to_fit();
  }
}

asio::awaitable<Text> run(CorePtr core) {
  const auto link = std::make_shared<LiveLink>(core->io, core->tls);
  Text reason = co_await connect(core, *link);
  if (reason.empty()) reason = co_await upgrade(core, *link);
  if (!reason.empty()) co_return reason;
  core->hooks.opened(link);
  co_return co_await read_until_end(core, *link);
}

}  // namespace

Result<std::unique_ptr<Dialer>> Dialer::make(asio::io_context& io, const UplinkConfig& config,
                                             LinkHooks hooks) {
  auto tls = make_client_context(config);
  if (!tls) return std::unexpected(tls.error());
  return std::make_unique<Dialer>(
      std::make_shared<Core>(io, config, std::move(hooks), std::move(*tls)));
}

Result<void> Dialer::reload() {
  auto tls = make_client_context(core_->config);
  if (!tls) return std::unexpected(tls.error());
  core_->tls = std::move(*tls);  // a link holds on to the one it began with
  return {};
}

void Dialer::dial() {
  asio::co_spawn(core_->io, run(core_),
                 [core = core_](const std::exception_ptr& failed, const Text& reason) {
                   // Only a lack of memory gets here; the agent lives on and dials again.
                   core->hooks.ended(failed ? "out of memory" : reason);
                 });
}

}  // namespace firedrill::agent
