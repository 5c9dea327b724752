#include "firedrill/join.hpp"

namespace firedrill::join {
namespace {

constexpr std::string_view kVersion = "fd1";
constexpr std::size_t kSecretDigits = 32;
constexpr std::size_t kPinDigits = 64;
constexpr std::size_t kMaxNameBytes = 64;  // ub-common-name of RFC 5280
constexpr std::size_t kMaxCsrBytes = 4096;
constexpr std::size_t kMaxTokenBytes = 256;

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string read_csr(ObjectReader& reader) {
  std::string csr = reader.required_text("csr");
  if (csr.size() > kMaxCsrBytes)
    reader.note_error(
        {ErrorCode::invalid_input, 0, "a certificate request has at most 4 KiB", reader.at("csr")});
  return csr;
}

}  // namespace

std::string to_string(const Token& token) {
  return std::string{kVersion} + "." + token.secret + "." + token.pin;
}

Result<Token> parse_token(std::string_view text) {
  const auto refused = [](std::string_view why) {
    return fail(ErrorCode::invalid_input, "this is no join token: " + std::string{why} +
                                              "; make one with 'firedrill pki token'");
  };
  if (text.size() > kMaxTokenBytes) return refused("it is too long");
  const std::size_t first = text.find('.');
  if (first == std::string_view::npos) return refused("it has no dots");
  if (text.substr(0, first) != kVersion) return refused("it does not begin with 'fd1.'");
  const std::string_view rest = text.substr(first + 1);
  const std::size_t second = rest.find('.');
  if (second == std::string_view::npos) return refused("its second half is missing");
  const std::string_view secret = rest.substr(0, second);
  const std::string_view pin = rest.substr(second + 1);
  if (!is_hex(secret, kSecretDigits) || !is_hex(pin, kPinDigits))
    return refused("it was not copied whole");
  return Token{std::string{secret}, std::string{pin}};
}

bool valid_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";
  return !name.empty() && name.size() <= kMaxNameBytes &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

Json to_json(const Request& request) {
  return {{"secret", request.secret}, {"name", request.name}, {"csr", request.csr}};
}

Json to_json(const Credentials& credentials) {
  return {{"name", credentials.name},
          {"tags", credentials.tags},
          {"certificate", credentials.certificate},
          {"ca", credentials.ca}};
}

Result<Request> parse_request(const Json& json) {
  ObjectReader reader(json, "");
  Request request;
  request.secret = reader.required_text("secret");
  request.name = reader.required_text("name");
  request.csr = read_csr(reader);
  if (!is_hex(request.secret, kSecretDigits))
    reader.note_error({ErrorCode::invalid_input, 0, "not a token's secret", reader.at("secret")});
  if (!valid_name(request.name))
    reader.note_error({ErrorCode::invalid_input, 0,
                       "a host's name is 1 to 64 letters, digits, dots and hyphens",
                       reader.at("name")});
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return request;
}

Result<std::string> parse_renewal(const Json& json) {
  ObjectReader reader(json, "");
  std::string csr = read_csr(reader);
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return csr;
}

Result<Credentials> parse_credentials(const Json& json) {
  ObjectReader reader(json, "");
  Credentials credentials;
  credentials.name = reader.required_text("name");
  credentials.certificate = reader.required_text("certificate");
  credentials.ca = reader.required_text("ca");
  if (const Json* tags = reader.optional_object("tags"))
    for (const auto& [key, value] : tags->items()) {
      if (value.is_string()) credentials.tags[key] = value.get<std::string>();
      else
        reader.note_error({ErrorCode::invalid_input, 0, "a tag's value is a string",
                           pointer_join(reader.at("tags"), key)});
    }
  if (!valid_name(credentials.name))
    reader.note_error({ErrorCode::invalid_input, 0, "not a host's name", reader.at("name")});
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return credentials;
}

}  // namespace firedrill::join
