// How a host joins and keeps its certificate: the token that a person carries to it, and the
// messages in which it asks for a certificate and gets one. Text and JSON only; no cryptography.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "firedrill/json.hpp"

namespace firedrill::join {

/// Where a host without a certificate asks for its first: POST JoinRequest → Credentials.
inline constexpr std::string_view kPath = "/api/v1/join";
/// agent → controller over its link, {"csr"} → Credentials: a certificate in place of its own.
inline constexpr std::string_view kCertificateMethod = "certificate";
/// controller → agent, a notification {"authority"}: the authorities were changed meanwhile.
inline constexpr std::string_view kAuthorityMethod = "authority";
/// In it, and in the answer to hello: SHA-256 (hex) of the ca.pem that agents should hold.
inline constexpr std::string_view kAuthorityKey = "authority";
inline constexpr std::size_t kMaxRequestBytes = 16 * 1024;

/// "fd1.SECRET.PIN": 32 and 64 lower-case hex digits. The secret is used once and shown to nobody
/// but the server that the pin names.
struct Token {
  std::string secret;
  std::string pin;  ///< SHA-256 of the SubjectPublicKeyInfo of the controller's authority
  bool operator==(const Token&) const = default;
};
[[nodiscard]] std::string to_string(const Token& token);
/// @errors invalid_input  says what is wrong, and never repeats the secret
[[nodiscard]] Result<Token> parse_token(std::string_view text);

/// [A-Za-z0-9.-]{1,64}: what a certificate's CN and a host's name in hello may be.
[[nodiscard]] bool valid_name(std::string_view name);

struct Request {
  std::string secret;
  std::string name;  ///< the host's own name; a token made for one host overrules it
  std::string csr;   ///< PKCS #10, PEM; only its key counts, and its proof that the sender has it
};

struct Credentials {
  std::string name;
  std::map<std::string, std::string> tags;  ///< what the token said; empty at a renewal
  std::string certificate, ca;              ///< PEM; `ca` may hold two authorities
};

[[nodiscard]] Json to_json(const Request& request);
[[nodiscard]] Json to_json(const Credentials& credentials);
/// @errors invalid_input with a pointer: members missing or unknown, no name, a CSR above 4 KiB
[[nodiscard]] Result<Request> parse_request(const Json& json);
[[nodiscard]] Result<std::string> parse_renewal(const Json& json);  ///< the CSR of {"csr"}
[[nodiscard]] Result<Credentials> parse_credentials(const Json& json);

}  // namespace firedrill::join
