#include "controller/pki/authority.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <tuple>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "firedrill/files.hpp"
#include "firedrill/json.hpp"

namespace firedrill::pki {
namespace {

using std::chrono::days;

constexpr Duration kMostBackdated = days{1};  // a host whose clock is slow must be able to start
constexpr int kBackdatedShare = 10;  // and a short life is not backdated out of all measure
constexpr Duration kKeptAfterExpiry = days{30};
constexpr mode_t kPublic = 0644;
constexpr std::string_view kEnding = ".pem";
constexpr std::size_t kFingerprintDigits = 64;

Duration backdated(Duration lifetime) {
  return std::min(kMostBackdated, Duration{lifetime / kBackdatedShare});
}

bool texts_belong_together(std::string_view certificate_text, std::string_view key_text) {
  const auto certificate = certificate_from_pem(certificate_text);
  const auto key = key_from_pem(key_text);
  return certificate && key && belong_together(certificate->get(), key->get());
}

std::string copy_prefix(std::string_view name, std::string_view role) {
  return std::string{name} + "-" + std::string{role} + "-";
}

/// A copy is only worth listing while somebody could wonder about it.
void forget_expired(const std::filesystem::path& dir, const CertificateSpec& spec) {
  const auto names = names_in(dir / "issued");
  if (!names) return;  // forgetting later does as well
  const std::string prefix = copy_prefix(spec.name, spec.role);
  for (const std::string& name : *names) {
    if (!name.starts_with(prefix) ||
        name.size() != prefix.size() + kFingerprintDigits + kEnding.size())
      continue;
    const auto pem = read_file(dir / "issued" / name);
    const auto certificate = pem ? certificate_from_pem(*pem) : std::unexpected(pem.error());
    const auto known = certificate ? inspect(certificate->get())
                                   : Result<Certificate>(std::unexpected(certificate.error()));
    if (!known || known->not_after + kKeptAfterExpiry > now()) continue;
    std::error_code ignored;
    std::filesystem::remove(dir / "issued" / name, ignored);
    std::filesystem::remove(dir / "revoked" / known->serial, ignored);
  }
}

/// The file's name alone revokes: text that cannot be read must not make a certificate count again.
std::string reason_of(const std::filesystem::path& file) {
  const auto text = read_file(file);
  const auto json = text ? parse_json(*text, file.string()) : std::unexpected(text.error());
  if (!json || !json->is_object()) return {};
  const auto it = json->find("reason");
  return it != json->end() && it->is_string() ? it->get<std::string>() : std::string{};
}

}  // namespace

UtcTime now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

Result<Lock> Lock::take(const std::filesystem::path& dir) {
  const auto path = dir / "lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail_errno(errno, "opening '" + path.string() + "'");
  Lock lock{fd};
  int locked = 0;
  do locked = ::flock(fd, LOCK_EX);
  while (locked < 0 && errno == EINTR);
  if (locked < 0) return fail_errno(errno, "locking '" + path.string() + "'");
  return lock;
}

Lock::~Lock() {
  if (fd_ >= 0) ::close(fd_);  // which unlocks
}

CertificateSpec spec_for(std::string_view name, std::string_view role, Duration lifetime,
                         UtcTime at) {
  CertificateSpec spec;
  spec.name = name;
  spec.role = role;
  spec.authority = role == kRoleAuthority;
  spec.server = role == kRoleController;
  spec.client = role == kRoleAgent || role == kRoleOperator;
  if (spec.server) {
    spec.alt_names = {"DNS:" + std::string{kControllerName}, "DNS:localhost", "IP:127.0.0.1"};
    if (name != kControllerName && name != "localhost")
      spec.alt_names.push_back("DNS:" + std::string{name});
  }
  spec.not_before = at - backdated(lifetime);
  spec.not_after = at + lifetime;
  return spec;
}

Duration lifetime_of(const Certificate& certificate) {
  const Duration whole = certificate.not_after - certificate.not_before;
  // Certificates tell whole seconds: rounding keeps a life from shrinking at each renewal.
  const Duration exact = whole > kMostBackdated * (kBackdatedShare + 1)
                             ? whole - kMostBackdated
                             : whole * kBackdatedShare / (kBackdatedShare + 1);
  return std::chrono::round<std::chrono::minutes>(exact);
}

Result<bool> pair_exists(const Identity& files) {
  if (auto settled = settle_pair(files.certificate, files.key, texts_belong_together); !settled)
    return std::unexpected(settled.error());
  const bool certificate = is_there(files.certificate);
  if (certificate == is_there(files.key)) return certificate;
  const std::filesystem::path& missing = certificate ? files.key : files.certificate;
  const std::filesystem::path& there = certificate ? files.certificate : files.key;
  return fail(ErrorCode::corrupt, "'" + missing.string() + "' is missing, though '" +
                                      there.string() + "' is there; restore it, or delete both");
}

Result<Pair> read_pair(const Identity& files) {
  if (auto settled = settle_pair(files.certificate, files.key, texts_belong_together); !settled)
    return std::unexpected(settled.error());
  auto pem = read_file(files.certificate);
  if (!pem) return std::unexpected(pem.error());
  auto certificate = certificate_from_pem(*pem);
  if (!certificate) return with_context(certificate.error(), files.certificate.string());
  auto key_pem = read_file(files.key);
  if (!key_pem) return std::unexpected(key_pem.error());
  auto key = key_from_pem(*key_pem);
  if (!key) return with_context(key.error(), files.key.string());
  if (!belong_together(certificate->get(), key->get()))
    return fail(ErrorCode::corrupt, "'" + files.certificate.string() + "' and '" +
                                        files.key.string() + "' do not belong together");
  return Pair{std::move(*key), std::move(*certificate)};
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

Result<Authority> read_authority(const std::filesystem::path& dir) {
  const auto there = pair_exists(authority_files(dir));
  if (!there) return std::unexpected(there.error());
  if (!*there)
    return fail(ErrorCode::not_found, "'" + dir.string() +
                                          "' holds no certificate authority; make one with "
                                          "'firedrill pki init'");
  auto current = read_pair(authority_files(dir));
  if (!current) return std::unexpected(current.error());
  auto bundle = read_file(dir / "ca.pem");
  if (!bundle) return std::unexpected(bundle.error());
  auto trusted = certificates_from_pem(*bundle);
  if (!trusted) return with_context(trusted.error(), (dir / "ca.pem").string());
  return Authority{std::move(*current), std::move(*trusted), std::move(*bundle)};
}

Result<void> write_authority(const std::filesystem::path& dir, const Pair& current,
                             std::string_view others) {
  const auto certificate = to_pem(current.certificate.get());
  if (!certificate) return std::unexpected(certificate.error());
  const auto key = to_pem(current.key.get());
  if (!key) return std::unexpected(key.error());
  const Identity files = authority_files(dir);
  return replace_pair(files.certificate, *certificate + std::string{others}, files.key, *key);
}

Result<CertificatePtr> sign_and_record(const std::filesystem::path& dir, const Authority& authority,
                                       const CertificateSpec& spec, EVP_PKEY* key) {
  const Pair& signer = authority.current;
  auto made = sign(spec, key, signer.certificate.get(), signer.key.get());
  if (!made) return made;
  const auto print = fingerprint(made->get());
  if (!print) return std::unexpected(print.error());
  const auto pem = to_pem(made->get());
  if (!pem) return std::unexpected(pem.error());
  if (auto ready = make_directory(dir / "issued"); !ready) return std::unexpected(ready.error());
  forget_expired(dir, spec);
  // Recorded before it is handed out: a certificate that nobody listed must not exist.
  const auto copy =
      dir / "issued" / (copy_prefix(spec.name, spec.role) + *print + std::string{kEnding});
  if (auto written = write_file(copy, *pem, kPublic); !written)
    return std::unexpected(written.error());
  return made;
}

Result<void> issue_pair(const std::filesystem::path& dir, const Authority& authority,
                        const CertificateSpec& spec, const Identity& files) {
  const auto key = make_key();
  if (!key) return std::unexpected(key.error());
  const auto certificate = sign_and_record(dir, authority, spec, key->get());
  if (!certificate) return std::unexpected(certificate.error());
  const auto key_pem = to_pem(key->get());
  if (!key_pem) return std::unexpected(key_pem.error());
  const auto certificate_pem = to_pem(certificate->get());
  if (!certificate_pem) return std::unexpected(certificate_pem.error());
  return replace_pair(files.certificate, *certificate_pem, files.key, *key_pem);
}

Result<Certificate> inspect(X509* certificate) {
  Certificate out;
  out.name = subject_entry(certificate, NID_commonName);
  out.role = subject_entry(certificate, NID_organizationalUnitName);
  const auto from = not_before(certificate);
  if (!from) return std::unexpected(from.error());
  const auto to = not_after(certificate);
  if (!to) return std::unexpected(to.error());
  auto print = fingerprint(certificate);
  if (!print) return std::unexpected(print.error());
  auto serial = serial_of(certificate);
  if (!serial) return std::unexpected(serial.error());
  out.not_before = *from;
  out.not_after = *to;
  out.fingerprint = std::move(*print);
  out.serial = std::move(*serial);
  return out;
}

Result<std::vector<std::string>> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it{folder, error}, end; !error && it != end;
       it.increment(error))
    names.push_back(it->path().filename().string());
  if (error && error != std::errc::no_such_file_or_directory)
    return fail_errno(error.value(), "reading '" + folder.string() + "'");
  return names;
}

Result<std::vector<Certificate>> issued(const std::filesystem::path& dir, X509* current,
                                        std::string_view name, std::string_view role) {
  const auto files = names_in(dir / "issued");
  if (!files) return std::unexpected(files.error());
  const std::string prefix = name.empty() ? "" : copy_prefix(name, role);
  const UtcTime today = now();
  std::vector<Certificate> all;
  for (const std::string& file : *files) {
    // What a crash left behind ends in .new.
    if (!file.ends_with(kEnding) || !file.starts_with(prefix)) continue;
    const auto path = dir / "issued" / file;
    const auto pem = read_file(path);
    if (!pem && pem.error().code == ErrorCode::not_found) continue;  // forgotten meanwhile
    if (!pem) return std::unexpected(pem.error());
    const auto certificate = certificate_from_pem(*pem);
    if (!certificate) return with_context(certificate.error(), path.string());
    auto one = inspect(certificate->get());
    if (!one) return with_context(one.error(), path.string());
    if (!name.empty() && (one->name != name || one->role != role)) continue;
    one->old_authority = X509_verify(certificate->get(), X509_get0_pubkey(current)) != 1;
    if (one->not_after <= today) one->state = CertificateState::expired;
    if (is_there(dir / "revoked" / one->serial)) {
      one->state = CertificateState::revoked;
      one->reason = reason_of(dir / "revoked" / one->serial);
    }
    all.push_back(std::move(*one));
  }
  std::ranges::sort(all, {}, [](const Certificate& one) {
    return std::tuple{one.name, one.role, one.not_after, one.fingerprint};
  });
  return all;
}

Result<void> record_revocation(const std::filesystem::path& dir, const Certificate& certificate,
                               std::string_view reason, UtcTime at) {
  if (auto ready = make_directory(dir / "revoked"); !ready) return ready;
  const Json text = {{"name", certificate.name},
                     {"role", certificate.role},
                     {"reason", reason},
                     {"at", to_rfc3339(at)}};
  return write_file(dir / "revoked" / certificate.serial,
                    text.dump(2, ' ', false, Json::error_handler_t::replace) + "\n", kPublic);
}

}  // namespace firedrill::pki
