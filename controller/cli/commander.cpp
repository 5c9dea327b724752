// Who gives the commands at this terminal, as far as the kernel knows.
#include <array>
#include <cstdlib>
#include <fstream>

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include "controller/cli/cli.hpp"

namespace firedrill::cli {

Json local_commander() {
  const auto name_of = [](uid_t uid) {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
      return std::string(found->pw_name);
    return fmt::format("uid {}", uid);
  };
  Json out{{"user", name_of(::getuid())}, {"from", "local"}};
  constexpr std::uint32_t kUnset = 0xFFFFFFFF;
  std::uint32_t login = kUnset;
  if (std::ifstream("/proc/self/loginuid") >> login && login != kUnset && login != ::getuid())
    out["login"] = name_of(login);
  if (const char* connection = std::getenv("SSH_CONNECTION"); connection != nullptr) {
    const std::string_view words(connection);
    out["from"] = words.substr(0, words.find(' '));
  }
  return out;
}

}  // namespace firedrill::cli
