#include "controller/fleet/server.hpp"

#include <optional>
#include <set>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include "controller/fleet/listener.hpp"
#include "controller/fleet/strangers.hpp"
#include "controller/fleet/tls.hpp"
#include "controller/fleet/wire.hpp"
#include "firedrill/join.hpp"

namespace firedrill {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

struct Server::Core {
  Core(asio::io_context& io, const FleetConfig& config_in, ServerHooks hooks_in,
       asio::ssl::context tls_in)
      : config(config_in),
        hooks(std::move(hooks_in)),
        tls(std::move(tls_in)),
        acceptor(io),
        revoked(config_in.revoked),
        strangers(config_in.max_strangers, config_in.stranger_grace) {}

  const FleetConfig& config;
  ServerHooks hooks;
  asio::ssl::context tls;
  tcp::acceptor acceptor;
  std::uint16_t port = 0;
  std::set<std::string> revoked;
  std::set<StreamPtr> connections;  ///< so that they can be counted, and ended by stopping
  Strangers<StreamPtr> strangers;
};

namespace {

using CorePtr = std::shared_ptr<Server::Core>;
using RequestParser = http::request_parser<http::string_body>;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t kMaxHeaderBytes = 64 * 1024;
constexpr std::uint64_t kMaxBodyBytes = 1024 * 1024;
constexpr std::uint64_t kMaxStrangersBodyBytes = join::kMaxRequestBytes;
constexpr std::size_t kBufferBytes = 2 * kMaxHeaderBytes;  // a header, and what came with it
constexpr std::chrono::seconds kWriteTimeout{30};          // a report of megabytes on a slow line
constexpr std::chrono::seconds kLingerTimeout{1};
constexpr std::chrono::milliseconds kAcceptPause{100};
constexpr std::chrono::milliseconds kRoomPause{20};

class Entered {
 public:
  Entered(CorePtr core, StreamPtr stream) : core_(std::move(core)), stream_(std::move(stream)) {
    core_->connections.insert(stream_);
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;
  ~Entered() {
    core_->connections.erase(stream_);
    core_->strangers.leave(stream_);
  }

 private:
  CorePtr core_;
  StreamPtr stream_;
};

void end(const StreamPtr& stream) {
  error_code ignored;  // it may have ended already
  beast::get_lowest_layer(*stream).socket().shutdown(tcp::socket::shutdown_both, ignored);
}

HttpResponse plain_error(int status, std::string text) {
  const Json body = {{"error", {{"what", text}, {"pointer", ""}}}};
  return {status, "application/json", body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

/// Why a request could not be read, as the client should hear it; empty: it just went away.
std::optional<HttpResponse> answer_to(const error_code& error) {
  if (error == http::error::header_limit)
    return plain_error(431, "the request's header is larger than 64 KiB");
  if (error == http::error::body_limit)
    return plain_error(413, "the request's body is larger than 1 MiB");
  if (error == http::error::end_of_stream || error == http::error::partial_message)
    return std::nullopt;
  if (error.category() == http::make_error_code(http::error::bad_method).category())
    return plain_error(400, "not a HTTP/1.1 request: " + error.message());
  return std::nullopt;
}

bool token_ok(const FleetConfig& config, const HttpStringRequest& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto header = request[http::field::authorization];
  const std::string_view value{header.data(), header.size()};
  return !config.webhook_token.empty() && value.starts_with(kScheme) &&
         same_secret(value.substr(kScheme.size()), config.webhook_token);
}

HttpRequest to_request(const FleetConfig& config, HttpStringRequest& request, const TlsPeer& peer,
                       const std::string& remote) {
  HttpRequest out;
  out.remote_address = remote;
  out.method = std::string{request.method_string()};
  out.target = std::string{request.target()};
  out.body = std::move(request.body());
  out.role = peer.role;
  out.subject = peer.name;
  out.webhook_token_ok = token_ok(config, request);
  return out;
}

/// Sends the answer; true when it got out whole.
asio::awaitable<bool> respond(TlsStream& stream, HttpResponse answer, bool head, bool keep_alive) {
  http::response<http::string_body> response;
  response.version(11);
  const bool sane = answer.status >= 200 && answer.status <= 599;
  response.result(sane ? static_cast<unsigned>(answer.status) : 500U);
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  response.set("X-Content-Type-Options", "nosniff");
  response.keep_alive(keep_alive);
  response.body() = std::move(answer.body);
  response.prepare_payload();
  beast::get_lowest_layer(stream).expires_after(kWriteTimeout);
  http::response_serializer<http::string_body> serializer{response};
  if (head) {  // the header says how long the body would be
    serializer.split(true);
    const auto [error, size] = co_await http::async_write_header(stream, serializer, kTuple);
    co_return !error;
  }
  const auto [error, size] = co_await http::async_write(stream, serializer, kTuple);
  co_return !error;
}

/// Reads what the client still sends, for a moment: closing on unread bytes would reset the
/// connection before the client has read why.
asio::awaitable<void> linger(TlsStream& stream) {
  beast::get_lowest_layer(stream).expires_after(kLingerTimeout);
  std::array<char, 4096> waste;
  for (;;) {
    const auto [error, size] = co_await stream.async_read_some(asio::buffer(waste), kTuple);
    if (error) co_return;
  }
}

asio::awaitable<void> say_goodbye(TlsStream& stream) {
  beast::get_lowest_layer(stream).expires_after(kLingerTimeout);
  [[maybe_unused]] const auto [error] = co_await stream.async_shutdown(kTuple);
}

/// Nothing when the request may become an agent's link, else the refusal.
std::optional<HttpResponse> refuse_upgrade(const HttpStringRequest& request, const TlsPeer& peer,
                                           std::size_t bytes_behind) {
  if (std::string_view{request.target().data(), request.target().size()} != rpc::kAgentPath)
    return plain_error(404, "the only WebSocket is " + std::string{rpc::kAgentPath});
  if (peer.role.empty()) return plain_error(401, "an agent must show its client certificate");
  if (peer.role != "agent")
    return plain_error(403, "the certificate's role is '" + peer.role + "', not 'agent'");
  if (peer.name.empty()) return plain_error(403, "the certificate names no host");
  if (!http::token_list{request[http::field::sec_websocket_protocol]}.exists(
          beast::string_view{rpc::kProtocol.data(), rpc::kProtocol.size()}))
    return plain_error(400, "the agent does not speak " + std::string{rpc::kProtocol});
  if (bytes_behind != 0) return plain_error(400, "bytes before the upgrade was answered");
  return std::nullopt;
}

/// Waits for a request's first byte; the time until then is idle, not slow.
asio::awaitable<bool> wait_for_request(const CorePtr& core, TlsStream& stream,
                                       beast::flat_buffer& buffer) {
  if (buffer.size() != 0) co_return true;
  beast::get_lowest_layer(stream).expires_after(core->config.http_idle_timeout);
  const auto space = buffer.prepare(4096);
  const auto [error, size] = co_await stream.async_read_some(space, kTuple);
  buffer.commit(size);
  co_return !error;
}

/// Why a request could not be read; no answer: nobody is left to be told.
struct Unread {
  std::optional<HttpResponse> answer;
};

/// Reads one request. Nothing: it is whole.
asio::awaitable<std::optional<Unread>> read_request(const CorePtr& core, TlsStream& stream,
                                                    beast::flat_buffer& buffer,
                                                    RequestParser& parser, bool known) {
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(kMaxBodyBytes);
  beast::get_lowest_layer(stream).expires_after(core->config.request_timeout);
  const auto [bad_header, header_size] =
      co_await http::async_read_header(stream, buffer, parser, kTuple);
  if (bad_header) co_return Unread{answer_to(bad_header)};
  if (!known && !token_ok(core->config, parser.get())) {
    // What anybody may send must not take much memory. A length that is not told could be any.
    if (parser.chunked())
      co_return Unread{plain_error(411, "a request of this kind tells its length")};
    if (parser.content_length().value_or(0) > kMaxStrangersBodyBytes)
      co_return Unread{
          plain_error(413, "without a certificate a request's body has at most 16 KiB")};
  }
  const auto [error, size] = co_await http::async_read(stream, buffer, parser, kTuple);
  if (error) co_return Unread{answer_to(error)};
  co_return std::nullopt;
}

/// What a request waits for while the clerk works.
struct Slot {
  explicit Slot(const asio::any_io_executor& executor)
      : ready(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer ready;
  std::optional<HttpResponse> answer;
};

asio::awaitable<HttpResponse> ask_clerk(const CorePtr& core, HttpRequest request) {
  const auto executor = co_await asio::this_coro::executor;
  const auto slot = std::make_shared<Slot>(executor);
  auto job = [core, slot, executor, request = std::move(request)] {
    HttpResponse answer = core->hooks.join(request);
    asio::post(executor, [slot, answer = std::move(answer)]() mutable {
      slot->answer = std::move(answer);
      slot->ready.cancel();
    });
  };
  if (!core->hooks.clerk->post(std::move(job)))
    co_return plain_error(503, "too many hosts join at this moment; try again");
  while (!slot->answer) {
    [[maybe_unused]] const auto [cancelled] = co_await slot->ready.async_wait(kTuple);
  }
  co_return std::move(*slot->answer);
}

asio::awaitable<HttpResponse> answer_request(const CorePtr& core, HttpStringRequest& request,
                                             const TlsPeer& peer, const std::string& remote) {
  const std::string_view target{request.target().data(), request.target().size()};
  if (target == rpc::kAgentPath)
    co_return plain_error(426, "this is where agents connect, by WebSocket");
  HttpRequest plain = to_request(core->config, request, peer, remote);
  if (target != join::kPath) co_return core->hooks.http(plain);
  if (request.method() != http::verb::post) co_return plain_error(405, "use POST");
  co_return co_await ask_clerk(core, std::move(plain));
}

asio::awaitable<void> serve_requests(CorePtr core, StreamPtr shared, TlsPeer peer,
                                     std::string remote) {
  TlsStream& stream = *shared;
  beast::flat_buffer buffer{kBufferBytes};
  for (;;) {
    if (!co_await wait_for_request(core, stream, buffer)) co_return;
    RequestParser parser;
    auto unread = co_await read_request(core, stream, buffer, parser, !peer.serial.empty());
    // Revoked since the handshake: what it asks is not even looked at.
    if (core->revoked.contains(peer.serial))
      unread = Unread{plain_error(403, "the certificate of '" + peer.name + "' is revoked")};
    if (unread) {
      if (!unread->answer) co_return;
      core->hooks.refused(remote, unread->answer->body);
      if (co_await respond(stream, std::move(*unread->answer), false, false))
        co_await linger(stream);
      co_return;
    }
    HttpStringRequest request = parser.release();
    HttpResponse answer;
    if (beast::websocket::is_upgrade(request)) {
      auto refusal = refuse_upgrade(request, peer, buffer.size());
      if (!refusal) {
        co_await serve_agent(shared, std::move(request), core->config, core->hooks, std::move(peer),
                             std::move(remote));
        co_return;
      }
      core->hooks.refused(remote, refusal->body);
      answer = std::move(*refusal);
    } else {
      answer = co_await answer_request(core, request, peer, remote);
    }
    const bool head = request.method() == http::verb::head;
    const bool keep_alive = request.keep_alive();
    if (!co_await respond(stream, std::move(answer), head, keep_alive)) co_return;
    if (!keep_alive) break;
  }
  co_await say_goodbye(stream);
}

void make_room(const CorePtr& core, const StreamPtr& newcomer, const std::string& remote) {
  const auto leaves = core->strangers.enter(newcomer, std::chrono::steady_clock::now());
  if (!leaves) return;
  core->hooks.refused(remote, "more than " + std::to_string(core->config.max_strangers) +
                                  " connections without a certificate: the oldest was closed");
  end(*leaves);
}

asio::awaitable<void> serve(CorePtr core, tcp::socket socket) {
  set_options(socket);
  error_code gone;
  const auto peer_end = socket.remote_endpoint(gone);
  if (gone) co_return;
  std::string remote = peer_end.address().to_string();
  const auto stream = std::make_shared<TlsStream>(beast::tcp_stream{std::move(socket)}, core->tls);
  const Entered entered{core, stream};
  make_room(core, stream, remote);
  const auto why = std::make_shared<std::string>();
  error_code ignored;  // OpenSSL takes any function
  stream->set_verify_callback(
      [weak = std::weak_ptr{core}, why](bool verified, asio::ssl::verify_context& context) {
        const CorePtr alive = weak.lock();
        return alive && accept_certificate(verified, context.native_handle(), alive->revoked, *why);
      },
      ignored);
  beast::get_lowest_layer(*stream).expires_after(core->config.request_timeout);
  const auto [error] = co_await stream->async_handshake(TlsStream::server, kTuple);
  if (error) {
    // A bare connect and close is how load balancers look whether a port is open.
    if (error != asio::error::eof && error != asio::error::connection_reset &&
        error != asio::ssl::error::stream_truncated)
      core->hooks.refused(remote, "TLS: " + error.message() + (why->empty() ? "" : ": " + *why));
    co_return;
  }
  TlsPeer peer = peer_of(stream->native_handle());
  if (!peer.serial.empty()) core->strangers.leave(stream);
  co_await serve_requests(core, stream, std::move(peer), std::move(remote));
}

asio::awaitable<void> accept_connections(CorePtr core) {
  asio::steady_timer pause{core->acceptor.get_executor()};
  for (;;) {
    while (!core->strangers.has_room(std::chrono::steady_clock::now())) {
      pause.expires_after(kRoomPause);
      [[maybe_unused]] const auto [cut_short] = co_await pause.async_wait(kTuple);
    }
    auto [error, socket] = co_await core->acceptor.async_accept(kTuple);
    if (!core->acceptor.is_open()) co_return;
    if (error) {  // out of descriptors or of memory: others must end first
      pause.expires_after(kAcceptPause);
      [[maybe_unused]] const auto [cut_short] = co_await pause.async_wait(kTuple);
      continue;
    }
    if (core->connections.size() >= core->config.max_connections) {
      core->hooks.refused(
          "", "more than " + std::to_string(core->config.max_connections) + " connections");
      continue;  // the socket closes here, before TLS could cost anything
    }
    asio::co_spawn(core->acceptor.get_executor(), serve(core, std::move(socket)), asio::detached);
  }
}

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& io, const FleetConfig& config,
                                               ServerHooks hooks) {
  auto tls = make_server_context(config);
  if (!tls) return std::unexpected(tls.error());
  auto core = std::make_shared<Core>(io, config, std::move(hooks), std::move(*tls));
  if (auto opened = open_listener(core->acceptor, config); !opened)
    return std::unexpected(opened.error());
  error_code error;
  core->port = core->acceptor.local_endpoint(error).port();
  if (error) return fail_errno(error.value(), "reading the port that was bound");
  asio::co_spawn(io, accept_connections(core), asio::detached);
  return std::unique_ptr<Server>{new Server(std::move(core))};
}

Server::Server(std::shared_ptr<Core> core) : core_(std::move(core)) {}

Server::~Server() {
  error_code ignored;
  core_->acceptor.close(ignored);
  for (const StreamPtr& stream : core_->connections) end(stream);
}

void Server::set_revoked(std::set<std::string> serials) { core_->revoked = std::move(serials); }

Result<void> Server::reload() {
  auto tls = make_server_context(core_->config);
  if (!tls) return std::unexpected(tls.error());
  core_->tls = std::move(*tls);  // a connection holds on to the one it began with
  return {};
}

std::uint16_t Server::port() const { return core_->port; }

}  // namespace firedrill
