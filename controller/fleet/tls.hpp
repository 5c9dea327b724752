// TLS of the controller's listener: TLS 1.3 only, our own authority only. Takes files, gives a
// context; reads who the peer is from a finished handshake.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include <boost/asio/ssl/context.hpp>

#include "controller/fleet/server.hpp"

namespace firedrill {

/// A client certificate is asked for and verified, but not demanded: browsers and webhooks have
/// none, and the handler decides by role. @errors invalid_input  a file cannot be used, and why
[[nodiscard]] Result<boost::asio::ssl::context> make_server_context(const FleetConfig& config);

/// Who a finished handshake was with.
[[nodiscard]] TlsPeer peer_of(SSL* ssl);

/// What a handshake asks for each certificate of the peer's chain; `verified` is OpenSSL's own
/// word. Refuses the peer's own when its serial number is in `revoked`. When it refuses, or OpenSSL
/// did, `why` names the certificate and the reason.
[[nodiscard]] bool accept_certificate(bool verified, X509_STORE_CTX* context,
                                      const std::set<std::string>& revoked, std::string& why);

/// SHA-256 of the authorities' file, lower-case hex; empty when it cannot be read.
[[nodiscard]] std::string authority_digest(const FleetConfig& config);

/// Takes the same time wherever the two differ.
[[nodiscard]] bool same_secret(std::string_view one, std::string_view other);

}  // namespace firedrill
