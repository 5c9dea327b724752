#include "controller/pki/revocation.hpp"

#include <algorithm>
#include <chrono>
#include <map>

#include "controller/pki/authority.hpp"
#include "controller/pki/tokens.hpp"
#include "firedrill/files.hpp"
#include "firedrill/json.hpp"

namespace firedrill::pki {
namespace {

constexpr std::chrono::days kAuthorityValidity{3650};

bool is_serial(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Error unknown(std::string_view word, const std::vector<Certificate>& known) {
  std::vector<std::string_view> names;
  for (const Certificate& one : known)
    if (one.role != kRoleAuthority && std::ranges::find(names, one.name) == names.end())
      names.push_back(one.name);
  return {ErrorCode::not_found,
          0,
          "no certificate has the name or serial number '" + std::string{word} + "'." +
              suggestion(word, names),
          {}};
}

/// The names of those with a valid certificate of `role`, and none of it by the new authority.
std::string left_behind(const std::vector<Certificate>& known, std::string_view role) {
  std::map<std::string, bool> moved;
  for (const Certificate& one : known)
    if (one.state == CertificateState::valid && one.role == role)
      moved[one.name] |= !one.old_authority;
  std::string names;
  for (const auto& [name, has_new] : moved)
    if (!has_new) names += (names.empty() ? "" : ", ") + name;
  return names;
}

bool under_way(const std::vector<Certificate>& known) {
  return std::ranges::count(known, kRoleAuthority, &Certificate::role) > 1;
}

}  // namespace

Result<std::vector<Certificate>> revoke(const std::filesystem::path& dir, std::string_view word,
                                        std::string_view reason) {
  if (!is_there(dir / "ca.pem")) return std::unexpected(describe(dir).error());
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
  const auto known = describe(dir);
  if (!known) return std::unexpected(known.error());
  std::vector<Certificate> done;
  bool found = false;
  const UtcTime at = now();
  for (const Certificate& one : *known) {
    if (one.role == kRoleAuthority || (one.name != word && one.serial != word)) continue;
    found = true;
    if (one.state != CertificateState::valid) continue;
    if (one.role == kRoleController)
      return fail(ErrorCode::refused,
                  "agents do not read revocations, so a controller's certificate is not revoked: "
                  "replace it with 'firedrill pki renew', and if its key was stolen change the "
                  "authority with 'firedrill pki rotate-ca'");
    if (auto marked = record_revocation(dir, one, reason, at); !marked)
      return std::unexpected(marked.error());
    done.push_back(one);
    done.back().state = CertificateState::revoked;
    done.back().reason = reason;
  }
  if (auto gone = withdraw_tokens(dir, word); !gone) return std::unexpected(gone.error());
  if (!found) return std::unexpected(unknown(word, *known));
  if (done.empty())
    return fail(ErrorCode::already_exists, "no certificate of '" + std::string{word} +
                                               "' is valid any more; see 'firedrill pki list'");
  return done;
}

Result<std::set<std::string>> revoked_serials(const std::filesystem::path& dir) {
  const auto names = names_in(dir / "revoked");
  if (!names) return std::unexpected(names.error());
  std::set<std::string> serials;
  for (const std::string& name : *names)
    if (is_serial(name)) serials.insert(name);
  return serials;
}

Result<void> begin_rotation(const std::filesystem::path& dir) {
  if (!is_there(dir / "ca.pem")) return std::unexpected(describe(dir).error());
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
  const auto old = read_authority(dir);
  if (!old) return std::unexpected(old.error());
  if (old->trusted.size() > 1)
    return fail(ErrorCode::conflict,
                "a change of the authority is under way: end it with 'firedrill pki rotate-ca "
                "--finish' first");
  const auto made =
      make_pair(spec_for("Firedrill CA", kRoleAuthority, kAuthorityValidity, now()), nullptr);
  if (!made) return std::unexpected(made.error());
  return write_authority(dir, *made, old->bundle);
}

Result<void> end_rotation(const std::filesystem::path& dir) {
  if (!is_there(dir / "ca.pem")) return std::unexpected(describe(dir).error());
  const auto lock = Lock::take(dir);
  if (!lock) return std::unexpected(lock.error());
  const auto known = describe(dir);
  if (!known) return std::unexpected(known.error());
  if (!under_way(*known))
    return fail(ErrorCode::not_found, "no change of the authority is under way");
  if (!left_behind(*known, kRoleController).empty())
    return fail(ErrorCode::conflict,
                "the controller's own certificate is of the old authority: "
                "'firedrill pki renew' first");
  for (const std::string_view role : {kRoleAgent, kRoleOperator})
    if (const std::string names = left_behind(*known, role); !names.empty())
      return fail(ErrorCode::conflict,
                  "these would be locked out, their certificates are of the old authority: " +
                      names + "; connect them, issue new ones, or revoke them");
  const auto authority = read_authority(dir);
  if (!authority) return std::unexpected(authority.error());
  return write_authority(dir, authority->current, {});
}

Result<std::string> without_new_authority(const std::filesystem::path& dir) {
  const auto known = describe(dir);
  if (!known) return std::unexpected(known.error());
  return under_way(*known) ? left_behind(*known, kRoleAgent) : std::string{};
}

}  // namespace firedrill::pki
