// Who gives a command.
#include "firedrill/commander.hpp"

#include <gtest/gtest.h>
#include <pwd.h>
#include <unistd.h>

namespace firedrill {
namespace {

using namespace std::string_view_literals;

TEST(Commander, SshClientIsReadOutOfAnEnvironment) {
  EXPECT_EQ(ssh_client("A=1\0SSH_CONNECTION=10.0.0.5 4022 10.0.0.1 22\0B=2\0"sv), "10.0.0.5");
  EXPECT_EQ(ssh_client("SSH_CONNECTION=fe80::1%eth0"sv), "fe80::1%eth0");
  EXPECT_EQ(ssh_client("MY_SSH_CONNECTION=10.0.0.5 1\0\0\0X"sv), "");
  EXPECT_EQ(ssh_client(""), "");
}

TEST(Commander, IsNamedByTheKernelsWord) {
  const Json by = local_commander();
  const passwd* user = ::getpwuid(::getuid());
  EXPECT_EQ(by["user"],
            user != nullptr ? std::string(user->pw_name) : "uid " + std::to_string(::getuid()));
  EXPECT_TRUE(by["from"].is_string());
  EXPECT_EQ(commander_of(0, 3'999'999'999U), (Json{{"user", "uid 3999999999"}, {"from", "local"}}));
}

TEST(Commander, HasOneNameForALine) {
  EXPECT_EQ(commander_name({{"user", "root"}, {"login", "ada"}, {"from", "local"}}), "ada as root");
  EXPECT_EQ(commander_name({{"certificate", "alice"}, {"address", "10.0.0.5"}}), "alice");
  EXPECT_EQ(commander_name(Json()), "");
  EXPECT_EQ(commander_name({{"user", 7}}), "");
}

}  // namespace
}  // namespace firedrill
