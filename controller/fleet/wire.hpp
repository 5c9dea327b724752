// An agent's WebSocket over Beast. Internal to the fleet: include it from server.cpp and wire.cpp.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "controller/fleet/server.hpp"

namespace firedrill {

using TlsStream = boost::asio::ssl::stream<boost::beast::tcp_stream>;
/// Shared, because the WebSocket's last handlers may outlive the coroutine that served it.
using StreamPtr = std::shared_ptr<TlsStream>;
using HttpStringRequest = boost::beast::http::request<boost::beast::http::string_body>;

/// Upgrades `stream` in answer to `request`, then reads until the link ends. The hooks are called
/// in this order: opened, any number of messages, closed.
boost::asio::awaitable<void> serve_agent(StreamPtr stream, HttpStringRequest request,
                                         const FleetConfig& config, const ServerHooks& hooks,
                                         TlsPeer peer, std::string remote_address);

}  // namespace firedrill
