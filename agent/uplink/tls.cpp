#include "agent/uplink/tls.hpp"

#include <memory>

#include <boost/asio/ip/address.hpp>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "agent/uplink/identity.hpp"

namespace firedrill::agent {
namespace {

namespace ssl = boost::asio::ssl;

constexpr std::string_view kControllerRole = "controller";

/// OpenSSL asks this in place of its own verification, which it then does with one authority only:
/// the pinned one, if the server shows it.
int verify_pinned(X509_STORE_CTX* context, void* pin) {
  STACK_OF(X509)* shown = X509_STORE_CTX_get0_untrusted(context);
  X509* pinned = nullptr;
  for (int i = 0; i < sk_X509_num(shown); ++i) {
    X509* one = sk_X509_value(shown, i);
    if (X509_check_ca(one) == 1 && pin_of(one) == *static_cast<const std::string*>(pin))
      pinned = one;
  }
  STACK_OF(X509)* trusted = sk_X509_new_null();
  int verified = 0;
  if (pinned != nullptr && trusted != nullptr && sk_X509_push(trusted, pinned) > 0) {
    X509_STORE_CTX_set0_trusted_stack(context, trusted);
    verified = X509_verify_cert(context);
  } else {
    X509_STORE_CTX_set_error(context, X509_V_ERR_APPLICATION_VERIFICATION);
  }
  sk_X509_free(trusted);
  return verified;
}

void set_common_options(SSL_CTX* native) {
  SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // an idle link holds no record buffers
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
}

Result<void> checked(const boost::system::error_code& error, std::string_view what,
                     const std::filesystem::path& file) {
  if (!error) return {};
  return fail(ErrorCode::invalid_input,
              std::string{what} + " '" + file.string() + "': " + error.message());
}

}  // namespace

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

Result<ssl::context> make_client_context(const UplinkConfig& config) {
  if (auto settled = settle({config.ca, config.certificate, config.key}); !settled)
    return std::unexpected(settled.error());
  ssl::context context{ssl::context::tls_client};
  set_common_options(context.native_handle());
  boost::system::error_code error;
  context.use_certificate_chain_file(config.certificate.string(), error);
  if (auto ok = checked(error, "the agent's certificate", config.certificate); !ok)
    return std::unexpected(ok.error());
  context.use_private_key_file(config.key.string(), ssl::context::pem, error);
  if (auto ok = checked(error, "the agent's key", config.key); !ok)
    return std::unexpected(ok.error());
  context.load_verify_file(config.ca.string(), error);
  if (auto ok = checked(error, "the authority", config.ca); !ok) return std::unexpected(ok.error());
  return context;
}

Result<ssl::context> make_joining_context(const std::string& pin) {
  ssl::context context{ssl::context::tls_client};
  set_common_options(context.native_handle());
  SSL_CTX_set_cert_verify_callback(context.native_handle(), verify_pinned,
                                   const_cast<std::string*>(&pin));
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
  if (const std::string role = subject_entry(certificate.get(), NID_organizationalUnitName);
      role != kControllerRole)
    return fail(ErrorCode::refused,
                "the server's certificate has the role '" + role + "', not 'controller'");
  return {};
}

std::string controller_name(SSL* native) {
  const std::unique_ptr<X509, decltype(&X509_free)> certificate{SSL_get1_peer_certificate(native),
                                                                &X509_free};
  return certificate ? subject_entry(certificate.get(), NID_commonName) : std::string{};
}

std::string handshake_reason(SSL* native, const std::string& fallback) {
  const long verified = SSL_get_verify_result(native);
  if (verified == X509_V_OK) return "TLS: " + fallback;
  if (verified == X509_V_ERR_APPLICATION_VERIFICATION)
    return "TLS: the server is not of the authority that the token names";
  return std::string{"TLS: the server's certificate: "} + X509_verify_cert_error_string(verified);
}

}  // namespace firedrill::agent
