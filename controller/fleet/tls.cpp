#include "controller/fleet/tls.hpp"

#include <array>
#include <memory>
#include <span>
#include <vector>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "firedrill/files.hpp"

namespace firedrill {
namespace {

namespace ssl = boost::asio::ssl;

std::string subject_entry(X509* certificate, int nid) {
  X509_NAME* name = X509_get_subject_name(certificate);
  int last = -1;
  for (int at = X509_NAME_get_index_by_NID(name, nid, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(name, nid, at))
    last = at;
  if (last < 0) return {};
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
          static_cast<std::size_t>(ASN1_STRING_length(value))};
}

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

std::string serial_of(const X509* certificate) {
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number{
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr), &BN_free};
  if (!number) return {};
  std::vector<unsigned char> bytes(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), bytes.data());
  return hex(bytes);
}

Result<void> checked(const boost::system::error_code& error, std::string_view what,
                     const std::filesystem::path& file) {
  if (!error) return {};
  return fail(ErrorCode::invalid_input,
              std::string{what} + " '" + file.string() + "': " + error.message());
}

}  // namespace

Result<ssl::context> make_server_context(const FleetConfig& config) {
  ssl::context context{ssl::context::tls_server};
  SSL_CTX* native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
  // No resumption: every connection shows its certificate anew, and an idle link costs less memory.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(native, 0);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  boost::system::error_code error;
  context.use_certificate_chain_file(config.certificate.string(), error);
  if (auto ok = checked(error, "the controller's certificate", config.certificate); !ok)
    return std::unexpected(ok.error());
  // Asio reports a key that does not belong to the certificate here.
  context.use_private_key_file(config.key.string(), ssl::context::pem, error);
  if (auto ok = checked(error, "the controller's key", config.key); !ok)
    return std::unexpected(ok.error());
  context.load_verify_file(config.ca.string(), error);
  if (auto ok = checked(error, "the authority", config.ca); !ok) return std::unexpected(ok.error());
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  // Browsers offer only certificates that one of these authorities issued.
  SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(config.ca.c_str()));
  return context;
}

TlsPeer peer_of(SSL* ssl) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate{SSL_get1_peer_certificate(ssl),
                                                                &X509_free};
  // Verification ran in the handshake; the check is repeated so that no later change of the
  // verify mode can make an unverified name count.
  if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK) return {};
  return {subject_entry(certificate.get(), NID_commonName),
          subject_entry(certificate.get(), NID_organizationalUnitName),
          serial_of(certificate.get())};
}

bool accept_certificate(bool verified, X509_STORE_CTX* context,
                        const std::set<std::string>& revoked, std::string& why) {
  X509* certificate = X509_STORE_CTX_get_current_cert(context);
  const bool own = X509_STORE_CTX_get_error_depth(context) == 0;
  if (verified && (!own || certificate == nullptr || !revoked.contains(serial_of(certificate))))
    return true;
  if (verified) X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_REVOKED);
  why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  if (certificate != nullptr)
    why += " ('" + subject_entry(certificate, NID_commonName) + "', serial number " +
           serial_of(certificate) + ")";
  return false;
}

std::string authority_digest(const FleetConfig& config) {
  const auto text = read_file(config.ca);
  if (!text) return {};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text->data(), text->size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    return {};
  return hex(std::span{digest}.first(size));
}

bool same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace firedrill
