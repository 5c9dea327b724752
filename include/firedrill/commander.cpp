#include "firedrill/commander.hpp"

#include <array>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

#include <pwd.h>
#include <unistd.h>

namespace firedrill {
namespace {

std::string user_name(uid_t uid) {
  std::array<char, 4096> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
    return found->pw_name;
  return "uid " + std::to_string(uid);
}

}  // namespace

std::string_view ssh_client(std::string_view environment) {
  constexpr std::string_view kName = "SSH_CONNECTION=";
  while (!environment.empty()) {
    const std::size_t end = environment.find('\0');
    const std::string_view entry = environment.substr(0, end);
    if (entry.starts_with(kName))
      return entry.substr(kName.size()).substr(0, entry.find(' ') - kName.size());
    environment.remove_prefix(end == std::string_view::npos ? environment.size() : end + 1);
  }
  return {};
}

Json commander_of(pid_t process, uid_t user) {
  Json out{{"user", user_name(user)}, {"from", "local"}};
  if (process <= 0) return out;
  const std::string folder = "/proc/" + std::to_string(process) + "/";
  constexpr std::uint32_t kUnset = 0xFFFFFFFF;
  std::uint32_t login = kUnset;
  if (std::ifstream(folder + "loginuid") >> login && login != kUnset && login != user)
    out["login"] = user_name(login);
  std::ifstream file(folder + "environ", std::ios::binary);
  const std::string environment{std::istreambuf_iterator<char>(file), {}};
  // What anybody may have put there must not make an event that cannot be stored.
  constexpr std::string_view kAddress = "0123456789abcdefABCDEF.:%";
  const std::string_view client = ssh_client(environment);
  if (!client.empty() && client.size() <= 64 &&
      client.find_first_not_of(kAddress) == std::string_view::npos)
    out["from"] = client;
  return out;
}

Json local_commander() { return commander_of(::getpid(), ::getuid()); }

std::string commander_name(const Json& by) {
  const auto text = [&](std::string_view key) {
    const auto found = by.find(key);
    return by.is_object() && found != by.end() && found->is_string() ? found->get<std::string>()
                                                                     : std::string();
  };
  std::string who = text("certificate");
  if (who.empty()) who = text("user");
  if (const std::string login = text("login"); !login.empty()) who = login + " as " + who;
  return who;
}

}  // namespace firedrill
