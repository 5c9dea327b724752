#include "agent/uplink/identity.hpp"

#include <array>
#include <ctime>
#include <memory>
#include <span>
#include <vector>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "agent/uplink/tls.hpp"
#include "firedrill/files.hpp"

namespace firedrill::agent {
namespace {

constexpr std::string_view kAgentRole = "agent";
constexpr mode_t kPublic = 0644;

struct Deleter {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_REQ* request) const { X509_REQ_free(request); }
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};
template <class T>
using Owned = std::unique_ptr<T, Deleter>;

std::unexpected<Error> openssl_error(std::string_view what) {
  std::array<char, 256> text{};
  const unsigned long number = ERR_get_error();
  if (number != 0) ERR_error_string_n(number, text.data(), text.size());
  ERR_clear_error();
  return fail(ErrorCode::internal, std::string{what} + ": " + text.data());
}

Owned<BIO> reader_of(std::string_view text) {
  return Owned<BIO>{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

std::vector<Owned<X509>> certificates_of(std::string_view pem) {
  std::vector<Owned<X509>> all;
  const auto bio = reader_of(pem);
  while (bio) {
    Owned<X509> one{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
    if (!one) break;
    all.push_back(std::move(one));
  }
  ERR_clear_error();  // the end of the text is reported like an error
  return all;
}

Owned<EVP_PKEY> key_of(std::string_view pem) {
  const auto bio = reader_of(pem);
  // An empty pass phrase keeps OpenSSL from asking on the terminal for an encrypted key.
  std::string no_pass_phrase;
  Owned<EVP_PKEY> key{
      bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, no_pass_phrase.data()) : nullptr};
  ERR_clear_error();
  return key;
}

bool belong_together(std::string_view certificate, std::string_view key_pem) {
  const auto certificates = certificates_of(certificate);
  const auto key = key_of(key_pem);
  return !certificates.empty() && key &&
         EVP_PKEY_eq(X509_get0_pubkey(certificates.front().get()), key.get()) == 1;
}

template <class Write>
std::string written(Write write) {
  const Owned<BIO> bio{BIO_new(BIO_s_mem())};
  if (!bio || write(bio.get()) != 1) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string digest_of(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    return {};
  std::string hex;
  for (const unsigned char byte : std::span{digest}.first(size)) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

Result<void> check_chain(X509* certificate, const std::vector<Owned<X509>>& authorities) {
  const Owned<X509_STORE> store{X509_STORE_new()};
  const Owned<X509_STORE_CTX> context{X509_STORE_CTX_new()};
  if (!store || !context) return openssl_error("checking a certificate");
  for (const auto& one : authorities) X509_STORE_add_cert(store.get(), one.get());
  if (X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr) != 1)
    return openssl_error("checking a certificate");
  X509_STORE_CTX_set_purpose(context.get(), X509_PURPOSE_SSL_CLIENT);
  if (X509_verify_cert(context.get()) == 1) return {};
  const int why = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  return fail(ErrorCode::refused, std::string{"the certificate that the controller signed: "} +
                                      X509_verify_cert_error_string(why));
}

Result<UtcTime> time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1)
    return fail(ErrorCode::corrupt, "a certificate's time cannot be read");
  return from_micros(static_cast<std::int64_t>(timegm(&parts)) * 1'000'000);
}

}  // namespace

Result<KeyAndRequest> make_request(std::string_view name) {
  const Owned<EVP_PKEY> key{EVP_EC_gen("P-256")};
  const Owned<X509_REQ> request{X509_REQ_new()};
  if (!key || !request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1)
    return openssl_error("making a key");
  X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  const auto* bytes = reinterpret_cast<const unsigned char*>(name.data());
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, bytes, static_cast<int>(name.size()),
                                 -1, 0) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0)
    return openssl_error("making a certificate request for '" + std::string{name} + "'");
  KeyAndRequest out;
  out.key = written([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  out.csr = written([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request.get()); });
  if (out.key.empty() || out.csr.empty()) return openssl_error("writing a key");
  return out;
}

Result<void> check_credentials(const join::Credentials& credentials, std::string_view key,
                               std::string_view pin) {
  const auto certificates = certificates_of(credentials.certificate);
  const auto authorities = certificates_of(credentials.ca);
  if (certificates.empty() || authorities.empty())
    return fail(ErrorCode::refused, "the controller's answer holds no certificate");
  X509* certificate = certificates.front().get();
  if (!belong_together(credentials.certificate, key))
    return fail(ErrorCode::refused, "the controller signed another key than ours");
  if (subject_entry(certificate, NID_organizationalUnitName) != kAgentRole)
    return fail(ErrorCode::refused, "the controller's certificate for us is not an agent's");
  if (subject_entry(certificate, NID_commonName) != credentials.name)
    return fail(ErrorCode::refused, "the controller's certificate for us bears another name");
  bool pinned = pin.empty();
  for (const auto& one : authorities) pinned |= pin_of(one.get()) == pin;
  if (!pinned)
    return fail(ErrorCode::refused, "the authority that came back is not the one of the token");
  return check_chain(certificate, authorities);
}

Result<void> install(const IdentityFiles& files, const join::Credentials& credentials,
                     std::string_view key) {
  // First: what we trust from now on includes whoever signed the certificate that we have.
  if (read_file(files.ca).value_or("") != credentials.ca)
    if (auto done = write_file(files.ca, credentials.ca, kPublic); !done) return done;
  return replace_pair(files.certificate, credentials.certificate, files.key, key);
}

Result<void> settle(const IdentityFiles& files) {
  return settle_pair(files.certificate, files.key, belong_together);
}

Result<Standing> read_standing(const std::filesystem::path& certificate) {
  const auto pem = read_file(certificate);
  if (!pem) return std::unexpected(pem.error());
  const auto certificates = certificates_of(*pem);
  if (certificates.empty())
    return fail(ErrorCode::corrupt, "'" + certificate.string() + "' is not a PEM certificate");
  X509* ours = certificates.front().get();
  const auto from = time_of(X509_get0_notBefore(ours));
  if (!from) return with_context(from.error(), certificate.string());
  const auto to = time_of(X509_get0_notAfter(ours));
  if (!to) return with_context(to.error(), certificate.string());
  return Standing{subject_entry(ours, NID_commonName), *from, *to};
}

UtcTime renewal_due(const Standing& standing) {
  return standing.from + (standing.to - standing.from) * 2 / 3;
}

std::string authority_digest(const std::filesystem::path& ca) {
  const auto text = read_file(ca);
  return text ? digest_of(*text) : std::string{};
}

std::string pin_of(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return {};
  std::string digest =
      digest_of({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return digest;
}

}  // namespace firedrill::agent
