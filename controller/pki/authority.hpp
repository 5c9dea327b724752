// The authority's files, for the other sources of this room: reading and replacing pairs, signing,
// and the record of everything signed. One writer at a time holds the Lock.
//
//   DIR/ca.pem, ca.key          the authority; during a change-over ca.pem ends with the old one
//   DIR/controller.*, operator.*
//   DIR/issued/NAME-ROLE-FINGERPRINT.pem   a copy of every certificate, never of its key
//   DIR/revoked/SERIAL          JSON: which certificate, why and when
//   DIR/tokens/, spent/         join tokens by the hash of their secret
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/pki/pki.hpp"
#include "controller/pki/x509.hpp"

namespace firedrill::pki {

struct Pair {
  KeyPtr key;
  CertificatePtr certificate;
};

struct Authority {
  Pair current;                         ///< signs
  std::vector<CertificatePtr> trusted;  ///< current first; one more during a change-over
  std::string bundle;                   ///< ca.pem, as agents get it
};

/// Held while something in the directory changes, by one process and thread at a time.
class Lock {
 public:
  /// Waits for the other writer. @errors io_failed, permission_denied
  [[nodiscard]] static Result<Lock> take(const std::filesystem::path& dir);
  Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock();

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};

[[nodiscard]] UtcTime now();
[[nodiscard]] CertificateSpec spec_for(std::string_view name, std::string_view role,
                                       Duration lifetime, UtcTime at);
/// How long the certificate was meant to live when it was signed, its backdating left out.
[[nodiscard]] Duration lifetime_of(const Certificate& certificate);

/// Both files there: true; none: false. Ends a replacement that was cut short; so does read_pair(),
/// and both are for whoever holds the Lock. @errors corrupt  one of them
[[nodiscard]] Result<bool> pair_exists(const Identity& files);
/// @errors corrupt  they do not belong together
[[nodiscard]] Result<Pair> read_pair(const Identity& files);
/// A new key and certificate; `authority` null: self-signed.
[[nodiscard]] Result<Pair> make_pair(const CertificateSpec& spec, const Pair* authority);

[[nodiscard]] Identity authority_files(const std::filesystem::path& dir);
/// @errors not_found  `dir` holds no authority
[[nodiscard]] Result<Authority> read_authority(const std::filesystem::path& dir);

/// `current` becomes the authority that signs; `others` (PEM) stay trusted beside it.
[[nodiscard]] Result<void> write_authority(const std::filesystem::path& dir, const Pair& current,
                                           std::string_view others);

/// Signs for `key` and keeps a copy, before anybody gets it. Under the Lock. Copies of the same
/// name and role that expired a month ago go.
[[nodiscard]] Result<CertificatePtr> sign_and_record(const std::filesystem::path& dir,
                                                     const Authority& authority,
                                                     const CertificateSpec& spec, EVP_PKEY* key);
/// As sign_and_record() with a new key; replaces what `files` name.
[[nodiscard]] Result<void> issue_pair(const std::filesystem::path& dir, const Authority& authority,
                                      const CertificateSpec& spec, const Identity& files);

/// Every certificate that was issued and not forgotten, by name, with its state. Those that
/// `current` did not sign are marked as the old authority's. With a name and a role: only those,
/// which is quick however many there are.
[[nodiscard]] Result<std::vector<Certificate>> issued(const std::filesystem::path& dir,
                                                      X509* current, std::string_view name = {},
                                                      std::string_view role = {});
[[nodiscard]] Result<Certificate> inspect(X509* certificate);

/// Marks a certificate revoked, durably. Under the Lock.
[[nodiscard]] Result<void> record_revocation(const std::filesystem::path& dir,
                                             const Certificate& certificate,
                                             std::string_view reason, UtcTime at);

/// The names in a folder, empty when there is no such folder. @errors io_failed
[[nodiscard]] Result<std::vector<std::string>> names_in(const std::filesystem::path& folder);

}  // namespace firedrill::pki
