#include "controller/pki/pki.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <system_error>

#include "controller/pki/files.hpp"
#include "controller/pki/operator_access.hpp"
#include "controller/pki/x509.hpp"

namespace firedrill::pki {
namespace {

using std::chrono::days;

constexpr days kAuthorityValidity{3650};
constexpr days kCertificateValidity{730};
constexpr days kBackdated{1};  // a host whose clock is slow must be able to start
constexpr std::string_view kAuthorityRole = "ca";
constexpr std::string_view kTokenFile = "webhook.token";
constexpr std::size_t kTokenBytes = 32;
constexpr std::size_t kMaxNameBytes = 64;  // ub-common-name of RFC 5280
constexpr mode_t kPrivate = 0600;
constexpr mode_t kPublic = 0644;

struct Pair {
  KeyPtr key;
  CertificatePtr certificate;
};

UtcTime now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

bool valid_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-";
  return !name.empty() && name.size() <= kMaxNameBytes &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

CertificateSpec spec_for(std::string_view name, std::string_view role) {
  CertificateSpec spec;
  spec.name = name;
  spec.role = role;
  spec.authority = role == kAuthorityRole;
  spec.server = role == kRoleController;
  spec.client = role == kRoleAgent || role == kRoleOperator;
  if (spec.server) {
    spec.alt_names = {"DNS:" + std::string{kControllerName}, "DNS:localhost", "IP:127.0.0.1"};
    if (name != kControllerName && name != "localhost")
      spec.alt_names.push_back("DNS:" + std::string{name});
  }
  const UtcTime today = now();
  spec.not_before = today - kBackdated;
  spec.not_after = today + (spec.authority ? kAuthorityValidity : kCertificateValidity);
  return spec;
}

Result<Pair> read_pair(const Identity& files) {
  auto pem = read_file(files.certificate);
  if (!pem) return std::unexpected(pem.error());
  auto certificate = certificate_from_pem(*pem);
  if (!certificate) return with_context(certificate.error(), files.certificate.string());
  auto key_pem = read_file(files.key);
  if (!key_pem) return std::unexpected(key_pem.error());
  auto key = key_from_pem(*key_pem);
  if (!key) return with_context(key.error(), files.key.string());
  if (EVP_PKEY_eq(X509_get0_pubkey(certificate->get()), key->get()) != 1)
    return fail(ErrorCode::corrupt, "'" + files.certificate.string() + "' and '" +
                                        files.key.string() + "' do not belong together");
  return Pair{std::move(*key), std::move(*certificate)};
}

/// Both files there: true; none: false; one of them: corrupt.
Result<bool> pair_exists(const Identity& files) {
  const bool certificate = is_there(files.certificate);
  if (certificate == is_there(files.key)) return certificate;
  const std::filesystem::path& missing = certificate ? files.key : files.certificate;
  const std::filesystem::path& there = certificate ? files.certificate : files.key;
  return fail(ErrorCode::corrupt, "'" + missing.string() + "' is missing, though '" +
                                      there.string() + "' is there; restore it, or delete both");
}

/// The key goes first: a certificate without a key is the half that would look finished.
Result<void> write_pair(const Identity& files, const Pair& pair) {
  const auto key = to_pem(pair.key.get());
  if (!key) return std::unexpected(key.error());
  const auto certificate = to_pem(pair.certificate.get());
  if (!certificate) return std::unexpected(certificate.error());
  if (auto written = write_file(files.key, *key, kPrivate); !written) return written;
  return write_file(files.certificate, *certificate, kPublic);
}

Result<Pair> make_pair(const CertificateSpec& spec, const Pair* authority) {
  auto key = make_key();
  if (!key) return std::unexpected(key.error());
  EVP_PKEY* signer = authority == nullptr ? key->get() : authority->key.get();
  X509* issuer = authority == nullptr ? nullptr : authority->certificate.get();
  auto certificate = sign(spec, key->get(), issuer, signer);
  if (!certificate) return std::unexpected(certificate.error());
  return Pair{std::move(*key), std::move(*certificate)};
}

Identity authority_files(const std::filesystem::path& dir) {
  return {dir / "ca.pem", dir / "ca.pem", dir / "ca.key"};
}

Result<Pair> read_authority(const std::filesystem::path& dir) {
  const auto there = pair_exists(authority_files(dir));
  if (!there) return std::unexpected(there.error());
  if (!*there)
    return fail(ErrorCode::not_found, "'" + dir.string() +
                                          "' holds no certificate authority; make one with "
                                          "'firedrill pki init'");
  return read_pair(authority_files(dir));
}

Result<Pair> read_or_make_authority(const std::filesystem::path& dir) {
  const auto there = pair_exists(authority_files(dir));
  if (!there) return std::unexpected(there.error());
  if (*there) return read_pair(authority_files(dir));
  auto made = make_pair(spec_for("Firedrill CA", kAuthorityRole), nullptr);
  if (!made) return made;
  if (auto written = write_pair(authority_files(dir), *made); !written)
    return std::unexpected(written.error());
  return made;
}

/// Signs a new pair, keeps the certificate's copy in `dir`/issued, and writes the pair.
Result<void> issue_pair(const std::filesystem::path& dir, const Pair& authority,
                        const CertificateSpec& spec, const Identity& files) {
  const auto made = make_pair(spec, &authority);
  if (!made) return std::unexpected(made.error());
  const auto print = fingerprint(made->certificate.get());
  if (!print) return std::unexpected(print.error());
  const auto pem = to_pem(made->certificate.get());
  if (!pem) return std::unexpected(pem.error());
  if (auto ready = make_directory(dir / "issued"); !ready) return ready;
  // Recorded before it is handed out: a certificate that nobody listed must not exist.
  const auto copy = dir / "issued" / (spec.name + "-" + spec.role + "-" + *print + ".pem");
  if (auto written = write_file(copy, *pem, kPublic); !written) return written;
  return write_pair(files, *made);
}

Result<void> ensure_pair(const std::filesystem::path& dir, const Pair& authority,
                         std::string_view name, std::string_view role) {
  const Identity files = files_of(dir, role);
  const auto there = pair_exists(files);
  if (!there) return std::unexpected(there.error());
  if (!*there) return issue_pair(dir, authority, spec_for(name, role), files);
  const auto pair = read_pair(files);
  if (!pair) return std::unexpected(pair.error());
  if (X509_verify(pair->certificate.get(), authority.key.get()) != 1)
    return fail(ErrorCode::corrupt,
                "'" + files.certificate.string() + "' was not signed by this authority");
  return {};
}

Result<Certificate> inspect(const std::filesystem::path& file) {
  const auto pem = read_file(file);
  if (!pem) return std::unexpected(pem.error());
  const auto certificate = certificate_from_pem(*pem);
  if (!certificate) return with_context(certificate.error(), file.string());
  const auto from = not_before(certificate->get());
  if (!from) return with_context(from.error(), file.string());
  const auto to = not_after(certificate->get());
  if (!to) return with_context(to.error(), file.string());
  auto print = fingerprint(certificate->get());
  if (!print) return std::unexpected(print.error());
  return Certificate{subject_entry(certificate->get(), NID_commonName),
                     subject_entry(certificate->get(), NID_organizationalUnitName), *from, *to,
                     std::move(*print)};
}

/// A directory that already serves another authority is not silently taken over.
Result<void> copy_authority(const std::filesystem::path& dir,
                            const std::filesystem::path& out_dir) {
  const auto ours = read_file(dir / "ca.pem");
  if (!ours) return std::unexpected(ours.error());
  const auto target = out_dir / "ca.pem";
  if (!is_there(target)) return write_file(target, *ours, kPublic);
  const auto theirs = read_file(target);
  if (!theirs) return std::unexpected(theirs.error());
  if (*theirs != *ours)
    return fail(ErrorCode::conflict, "'" + target.string() +
                                         "' belongs to another authority; delete it, or give "
                                         "another directory");
  return {};
}

}  // namespace

Identity files_of(const std::filesystem::path& dir, std::string_view role) {
  const std::string base{role};
  return {dir / "ca.pem", dir / (base + ".pem"), dir / (base + ".key")};
}

Result<void> init(const std::filesystem::path& dir) {
  if (auto ready = make_directory(dir); !ready) return ready;
  const auto authority = read_or_make_authority(dir);
  if (!authority) return std::unexpected(authority.error());
  if (auto pair = ensure_pair(dir, *authority, kControllerName, kRoleController); !pair)
    return pair;
  if (auto pair = ensure_pair(dir, *authority, "operator", kRoleOperator); !pair) return pair;
  if (!is_there(dir / kTokenFile)) {
    const auto token = random_hex(kTokenBytes);
    if (!token) return std::unexpected(token.error());
    return write_file(dir / kTokenFile, *token + "\n", kPrivate);
  }
  if (auto token = webhook_token(dir); !token) return std::unexpected(token.error());
  return {};
}

Result<void> issue(const std::filesystem::path& dir, std::string_view name, std::string_view role,
                   const std::filesystem::path& out_dir) {
  if (!valid_name(name))
    return fail(ErrorCode::invalid_input, "'" + std::string{name} +
                                              "' is no name for a certificate: 1 to 64 letters, "
                                              "digits, dots and hyphens");
  constexpr std::array kRoles = {kRoleAgent, kRoleController, kRoleOperator};
  if (std::ranges::find(kRoles, role) == kRoles.end())
    return fail(ErrorCode::invalid_input,
                "'" + std::string{role} + "' is no role; one of agent, controller, operator");
  const auto authority = read_authority(dir);
  if (!authority) return std::unexpected(authority.error());
  const Identity files = files_of(out_dir, role);
  for (const auto& file : {files.certificate, files.key})
    if (is_there(file))
      return fail(ErrorCode::already_exists,
                  "'" + file.string() + "' is there already; delete it to issue a new one");
  if (auto ready = make_directory(out_dir); !ready) return ready;
  if (auto copied = copy_authority(dir, out_dir); !copied) return copied;
  return issue_pair(dir, *authority, spec_for(name, role), files);
}

Result<std::vector<Certificate>> describe(const std::filesystem::path& dir) {
  if (!is_there(dir / "ca.pem"))
    return fail(ErrorCode::not_found, "'" + dir.string() + "' holds no certificate authority");
  auto authority = inspect(dir / "ca.pem");
  if (!authority) return std::unexpected(authority.error());
  std::vector<Certificate> issued;
  std::error_code error;
  for (std::filesystem::directory_iterator it{dir / "issued", error}, end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() != ".pem") continue;  // what a crash left behind ends in .new
    auto one = inspect(it->path());
    if (!one) return std::unexpected(one.error());
    issued.push_back(std::move(*one));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail_errno(error.value(), "reading '" + (dir / "issued").string() + "'");
  std::ranges::sort(issued, {}, [](const Certificate& one) {
    return std::tuple{one.name, one.role, one.not_after, one.fingerprint};
  });
  issued.insert(issued.begin(), std::move(*authority));
  return issued;
}

Result<std::string> webhook_token(const std::filesystem::path& dir) {
  auto text = read_file(dir / kTokenFile);
  if (!text) return text;
  while (text->ends_with('\n')) text->pop_back();
  const bool hex = text->find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex || text->size() != kTokenBytes * 2)
    return fail(ErrorCode::corrupt, "'" + (dir / kTokenFile).string() +
                                        "' does not hold 64 hex digits; delete it for a new one");
  return text;
}

std::string url(std::uint16_t port, std::string_view target) {
  return "https://" + std::string{kControllerName} + ":" + std::to_string(port) +
         std::string{target};
}

std::string connect_to(std::string_view address, std::uint16_t port) {
  std::string host{address};
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  const std::string number = std::to_string(port);
  return std::string{kControllerName} + ":" + number + ":" + host + ":" + number;
}

}  // namespace firedrill::pki
