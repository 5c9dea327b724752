// The controller's own small certificate authority (OpenSSL 3, ECDSA P-256). It takes a directory
// and gives files in it. It opens no socket, and it never replaces a key that exists: a lost or
// half-written pair is refused, because a silent new authority would lock every agent out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/result.hpp"
#include "firedrill/units.hpp"

namespace firedrill::pki {

/// The role is kept in the certificate's OU, the name in its CN. Files are named after the role.
inline constexpr std::string_view kRoleController = "controller";  ///< serverAuth
inline constexpr std::string_view kRoleAgent = "agent";            ///< clientAuth; name = host
inline constexpr std::string_view kRoleOperator = "operator";      ///< clientAuth; the REST API

inline constexpr std::string_view kRoleAuthority = "ca";

/// The name that every controller certificate carries, and that agents and the CLI verify.
inline constexpr std::string_view kControllerName = "firedrill-controller";

/// What one end of a TLS connection needs. The key is mode 0600.
struct Identity {
  std::filesystem::path ca, certificate, key;
};

/// Where `role` keeps its files inside `dir`. Touches nothing.
[[nodiscard]] Identity files_of(const std::filesystem::path& dir, std::string_view role);

/// The same, once a replacement that a crash cut short was ended and the pair checked.
/// @errors not_found  there is none: call init first;  corrupt  the two do not belong together
[[nodiscard]] Result<Identity> ready_files(const std::filesystem::path& dir, std::string_view role);

/// Creates what is missing in `dir` (made 0700): ca.pem and ca.key (10 years), controller.pem/.key
/// (SAN DNS:firedrill-controller, DNS:localhost, IP:127.0.0.1), operator.pem/.key (both 2 years)
/// and webhook.token (64 hex digits). Idempotent: what exists is checked and left alone.
///
/// @errors corrupt    half of a pair is missing, or a certificate and its key do not match
///         io_failed, permission_denied  a file could not be written
[[nodiscard]] Result<void> init(const std::filesystem::path& dir);

/// Issues a certificate for `name` and writes ca.pem, ROLE.pem and ROLE.key into `out_dir` (made
/// 0700). Valid for 2 years, from a day ago, so that a host whose clock is slow can start. A copy
/// of the certificate, never of the key, stays in `dir`/issued for describe().
///
/// @param name  [A-Za-z0-9.-]{1,64}; for an agent the host's name as it will say it in hello
/// @param role  controller, agent or operator; a controller also gets `name` as a SAN
/// @errors invalid_input   name or role
///         not_found       `dir` holds no authority: call init first
///         already_exists  `out_dir` holds a key for that role
///         conflict        `out_dir` holds the ca.pem of another authority
[[nodiscard]] Result<void> issue(const std::filesystem::path& dir, std::string_view name,
                                 std::string_view role, const std::filesystem::path& out_dir);

enum class CertificateState : std::uint8_t { valid, expired, revoked };
[[nodiscard]] std::string_view to_string(CertificateState state);

/// One certificate, as `firedrill pki list` prints it.
struct Certificate {
  std::string name;
  std::string role;  ///< "ca" for the authority itself
  UtcTime not_before{}, not_after{};
  std::string fingerprint;  ///< SHA-256 of the DER form, lower-case hex, 64 digits
  std::string serial;       ///< lower-case hex
  CertificateState state = CertificateState::valid;
  std::string reason;          ///< why it was revoked, or empty
  bool old_authority = false;  ///< signed by the authority that a change-over will drop
};

/// The authority first (during a change-over the old one after it), then everything it issued, by
/// name. Reads files only.
/// @errors not_found  `dir` holds no authority;  corrupt  a file is not a certificate
[[nodiscard]] Result<std::vector<Certificate>> describe(const std::filesystem::path& dir);

/// The hosts whose agent has a certificate that is valid now.
[[nodiscard]] std::set<std::string> agent_names(const std::filesystem::path& dir);

/// New keys and certificates for the controller and the operator of `dir`, for two years; those of
/// before are revoked. A running controller takes them within a second.
/// @errors conflict  during a change-over: these agents would not know the new authority yet
[[nodiscard]] Result<void> renew(const std::filesystem::path& dir);

/// The bearer token that alert webhooks must send. @errors not_found, corrupt
[[nodiscard]] Result<std::string> webhook_token(const std::filesystem::path& dir);

}  // namespace firedrill::pki
