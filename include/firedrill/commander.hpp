// Who gives a command, as far as the kernel knows: for the audit of both programs.
#pragma once

#include <string_view>

#include <sys/types.h>

#include "firedrill/json.hpp"

namespace firedrill {

/// {"user": name or "uid N", "from": "local" or the address of their SSH connection, "login"?}.
/// Whoever became another user by su or sudo is known by the login that the kernel keeps
/// (loginuid). Reads /proc; what it does not tell is left out.
/// @param process  whose login and connection count; 0: not known
[[nodiscard]] Json commander_of(pid_t process, uid_t user);
/// Whoever runs this program.
[[nodiscard]] Json local_commander();

/// The client's address in an environment block (entries end with NUL); empty: not by SSH.
[[nodiscard]] std::string_view ssh_client(std::string_view environment);

/// One word for a line: "ada as root", or the name in a controller's or operator's certificate.
[[nodiscard]] std::string commander_name(const Json& by);

}  // namespace firedrill
