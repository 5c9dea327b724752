#include "controller/pki/x509.hpp"

#include <array>
#include <ctime>
#include <span>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

namespace firedrill::pki {
namespace {

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free_all(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioDeleter>;

std::unexpected<Error> openssl_error(std::string_view what, ErrorCode code = ErrorCode::internal) {
  std::array<char, 256> text{};
  const unsigned long number = ERR_get_error();
  if (number != 0) ERR_error_string_n(number, text.data(), text.size());
  ERR_clear_error();
  std::string line{what};
  if (number != 0) line.append(": ").append(text.data());
  return fail(code, std::move(line));
}

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const unsigned char byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool add_subject(X509* certificate, const CertificateSpec& spec) {
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto add = [name](const char* field, const std::string& value) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(value.data());
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes,
                                      static_cast<int>(value.size()), -1, 0) == 1;
  };
  return add("O", "Firedrill") && add("OU", spec.role) && add("CN", spec.name);
}

bool add_extensions(X509* certificate, X509* issuer, const CertificateSpec& spec) {
  const auto add = [&](int nid, const std::string& value) {
    return add_extension(certificate, issuer, nid, value);
  };
  // The subject's key identifier comes first: a self-signed certificate's issuer identifier
  // repeats it.
  if (!add(NID_subject_key_identifier, "hash")) return false;
  if (!add(NID_authority_key_identifier, "keyid:always")) return false;
  if (spec.authority)
    return add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add(NID_key_usage, "critical,keyCertSign,cRLSign");
  if (!add(NID_basic_constraints, "critical,CA:FALSE")) return false;
  if (!add(NID_key_usage, "critical,digitalSignature")) return false;
  std::string usage = spec.server ? "serverAuth" : "";
  if (spec.client) usage += usage.empty() ? "clientAuth" : ",clientAuth";
  if (!usage.empty() && !add(NID_ext_key_usage, usage)) return false;
  std::string names;
  for (const std::string& name : spec.alt_names) names += (names.empty() ? "" : ",") + name;
  return names.empty() || add(NID_subject_alt_name, names);
}

bool set_random_serial(X509* certificate) {
  std::unique_ptr<BIGNUM, decltype(&BN_free)> number{BN_new(), &BN_free};
  // 127 bits with the top one set: positive, at most 16 octets, and never zero (RFC 5280 4.1.2.2).
  return number && BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_validity(X509* certificate, UtcTime not_before, UtcTime not_after) {
  const auto seconds = [](UtcTime time) {
    return static_cast<time_t>(to_micros(time) / 1'000'000);
  };
  return ASN1_TIME_set(X509_getm_notBefore(certificate), seconds(not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), seconds(not_after)) != nullptr;
}

Result<UtcTime> read_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1)
    return openssl_error("a certificate's time cannot be read", ErrorCode::corrupt);
  return from_micros(static_cast<std::int64_t>(timegm(&parts)) * 1'000'000);
}

template <class Write>
Result<std::string> write_pem(Write write) {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  if (!bio || write(bio.get()) != 1) return openssl_error("writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

}  // namespace

Result<KeyPtr> make_key() {
  KeyPtr key{EVP_EC_gen("P-256")};
  if (!key) return openssl_error("making an ECDSA P-256 key");
  return key;
}

Result<CertificatePtr> sign(const CertificateSpec& spec, EVP_PKEY* key, X509* issuer,
                            EVP_PKEY* issuer_key) {
  CertificatePtr certificate{X509_new()};
  X509* made = certificate.get();
  if (made == nullptr || X509_set_version(made, X509_VERSION_3) != 1 || !set_random_serial(made) ||
      !set_validity(made, spec.not_before, spec.not_after) || !add_subject(made, spec) ||
      X509_set_pubkey(made, key) != 1)
    return openssl_error("filling in the certificate of '" + spec.name + "'");
  X509* signer = issuer == nullptr ? made : issuer;
  if (X509_set_issuer_name(made, X509_get_subject_name(signer)) != 1 ||
      !add_extensions(made, signer, spec))
    return openssl_error("filling in the certificate of '" + spec.name + "'");
  if (X509_sign(made, issuer_key, EVP_sha256()) == 0)
    return openssl_error("signing the certificate of '" + spec.name + "'");
  return certificate;
}

Result<std::string> to_pem(EVP_PKEY* key) {
  return write_pem([key](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

Result<std::string> to_pem(X509* certificate) {
  return write_pem([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

Result<CertificatePtr> certificate_from_pem(std::string_view pem) {
  const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  CertificatePtr certificate{bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)
                                 : nullptr};
  if (!certificate) return openssl_error("not a PEM certificate", ErrorCode::corrupt);
  return certificate;
}

Result<KeyPtr> key_from_pem(std::string_view pem) {
  const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  // An empty pass phrase keeps OpenSSL from asking on the terminal for an encrypted key.
  std::string no_pass_phrase;
  KeyPtr key{bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, no_pass_phrase.data())
                 : nullptr};
  if (!key) return openssl_error("not a PEM private key", ErrorCode::corrupt);
  return key;
}

Result<std::vector<CertificatePtr>> certificates_from_pem(std::string_view pem) {
  const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  std::vector<CertificatePtr> all;
  while (bio) {
    CertificatePtr one{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
    if (!one) break;
    all.push_back(std::move(one));
  }
  if (all.empty()) return openssl_error("not a PEM certificate", ErrorCode::corrupt);
  ERR_clear_error();  // the end of the text is reported like an error
  return all;
}

bool belong_together(X509* certificate, EVP_PKEY* key) {
  return EVP_PKEY_eq(X509_get0_pubkey(certificate), key) == 1;
}

Result<KeyPtr> key_of_request(std::string_view pem) {
  const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  const std::unique_ptr<X509_REQ, decltype(&X509_REQ_free)> request{
      bio ? PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr) : nullptr, &X509_REQ_free};
  if (!request) return openssl_error("not a PEM certificate request", ErrorCode::invalid_input);
  KeyPtr key{X509_REQ_get_pubkey(request.get())};
  std::array<char, 32> group{};
  const bool p256 = key && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_EC &&
                    EVP_PKEY_get_group_name(key.get(), group.data(), group.size(), nullptr) == 1 &&
                    std::string_view{group.data()} == "prime256v1";
  ERR_clear_error();
  if (!p256)
    return fail(ErrorCode::invalid_input, "the certificate request holds no ECDSA P-256 key");
  if (X509_REQ_verify(request.get(), key.get()) != 1)
    return openssl_error("the certificate request is not signed by its own key",
                         ErrorCode::invalid_input);
  return key;
}

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

Result<std::string> fingerprint(X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1)
    return openssl_error("hashing a certificate");
  return hex(std::span{digest}.first(size));
}

Result<std::string> serial_of(X509* certificate) {
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> number{
      ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr), &BN_free};
  if (!number) return openssl_error("reading a serial number");
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  auto* data = reinterpret_cast<unsigned char*>(bytes.data());
  BN_bn2bin(number.get(), data);
  return hex({data, bytes.size()});
}

Result<std::string> pin_of(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) return openssl_error("reading a public key");
  auto digest = sha256_hex({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return digest;
}

Result<std::string> sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    return openssl_error("hashing");
  return hex(std::span{digest}.first(size));
}

Result<UtcTime> not_before(X509* certificate) {
  return read_time(X509_get0_notBefore(certificate));
}

Result<UtcTime> not_after(X509* certificate) { return read_time(X509_get0_notAfter(certificate)); }

Result<std::string> random_hex(std::size_t count) {
  std::string bytes(count, '\0');
  auto* data = reinterpret_cast<unsigned char*>(bytes.data());
  if (RAND_bytes(data, static_cast<int>(count)) != 1) return openssl_error("random bytes");
  return hex({data, count});
}

}  // namespace firedrill::pki
