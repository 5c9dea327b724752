// What a host that joins sends, and what it is sent: the token, the request, the certificate
// request inside it, the credentials. What is accepted is written so that it reads the same.
#include <string_view>

#include "controller/pki/x509.hpp"
#include "firedrill/join.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;

void token(std::string_view text) {
  const auto read = join::parse_token(text);
  if (!read) return must(!read.error().what.empty(), "an error has words");
  must(join::to_string(*read) == text, "a token has one spelling");
}

void messages(const Json& json) {
  if (const auto request = join::parse_request(json)) {
    must(join::valid_name(request->name), "a name is one");
    must(request->csr.size() <= 4096, "a certificate request is short");
    const auto again = join::parse_request(join::to_json(*request));
    must(again && again->csr == request->csr && again->secret == request->secret,
         "a request is written as it was read");
  }
  if (const auto credentials = join::parse_credentials(json)) {
    const auto again = join::parse_credentials(join::to_json(*credentials));
    must(again && again->tags == credentials->tags && again->ca == credentials->ca,
         "credentials are written as they were read");
  }
  if (const auto csr = join::parse_renewal(json))
    must(csr->size() <= 4096, "a certificate request is short");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  token(text);
  if (const auto json = parse_json(text, "input")) messages(*json);
  if (const auto key = pki::key_of_request(text))
    must(EVP_PKEY_get_bits(key->get()) == 256, "a key that is accepted is of P-256");
  if (const auto bundle = pki::certificates_from_pem(text))
    for (const auto& one : *bundle) {
      (void)pki::serial_of(one.get());
      (void)pki::pin_of(one.get());
      (void)pki::subject_entry(one.get(), NID_commonName);
      (void)pki::not_after(one.get());
    }
  return 0;
}
