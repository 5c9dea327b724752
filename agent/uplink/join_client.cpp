#include "agent/uplink/join_client.hpp"

#include <optional>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "agent/uplink/tls.hpp"

namespace firedrill::agent {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using TlsStream = asio::ssl::stream<beast::tcp_stream>;
using Answer = http::response<http::string_body>;

constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::uint64_t kMaxAnswerBytes = 64 * 1024;

asio::awaitable<Result<void>> reach(TlsStream& stream, const JoinTarget& target) {
  const auto executor = co_await asio::this_coro::executor;
  const std::string where = target.controller + " port " + std::to_string(target.port);
  tcp::resolver resolver{executor};
  const std::string service = std::to_string(target.port);
  const auto [unknown, ends] = co_await resolver.async_resolve(target.controller, service, kTuple);
  if (unknown)
    co_return fail(ErrorCode::unavailable,
                   "looking up '" + target.controller + "': " + unknown.message());
  beast::get_lowest_layer(stream).expires_after(target.timeout);
  const auto [unreachable, end] =
      co_await beast::get_lowest_layer(stream).async_connect(ends, kTuple);
  if (unreachable)
    co_return fail(ErrorCode::unavailable, "connecting to " + where + ": " + unreachable.message() +
                                               "; is 'firedrill serve' running there?");
  if (auto named = expect_server(stream.native_handle(), target.server_name); !named)
    co_return named;
  beast::get_lowest_layer(stream).expires_after(target.timeout);
  const auto [refused] = co_await stream.async_handshake(TlsStream::client, kTuple);
  if (refused)
    co_return fail(ErrorCode::refused,
                   where + ": " + handshake_reason(stream.native_handle(), refused.message()));
  co_return check_controller(stream.native_handle());
}

asio::awaitable<Result<Answer>> ask(TlsStream& stream, const JoinTarget& target,
                                    const join::Request& request) {
  if (auto reached = co_await reach(stream, target); !reached)
    co_return std::unexpected(reached.error());
  http::request<http::string_body> post{
      http::verb::post, beast::string_view{join::kPath.data(), join::kPath.size()}, 11};
  post.set(http::field::host, target.server_name);
  post.set(http::field::content_type, "application/json");
  post.set(http::field::user_agent, "firedrill-agent/" FIREDRILL_VERSION);
  post.keep_alive(false);
  post.body() = join::to_json(request).dump();
  post.prepare_payload();
  beast::get_lowest_layer(stream).expires_after(target.timeout);
  const auto [unsent, sent] = co_await http::async_write(stream, post, kTuple);
  if (unsent) co_return fail(ErrorCode::unavailable, "asking to join: " + unsent.message());
  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxAnswerBytes);
  const auto [unread, read] = co_await http::async_read(stream, buffer, parser, kTuple);
  if (unread)
    co_return fail(ErrorCode::unavailable,
                   "the controller's answer did not come (" + unread.message() +
                       "); the token may be used up: if it is refused now, make another");
  co_return parser.release();
}

/// The controller's own words, if it sent any.
std::string words_of(const Answer& answer) {
  const auto json = parse_json(answer.body(), "answer");
  if (json && json->is_object())
    if (const auto error = json->find("error"); error != json->end() && error->is_object())
      if (const auto what = error->find("what"); what != error->end() && what->is_string())
        return what->get<std::string>();
  return "HTTP status " + std::to_string(answer.result_int());
}

Result<join::Credentials> read_answer(const Answer& answer) {
  if (answer.result() != http::status::ok)
    return fail(ErrorCode::refused, "the controller refused: " + words_of(answer));
  const auto json = parse_json(answer.body(), "the controller's answer");
  const auto credentials = json ? join::parse_credentials(*json)
                                : Result<join::Credentials>(std::unexpected(json.error()));
  if (!credentials) return fail(ErrorCode::corrupt, describe(credentials.error()));
  return credentials;
}

}  // namespace

Result<join::Credentials> ask_to_join(const JoinTarget& target, const join::Request& request) {
  auto tls = make_joining_context(target.pin);
  if (!tls) return std::unexpected(tls.error());
  asio::io_context io{1};
  TlsStream stream{io, *tls};
  std::optional<Result<Answer>> answer;
  asio::co_spawn(io, ask(stream, target, request),
                 [&answer](const std::exception_ptr& failed, Result<Answer> got) {
                   if (failed) answer = fail(ErrorCode::internal, "out of memory");
                   else answer = std::move(got);
                 });
  io.run();
  if (!answer) return fail(ErrorCode::internal, "joining ended without an answer");
  if (!*answer) return std::unexpected(answer->error());
  return read_answer(**answer);
}

}  // namespace firedrill::agent
