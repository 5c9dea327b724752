#include "controller/pki/pki.hpp"

#include <algorithm>
#include <array>
#include <chrono>

#include "controller/pki/authority.hpp"
#include "controller/pki/operator_access.hpp"
#include "controller/pki/revocation.hpp"
#include "firedrill/files.hpp"
#include "firedrill/join.hpp"

namespace firedrill::pki {
namespace {

using std::chrono::days;

constexpr days kAuthorityValidity{3650};
constexpr days kCertificateValidity{730};
constexpr std::string_view kTokenFile = "webhook.token";
constexpr std::size_t kTokenBytes = 32;
constexpr mode_t kPrivate = 0600;
constexpr mode_t kPublic = 0644;

Result<Authority> read_or_make_authority(const std::filesystem::path& dir) {
  const Identity files = authority_files(dir);
  const auto there = pair_exists(files);
  if (!there) return std::unexpected(there.error());
  if (!*there) {
    const auto made =
        make_pair(spec_for("Firedrill CA", kRoleAuthority, kAuthorityValidity, now()), nullptr);
    if (!made) return std::unexpected(made.error());
    if (auto written = write_authority(dir, *made, {}); !written)
      return std::unexpected(written.error());
  }
  return read_authority(dir);
}

bool signed_by_any(X509* certificate, const Authority& authority) {
  return std::ranges::any_of(authority.trusted, [&](const CertificatePtr& one) {
    return X509_verify(certificate, X509_get0_pubkey(one.get())) == 1;
  });
}

Result<void> ensure_pair(const std::filesystem::path& dir, const Authority& authority,
                         std::string_view name, std::string_view role) {
  const Identity files = files_of(dir, role);
  const auto there = pair_exists(files);
  if (!there) return std::unexpected(there.error());
  if (!*there)
    return issue_pair(dir, authority, spec_for(name, role, kCertificateValidity, now()), files);
  const auto pair = read_pair(files);
  if (!pair) return std::unexpected(pair.error());
  if (!signed_by_any(pair->certificate.get(), authority))
    return fail(ErrorCode::corrupt,
                "'" + files.certificate.string() + "' was not signed by this authority");
  return {};
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

/// Before a lock's file is left in a directory that is none of ours.
Result<void> check_there(const std::filesystem::path& dir) {
  if (is_there(dir / "ca.pem") || is_there(dir / "ca.key")) return {};
  return fail(ErrorCode::not_found, "'" + dir.string() +
                                        "' holds no certificate authority; make one with "
                                        "'firedrill pki init'");
}

}  // namespace

Identity files_of(const std::filesystem::path& dir, std::string_view role) {
  const std::string base{role};
  return {dir / "ca.pem", dir / (base + ".pem"), dir / (base + ".key")};
}

Result<Identity> ready_files(const std::filesystem::path& dir, std::string_view role) {
  if (auto there = check_there(dir); !there) return std::unexpected(there.error());
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
  Identity files = files_of(dir, role);
  if (const auto pair = read_pair(files); !pair) return std::unexpected(pair.error());
  return files;
}

Result<void> init(const std::filesystem::path& dir) {
  if (auto ready = make_directory(dir); !ready) return ready;
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
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
  if (!join::valid_name(name))
    return fail(ErrorCode::invalid_input, "'" + std::string{name} +
                                              "' is no name for a certificate: 1 to 64 letters, "
                                              "digits, dots and hyphens");
  constexpr std::array kRoles = {kRoleAgent, kRoleController, kRoleOperator};
  if (std::ranges::find(kRoles, role) == kRoles.end())
    return fail(ErrorCode::invalid_input,
                "'" + std::string{role} + "' is no role; one of agent, controller, operator");
  if (auto there = check_there(dir); !there) return there;
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
  const auto authority = read_authority(dir);
  if (!authority) return std::unexpected(authority.error());
  const Identity files = files_of(out_dir, role);
  for (const auto& file : {files.certificate, files.key})
    if (is_there(file))
      return fail(ErrorCode::already_exists,
                  "'" + file.string() + "' is there already; delete it to issue a new one");
  if (auto ready = make_directory(out_dir); !ready) return ready;
  if (auto copied = copy_authority(dir, out_dir); !copied) return copied;
  return issue_pair(dir, *authority, spec_for(name, role, kCertificateValidity, now()), files);
}

std::string_view to_string(CertificateState state) {
  switch (state) {
    case CertificateState::valid:
      return "valid";
    case CertificateState::expired:
      return "expired";
    case CertificateState::revoked:
      break;
  }
  return "revoked";
}

Result<std::vector<Certificate>> describe(const std::filesystem::path& dir) {
  if (!is_there(dir / "ca.pem"))
    return fail(ErrorCode::not_found, "'" + dir.string() + "' holds no certificate authority");
  const auto bundle = read_file(dir / "ca.pem");
  if (!bundle) return std::unexpected(bundle.error());
  const auto authorities = certificates_from_pem(*bundle);
  if (!authorities) return with_context(authorities.error(), (dir / "ca.pem").string());
  std::vector<Certificate> all;
  for (const CertificatePtr& one : *authorities) {
    auto known = inspect(one.get());
    if (!known) return std::unexpected(known.error());
    known->old_authority = !all.empty();
    all.push_back(std::move(*known));
  }
  auto rest = issued(dir, authorities->front().get());
  if (!rest) return std::unexpected(rest.error());
  std::ranges::move(*rest, std::back_inserter(all));
  return all;
}

std::set<std::string> agent_names(const std::filesystem::path& dir) {
  std::set<std::string> names;
  if (const auto known = describe(dir))
    for (const Certificate& one : *known)
      if (one.role == kRoleAgent && one.state == CertificateState::valid) names.insert(one.name);
  return names;
}

Result<void> renew(const std::filesystem::path& dir) {
  if (auto there = check_there(dir); !there) return there;
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
  const auto authority = read_authority(dir);
  if (!authority) return std::unexpected(authority.error());
  if (const auto late = without_new_authority(dir); !late) return std::unexpected(late.error());
  else if (!late->empty())
    return fail(
        ErrorCode::conflict,
        "these agents do not know the new authority yet, and would refuse the controller: " +
            *late + "; they take it when they next connect, or revoke them");
  const auto before = describe(dir);
  if (!before) return std::unexpected(before.error());
  const UtcTime at = now();
  for (const auto& [name, role] : {std::pair{kControllerName, kRoleController},
                                   std::pair{std::string_view{"operator"}, kRoleOperator}}) {
    if (auto made = issue_pair(dir, *authority, spec_for(name, role, kCertificateValidity, at),
                               files_of(dir, role));
        !made)
      return made;
    for (const Certificate& one : *before)
      if (one.name == name && one.role == role && one.state == CertificateState::valid)
        if (auto done = record_revocation(dir, one, "renewed", at); !done) return done;
  }
  return {};
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
