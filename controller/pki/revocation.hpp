// Certificates that no longer count though they have not expired, and the change to another
// authority. A running controller reads what is written here within a second.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/pki/pki.hpp"

namespace firedrill::pki {

/// Revokes every certificate of `name` (an agent, an operator) that is still valid, or the one of
/// that serial number, and withdraws the join tokens made for that host. What the host does next is
/// its own affair: it can only come back with a new token.
///
/// @returns what was revoked
/// @errors not_found       nothing was issued under that name or number
///         already_exists  all of it was revoked or has expired before
///         refused         the controller's own: agents read no revocations; see renew() and
///                         begin_rotation()
[[nodiscard]] Result<std::vector<Certificate>> revoke(const std::filesystem::path& dir,
                                                      std::string_view name_or_serial,
                                                      std::string_view reason);

/// The serial numbers that count no more: one read of a folder. @errors io_failed
[[nodiscard]] Result<std::set<std::string>> revoked_serials(const std::filesystem::path& dir);

/// Makes a new authority that signs from now on; the old one stays trusted beside it, its key is
/// deleted. Agents take the new one over their link, with a certificate that it signed.
/// @errors conflict  a change-over is under way already
[[nodiscard]] Result<void> begin_rotation(const std::filesystem::path& dir);
/// Stops trusting the old authority. @errors not_found  no change-over is under way
///         conflict  valid certificates of the old one are in use; their names
[[nodiscard]] Result<void> end_rotation(const std::filesystem::path& dir);

/// During a change-over: the agents with a valid certificate, none of it by the new authority.
/// "db-1, db-2", or empty.
[[nodiscard]] Result<std::string> without_new_authority(const std::filesystem::path& dir);

}  // namespace firedrill::pki
