#include "agent/uplink/tls.hpp"

#include <memory>

#include <boost/asio/ip/address.hpp>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace firedrill::agent {
namespace {

namespace ssl = boost::asio::ssl;

constexpr std::string_view kControllerRole = "controller";

std::string role_of(X509* certificate) {
  X509_NAME* name = X509_get_subject_name(certificate);
  int last = -1;
  for (int at = X509_NAME_get_index_by_NID(name, NID_organizationalUnitName, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(name, NID_organizationalUnitName, at))
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

Result<ssl::context> make_client_context(const UplinkConfig& config) {
  ssl::context context{ssl::context::tls_client};
  SSL_CTX* native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // an idle link holds no record buffers
  boost::system::error_code error;
  context.use_certificate_chain_file(config.certificate.string(), error);
  if (auto ok = checked(error, "the agent's certificate", config.certificate); !ok)
    return std::unexpected(ok.error());
  context.use_private_key_file(config.key.string(), ssl::context::pem, error);
  if (auto ok = checked(error, "the agent's key", config.key); !ok)
    return std::unexpected(ok.error());
  context.load_verify_file(config.ca.string(), error);
  if (auto ok = checked(error, "the authority", config.ca); !ok) return std::unexpected(ok.error());
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  return context;
}

Result<void> expect_server(SSL* native, const std::string& server_name) {
  // Wildcards have no place between two programs that know each other's name.
  SSL_set_hostflags(native, X509_CHECK_FLAG_NO_WILDCARDS);
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(server_name, not_an_address);
  // RFC 6066 allows no addresses in the server name that is sent.
  const bool sent = !not_an_address || SSL_set_tlsext_host_name(native, server_name.c_str()) == 1;
  if (!sent || SSL_set1_host(native, server_name.c_str()) != 1)
    return fail(ErrorCode::internal, "TLS does not take '" + server_name + "' as a server's name");
  return {};
}

Result<void> check_controller(SSL* native) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate{SSL_get1_peer_certificate(native),
                                                                &X509_free};
  if (!certificate || SSL_get_verify_result(native) != X509_V_OK)
    return fail(ErrorCode::refused, "the server's certificate was not verified");
  if (const std::string role = role_of(certificate.get()); role != kControllerRole)
    return fail(ErrorCode::refused,
                "the server's certificate has the role '" + role + "', not 'controller'");
  return {};
}

std::string controller_name(SSL* native) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate{SSL_get1_peer_certificate(native),
                                                                &X509_free};
  if (!certificate) return {};
  char name[256] = {};
  const int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()),
                                               NID_commonName, name, sizeof name);
  return length > 0 ? std::string(name, static_cast<std::size_t>(length)) : std::string{};
}

std::string handshake_reason(SSL* native, const std::string& fallback) {
  const long verified = SSL_get_verify_result(native);
  if (verified == X509_V_OK) return "TLS: " + fallback;
  return std::string{"TLS: the server's certificate: "} + X509_verify_cert_error_string(verified);
}

}  // namespace firedrill::agent
