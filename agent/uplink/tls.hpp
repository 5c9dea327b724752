// TLS of the agent's link: TLS 1.3, our own authority only, and a peer that is the controller.
#pragma once

#include <string>

#include <boost/asio/ssl/context.hpp>

#include "agent/uplink/uplink.hpp"

namespace firedrill::agent {

/// @errors invalid_input  a file cannot be used, and why
[[nodiscard]] Result<boost::asio::ssl::context> make_client_context(const UplinkConfig& config);

/// The common name in the peer's certificate; empty before the handshake.
[[nodiscard]] std::string controller_name(SSL* ssl);
/// A context for a host that has no certificate yet: any server whose certificate was signed, in
/// the chain that it shows, by the authority with this pin. `pin` must outlive the context.
[[nodiscard]] Result<boost::asio::ssl::context> make_joining_context(const std::string& pin);

/// The last entry of that kind in the subject, or empty.
[[nodiscard]] std::string subject_entry(X509* certificate, int nid);

/// Before the handshake: the name that the certificate must carry. @errors internal
[[nodiscard]] Result<void> expect_server(SSL* ssl, const std::string& server_name);

/// After the handshake: the peer's role is controller. @errors refused
[[nodiscard]] Result<void> check_controller(SSL* ssl);

/// Why the handshake failed: the certificate's fault when it was that, else `fallback`.
[[nodiscard]] std::string handshake_reason(SSL* ssl, const std::string& fallback);

}  // namespace firedrill::agent
