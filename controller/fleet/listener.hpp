// The controller's listening socket and the options of those it accepts. Knows no TLS and no HTTP.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "controller/fleet/fleet.hpp"

namespace firedrill {

/// Binds and listens as `config` says. @errors as Fleet::start
[[nodiscard]] Result<void> open_listener(boost::asio::ip::tcp::acceptor& acceptor,
                                         const FleetConfig& config);

/// What makes a connection quick, and its death known. Failing to set them does no harm.
void set_options(boost::asio::ip::tcp::socket& socket);

}  // namespace firedrill
