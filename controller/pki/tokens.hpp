// Join tokens, and what a token or a certificate buys: the signing of agents' keys. Only the hash
// of a token's secret is kept.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "controller/pki/pki.hpp"
#include "firedrill/join.hpp"

namespace firedrill::pki {

struct TokenOptions {
  std::string host = {};  ///< the only host it is good for; empty: any new one
  std::map<std::string, std::string> tags = {};  ///< what the agent's first configuration shall say
  Duration ttl = std::chrono::minutes{15};       ///< 1 s .. 7 days
  Duration lifetime = std::chrono::days{30};  ///< of the certificates it leads to: 1 h .. 730 days
};

/// Makes a token that is good once. Its pin is of the authority that signed the controller's
/// certificate. @errors invalid_input, not_found (no authority)
[[nodiscard]] Result<join::Token> make_token(const std::filesystem::path& dir,
                                             const TokenOptions& options, UtcTime at);

/// Deletes the unused tokens made for `host`.
[[nodiscard]] Result<void> withdraw_tokens(const std::filesystem::path& dir, std::string_view host);

/// Takes the request's token and signs its key. A token for one host revokes what that host had
/// before; one for any host gives no name that has a valid certificate.
///
/// @errors refused        no such token; used already; expired: each says which
///         conflict       the name is taken
///         invalid_input  the request; its token is not used up
[[nodiscard]] Result<join::Credentials> admit(const std::filesystem::path& dir,
                                              const join::Request& request, UtcTime at);

/// A new certificate for an agent that showed the one with `serial`; it lives as long as that one
/// was meant to. The old one stays valid until it expires.
///
/// @errors refused        the old one was revoked, or is none of ours
///         conflict       sixteen certificates of that name are valid already
///         invalid_input  the CSR
[[nodiscard]] Result<join::Credentials> renew_agent(const std::filesystem::path& dir,
                                                    std::string_view name, std::string_view serial,
                                                    std::string_view csr, UtcTime at);

}  // namespace firedrill::pki
