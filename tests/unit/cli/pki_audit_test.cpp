// What `firedrill pki` and `firedrill audit` show of each other, through the command line itself.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/cli/cli.hpp"
#include "controller/store/store.hpp"

namespace firedrill::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
namespace fs = std::filesystem;

struct Said {
  int code = 0;
  std::string out;
};

class PkiAuditTest : public testing::Test {
 protected:
  PkiAuditTest() {
    std::string pattern = (fs::temp_directory_path() / "pki-audit-XXXXXX").string();
    home_ = ::mkdtemp(pattern.data());
  }
  ~PkiAuditTest() override { fs::remove_all(home_); }

  Said firedrill(std::vector<std::string> words) const {
    words.insert(words.begin(), {"firedrill", "--home", home_.string()});
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Said said;
    said.code = cli::run(static_cast<int>(argv.size()), argv.data());
    said.out = testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
    return said;
  }
  std::vector<std::string> commands() const {
    std::vector<std::string> out;
    for (const Json& entry : Json::parse(firedrill({"--json", "audit", "pki"}).out))
      out.push_back(entry["command"]);
    return out;
  }

  fs::path home_;
};

TEST_F(PkiAuditTest, EveryChangeOfCertificatesIsInItWithWhoAskedForIt) {
  const std::string out = (home_ / "db-1").string();
  ASSERT_EQ(firedrill({"pki", "init"}).code, 0);
  ASSERT_EQ(firedrill({"pki", "init"}).code, 0);
  ASSERT_EQ(firedrill({"pki", "issue", "db-1", "--out", out}).code, 0);
  const Said token = firedrill({"pki", "token", "--host", "db-2", "--tags", "role=db,zone=a"});
  ASSERT_EQ(token.code, 0);
  ASSERT_EQ(firedrill({"pki", "revoke", "db-1", "--reason", "disk sold"}).code, 0);
  ASSERT_EQ(firedrill({"pki", "renew"}).code, 0);
  ASSERT_EQ(firedrill({"pki", "rotate-ca"}).code, 0);
  EXPECT_THAT(commands(),
              ElementsAre("pki init", "pki issue db-1, role agent, out " + out,
                          "pki token, host db-2, tags role=db,zone=a, ttl 15m, lifetime 30d",
                          "pki revoke db-1, reason disk sold", "pki renew", "pki rotate-ca"));
  const Said listed = firedrill({"--json", "audit"});
  for (const Json& entry : Json::parse(listed.out))
    EXPECT_EQ(entry["who"], commander_name(local_commander()));
  EXPECT_THAT(listed.out, Not(HasSubstr(token.out.substr(0, token.out.find('\n')))));
  EXPECT_THAT(firedrill({"audit", "verify"}).out, StartsWith("ok           pki: 6 events"));
  EXPECT_THAT(firedrill({"runs"}).out, StartsWith("no runs yet"));
}

TEST_F(PkiAuditTest, WhatFailedIsInItAndReadingIsNot) {
  ASSERT_EQ(firedrill({"pki", "init"}).code, 0);
  EXPECT_EQ(firedrill({"pki", "list"}).code, 0);
  EXPECT_EQ(firedrill({"pki", "revoke", "nobody"}).code, kError);
  EXPECT_EQ(firedrill({"pki", "rotate-ca", "--finish"}).code, kError);
  const auto said = commands();
  ASSERT_EQ(said.size(), 4U);
  EXPECT_THAT(said[1], StartsWith("pki revoke nobody failed: "));
  EXPECT_EQ(said[2], "pki rotate-ca --finish");
  EXPECT_THAT(said[3], StartsWith("pki rotate-ca --finish failed: "));
}

TEST_F(PkiAuditTest, WhatCannotBeKeptIsNotDoneButARevocationIs) {
  ASSERT_EQ(firedrill({"pki", "init"}).code, 0);
  ASSERT_EQ(firedrill({"pki", "issue", "db-1", "--out", (home_ / "db-1").string()}).code, 0);
  for (const char* name : {"runs.db", "runs.db-wal", "runs.db-shm"}) fs::remove(home_ / name);
  std::ofstream(home_ / "runs.db") << "this is no database at all, and long enough to show it";
  const Said refused = firedrill({"pki", "issue", "db-2", "--out", (home_ / "db-2").string()});
  EXPECT_EQ(refused.code, kError);
  EXPECT_THAT(refused.out, HasSubstr("not done, because the audit cannot be written"));
  EXPECT_FALSE(fs::exists(home_ / "db-2"));
  const Said revoked = firedrill({"pki", "revoke", "db-1"});
  EXPECT_EQ(revoked.code, kError);
  EXPECT_THAT(revoked.out, HasSubstr("revoked 1 certificate of 'db-1'"));
  EXPECT_THAT(revoked.out, HasSubstr("it is done, but not in the audit"));
}

}  // namespace
}  // namespace firedrill::cli
