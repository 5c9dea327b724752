// What this host is known by: its key, its certificate, and the authorities it trusts. It makes
// keys and requests, checks what a controller signed, and replaces the files. It opens no socket.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "firedrill/join.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent {

struct IdentityFiles {
  std::filesystem::path ca, certificate, key;
};

/// PEM. The key never leaves this host.
struct KeyAndRequest {
  std::string key, csr;
};
/// A new ECDSA P-256 key, and a request for a certificate signed by it. @errors internal
[[nodiscard]] Result<KeyAndRequest> make_request(std::string_view name);

/// That the certificate is for this key, for an agent of the name it came with, and signed by one
/// of the authorities it came with; and, unless `pin` is empty, that one of those has the pin.
/// @errors refused  it is not, and why
[[nodiscard]] Result<void> check_credentials(const join::Credentials& credentials,
                                             std::string_view key, std::string_view pin);

/// Replaces the three files so that a crash at any point leaves some that work. Blocks for fsyncs.
/// @errors io_failed, permission_denied
[[nodiscard]] Result<void> install(const IdentityFiles& files, const join::Credentials& credentials,
                                   std::string_view key);
/// Ends an install() that was cut short; before the files are used.
[[nodiscard]] Result<void> settle(const IdentityFiles& files);

/// What the certificate of this host says.
struct Standing {
  std::string name;
  UtcTime from{}, to{};
};
/// @errors not_found, permission_denied  as the file;  corrupt  it is no certificate
[[nodiscard]] Result<Standing> read_standing(const std::filesystem::path& certificate);
/// When two thirds of the certificate's time are over.
[[nodiscard]] UtcTime renewal_due(const Standing& standing);

/// SHA-256 of the authorities' file, lower-case hex; empty when it cannot be read.
[[nodiscard]] std::string authority_digest(const std::filesystem::path& ca);
/// SHA-256 of the SubjectPublicKeyInfo in DER, lower-case hex; empty when there is no memory.
[[nodiscard]] std::string pin_of(X509* certificate);

}  // namespace firedrill::agent
