// TLS of the controller's listener: TLS 1.3 only, our own authority only. Takes files, gives a
// context; reads who the peer is from a finished handshake.
#pragma once

#include <string>
#include <string_view>

#include <boost/asio/ssl/context.hpp>

#include "controller/fleet/fleet.hpp"

namespace firedrill {

/// Who is on the other side: CN and OU of the verified client certificate; empty without one.
struct TlsPeer {
  std::string name, role;
};

/// A client certificate is asked for and verified, but not demanded: browsers and webhooks have
/// none, and the handler decides by role. @errors invalid_input  a file cannot be used, and why
[[nodiscard]] Result<boost::asio::ssl::context> make_server_context(const FleetConfig& config);

[[nodiscard]] TlsPeer peer_of(SSL* ssl);

/// Takes the same time wherever the two differ.
[[nodiscard]] bool same_secret(std::string_view one, std::string_view other);

}  // namespace firedrill
