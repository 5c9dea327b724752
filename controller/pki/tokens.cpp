#include "controller/pki/tokens.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <functional>

#include "controller/pki/authority.hpp"
#include "firedrill/files.hpp"

namespace firedrill::pki {
namespace {

using namespace std::chrono_literals;
using std::chrono::days;

constexpr std::size_t kSecretBytes = 16;
constexpr Duration kShortestTtl = 1s;
constexpr Duration kLongestTtl = days{7};
constexpr Duration kShortestLife = 1h;
constexpr Duration kLongestLife = days{730};
constexpr Duration kRemembered = days{30};  // a used or expired token is told from an unknown one
constexpr std::ptrdiff_t kMostValid = 16;
constexpr std::string_view kEnding = ".json";

/// A token as it is kept, by the hash of its secret.
struct Kept {
  std::string host;
  std::map<std::string, std::string> tags;
  UtcTime not_after{};
  Duration lifetime{};
};

std::string to_text(const Kept& kept) {
  return Json{{"host", kept.host},
              {"tags", kept.tags},
              {"not-after", to_rfc3339(kept.not_after)},
              {"lifetime", firedrill::to_string(kept.lifetime)}}
             .dump(2) +
         "\n";
}

Result<Kept> read_kept(const std::filesystem::path& file) {
  const auto text = read_file(file);
  if (!text) return std::unexpected(text.error());
  const auto json = parse_json(*text, file.string());
  if (!json) return std::unexpected(json.error());
  ObjectReader reader(*json, "");
  Kept kept;
  kept.host = reader.optional_text("host");
  if (const Json* tags = reader.optional_object("tags"))
    for (const auto& [key, value] : tags->items())
      if (value.is_string()) kept.tags[key] = value.get<std::string>();
  const auto until = parse_rfc3339(reader.required_text("not-after"));
  const auto lifetime = parse_duration(reader.required_text("lifetime"));
  if (auto done = reader.finish(); !done) return with_context(done.error(), file.string());
  if (!until || !lifetime) return fail(ErrorCode::corrupt, "'" + file.string() + "' is torn");
  kept.not_after = *until;
  kept.lifetime = *lifetime;
  return kept;
}

void forget_old(const std::filesystem::path& folder, UtcTime at) {
  const auto names = names_in(folder);
  if (!names) return;
  for (const std::string& name : *names) {
    const auto kept = read_kept(folder / name);
    if (kept && kept->not_after + kRemembered > at) continue;
    std::error_code ignored;
    std::filesystem::remove(folder / name, ignored);
  }
}

/// The pin that a host will see: of the authority that signed the controller's certificate.
Result<std::string> served_pin(const std::filesystem::path& dir, const Authority& authority) {
  const auto controller = read_pair(files_of(dir, kRoleController));
  if (!controller) return std::unexpected(controller.error());
  for (const CertificatePtr& one : authority.trusted)
    if (X509_verify(controller->certificate.get(), X509_get0_pubkey(one.get())) == 1)
      return pin_of(one.get());
  return fail(ErrorCode::corrupt, "the controller's certificate was not signed by this authority");
}

Result<void> check(const TokenOptions& options) {
  if (!options.host.empty() && !join::valid_name(options.host))
    return fail(
        ErrorCode::invalid_input,
        "'" + options.host + "' is no host's name: 1 to 64 letters, digits, dots and hyphens");
  if (options.ttl < kShortestTtl || options.ttl > kLongestTtl)
    return fail(ErrorCode::invalid_input,
                "a token lives 1s to 7d, not " + firedrill::to_string(options.ttl));
  if (options.lifetime < kShortestLife || options.lifetime > kLongestLife)
    return fail(ErrorCode::invalid_input,
                "a certificate lives 1h to 730d, not " + firedrill::to_string(options.lifetime));
  return {};
}

/// Reads the token that `secret` stands for, or says what became of it.
Result<Kept> find_token(const std::filesystem::path& dir, const std::string& file, UtcTime at) {
  if (!is_there(dir / "tokens" / file)) {
    if (is_there(dir / "spent" / file))
      return fail(ErrorCode::refused, "this join token was used already; it is good once");
    return fail(ErrorCode::refused,
                "this controller has no such join token; make one with 'firedrill pki token'");
  }
  auto kept = read_kept(dir / "tokens" / file);
  if (kept && kept->not_after <= at)
    return fail(ErrorCode::refused, "this join token expired at " + to_rfc3339(kept->not_after) +
                                        "; make a new one with 'firedrill pki token'");
  return kept;
}

/// The rename is what takes it: of two who try, one finds nothing left.
Result<void> take_token(const std::filesystem::path& dir, const std::string& file) {
  if (auto ready = make_directory(dir / "spent"); !ready) return ready;
  if (std::rename((dir / "tokens" / file).c_str(), (dir / "spent" / file).c_str()) < 0) {
    if (errno == ENOENT)
      return fail(ErrorCode::refused, "this join token was used already; it is good once");
    return fail_errno(errno, "taking a join token");
  }
  return sync_directory(dir / "spent");
}

Result<join::Credentials> sign_agent(const std::filesystem::path& dir, const Authority& authority,
                                     const CertificateSpec& spec, EVP_PKEY* key) {
  const auto made = sign_and_record(dir, authority, spec, key);
  if (!made) return std::unexpected(made.error());
  auto pem = to_pem(made->get());
  if (!pem) return std::unexpected(pem.error());
  return join::Credentials{spec.name, {}, std::move(*pem), authority.bundle};
}

bool is_valid(const Certificate& one) { return one.state == CertificateState::valid; }

}  // namespace

Result<join::Token> make_token(const std::filesystem::path& dir, const TokenOptions& options,
                               UtcTime at) {
  if (auto ok = check(options); !ok) return std::unexpected(ok.error());
  if (!is_there(dir / "ca.pem")) return std::unexpected(read_authority(dir).error());
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
  const auto authority = read_authority(dir);
  if (!authority) return std::unexpected(authority.error());
  auto pin = served_pin(dir, *authority);
  if (!pin) return std::unexpected(pin.error());
  auto secret = random_hex(kSecretBytes);
  if (!secret) return std::unexpected(secret.error());
  const auto hash = sha256_hex(*secret);
  if (!hash) return std::unexpected(hash.error());
  if (auto ready = make_directory(dir / "tokens"); !ready) return std::unexpected(ready.error());
  forget_old(dir / "tokens", at);
  forget_old(dir / "spent", at);
  const Kept kept{options.host, options.tags, at + options.ttl, options.lifetime};
  if (auto written =
          write_file(dir / "tokens" / (*hash + std::string{kEnding}), to_text(kept), 0600);
      !written)
    return std::unexpected(written.error());
  return join::Token{std::move(*secret), std::move(*pin)};
}

Result<void> withdraw_tokens(const std::filesystem::path& dir, std::string_view host) {
  const auto names = names_in(dir / "tokens");
  if (!names) return std::unexpected(names.error());
  for (const std::string& name : *names) {
    const auto kept = read_kept(dir / "tokens" / name);
    if (!kept || kept->host != host) continue;
    std::error_code error;
    std::filesystem::remove(dir / "tokens" / name, error);
    if (error) return fail_errno(error.value(), "withdrawing a join token");
  }
  return {};
}

Result<join::Credentials> admit(const std::filesystem::path& dir, const join::Request& request,
                                UtcTime at) {
  const auto key = key_of_request(request.csr);
  if (!key) return std::unexpected(key.error());
  const auto hash = sha256_hex(request.secret);
  if (!hash) return std::unexpected(hash.error());
  const std::string file = *hash + std::string{kEnding};
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
  const auto kept = find_token(dir, file, at);
  if (!kept) return std::unexpected(kept.error());
  const bool bound = !kept->host.empty();
  const std::string& name = bound ? kept->host : request.name;
  const auto authority = read_authority(dir);
  if (!authority) return std::unexpected(authority.error());
  auto earlier = issued(dir, authority->current.certificate.get(), name, kRoleAgent);
  if (!earlier) return std::unexpected(earlier.error());
  std::erase_if(*earlier, std::not_fn(is_valid));
  if (!bound && !earlier->empty())
    return fail(ErrorCode::conflict,
                "'" + name +
                    "' has a certificate already: make a token for it with 'firedrill pki "
                    "token --host " +
                    name + "', or join under another name");
  if (auto taken = take_token(dir, file); !taken) return std::unexpected(taken.error());
  for (const Certificate& one : *earlier)
    if (auto done = record_revocation(dir, one, "the host joined anew", at); !done)
      return std::unexpected(done.error());
  auto signed_one =
      sign_agent(dir, *authority, spec_for(name, kRoleAgent, kept->lifetime, at), key->get());
  if (signed_one) signed_one->tags = kept->tags;
  return signed_one;
}

Result<join::Credentials> renew_agent(const std::filesystem::path& dir, std::string_view name,
                                      std::string_view serial, std::string_view csr, UtcTime at) {
  const auto key = key_of_request(csr);
  if (!key) return std::unexpected(key.error());
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
  const auto authority = read_authority(dir);
  if (!authority) return std::unexpected(authority.error());
  const auto known = issued(dir, authority->current.certificate.get(), name, kRoleAgent);
  if (!known) return std::unexpected(known.error());
  const auto old = std::ranges::find(*known, serial, &Certificate::serial);
  if (old == known->end())
    return fail(ErrorCode::refused,
                "the certificate that '" + std::string{name} + "' shows is not in the list");
  if (old->state == CertificateState::revoked)
    return fail(ErrorCode::refused, "the certificate of '" + old->name + "' is revoked");
  if (std::ranges::count_if(*known, is_valid) >= kMostValid)
    return fail(ErrorCode::conflict, "'" + old->name + "' has 16 valid certificates already");
  return sign_agent(dir, *authority, spec_for(name, kRoleAgent, lifetime_of(*old), at), key->get());
}

}  // namespace firedrill::pki
