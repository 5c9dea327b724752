#include "controller/fleet/tls.hpp"

#include <memory>

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

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
          subject_entry(certificate.get(), NID_organizationalUnitName)};
}

bool same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace firedrill
