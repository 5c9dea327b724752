// Keys and certificates over the OpenSSL 3 API: make, sign, read, write as PEM text. It takes and
// gives values; it touches no file and decides no policy (pki.cpp does).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "firedrill/result.hpp"
#include "firedrill/units.hpp"

namespace firedrill::pki {

struct OpenSslDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, OpenSslDeleter>;
using CertificatePtr = std::unique_ptr<X509, OpenSslDeleter>;

/// What a certificate shall say. Subject: O = Firedrill, OU = role, CN = name.
struct CertificateSpec {
  std::string name;
  std::string role;
  bool authority = false;                   ///< CA:TRUE with path length 0, keyCertSign and cRLSign
  bool server = false;                      ///< extendedKeyUsage serverAuth
  bool client = false;                      ///< extendedKeyUsage clientAuth
  std::vector<std::string> alt_names = {};  ///< as OpenSSL writes them: "DNS:x", "IP:127.0.0.1"
  UtcTime not_before{}, not_after{};
};

/// A new ECDSA P-256 key. @errors internal  OpenSSL refused; its words are in the text
[[nodiscard]] Result<KeyPtr> make_key();

/// Signs `spec` for `key` with a random 127-bit serial number. `issuer` null: self-signed by
/// `issuer_key`, which is then `key` itself. @errors internal
[[nodiscard]] Result<CertificatePtr> sign(const CertificateSpec& spec, EVP_PKEY* key, X509* issuer,
                                          EVP_PKEY* issuer_key);

[[nodiscard]] Result<std::string> to_pem(EVP_PKEY* key);  ///< PKCS #8, not encrypted
[[nodiscard]] Result<std::string> to_pem(X509* certificate);
/// @errors corrupt  the text is not a certificate, or not a key
[[nodiscard]] Result<CertificatePtr> certificate_from_pem(std::string_view pem);
[[nodiscard]] Result<KeyPtr> key_from_pem(std::string_view pem);
/// Every certificate of a bundle, at least one.
[[nodiscard]] Result<std::vector<CertificatePtr>> certificates_from_pem(std::string_view pem);
[[nodiscard]] bool belong_together(X509* certificate, EVP_PKEY* key);

/// The key that a PKCS #10 request (PEM) asks to have signed. Nothing else of it is used.
/// @errors invalid_input  not a request, not signed by its own key, or not an ECDSA P-256 key
[[nodiscard]] Result<KeyPtr> key_of_request(std::string_view pem);

/// The last CN (`nid` NID_commonName) or OU (NID_organizationalUnitName) of the subject, or empty.
[[nodiscard]] std::string subject_entry(X509* certificate, int nid);
/// SHA-256 of the DER form, lower-case hex. @errors internal
[[nodiscard]] Result<std::string> fingerprint(X509* certificate);
/// The serial number, lower-case hex of an even number of digits. @errors internal
[[nodiscard]] Result<std::string> serial_of(X509* certificate);
/// SHA-256 of the SubjectPublicKeyInfo in DER (RFC 7469, 2.4), lower-case hex. @errors internal
[[nodiscard]] Result<std::string> pin_of(X509* certificate);
/// @errors corrupt  the certificate's times cannot be read
[[nodiscard]] Result<UtcTime> not_before(X509* certificate);
[[nodiscard]] Result<UtcTime> not_after(X509* certificate);

/// SHA-256, lower-case hex. @errors internal
[[nodiscard]] Result<std::string> sha256_hex(std::string_view bytes);
/// `count` random bytes as lower-case hex. @errors internal
[[nodiscard]] Result<std::string> random_hex(std::size_t count);

}  // namespace firedrill::pki
