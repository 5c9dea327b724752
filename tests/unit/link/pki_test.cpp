// The authority: what init and issue leave on disk, and what they refuse to touch.
#include <fstream>

#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "controller/pki/operator_access.hpp"
#include "tests/unit/link/support.hpp"

namespace firedrill::link_test {
namespace {

using ::testing::HasSubstr;

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777U;
}

pki::CertificatePtr certificate_at(const std::filesystem::path& path) {
  return pki::certificate_from_pem(text_of(path)).value();
}

TEST(Pki, InitTwiceKeepsEveryByte) {
  const Authority authority;
  std::map<std::filesystem::path, std::string> before;
  for (const auto& file : std::filesystem::recursive_directory_iterator{authority.dir()})
    if (file.is_regular_file()) before[file.path()] = text_of(file.path());
  ASSERT_TRUE(pki::init(authority.dir()));
  std::map<std::filesystem::path, std::string> after;
  for (const auto& file : std::filesystem::recursive_directory_iterator{authority.dir()})
    if (file.is_regular_file()) after[file.path()] = text_of(file.path());
  EXPECT_EQ(before, after);
}

TEST(Pki, SecretsAreTheOwnersAlone) {
  const Authority authority;
  for (const char* name : {"ca.key", "controller.key", "operator.key", "webhook.token"})
    EXPECT_EQ(mode_of(authority.dir() / name), 0600U) << name;
  EXPECT_EQ(mode_of(authority.agent("db-1").key), 0600U);
  EXPECT_EQ(mode_of(authority.dir()), 0700U);
  EXPECT_EQ(pki::webhook_token(authority.dir()).value().size(), 64U);
}

TEST(Pki, ExtensionsSayWhatEachMayDo) {
  const Authority authority;
  const auto ca = certificate_at(authority.dir() / "ca.pem");
  const auto server = certificate_at(authority.dir() / "controller.pem");
  const auto client = certificate_at(authority.agent("db-1").certificate);
  EXPECT_EQ(X509_check_ca(ca.get()), 1);
  EXPECT_EQ(X509_check_ca(server.get()), 0);
  EXPECT_EQ(X509_get_extended_key_usage(server.get()), unsigned{XKU_SSL_SERVER});
  EXPECT_EQ(X509_get_extended_key_usage(client.get()), unsigned{XKU_SSL_CLIENT});
  EXPECT_EQ(X509_get_key_usage(client.get()), unsigned{KU_DIGITAL_SIGNATURE});
  for (const char* name : {"firedrill-controller", "localhost"})
    EXPECT_EQ(X509_check_host(server.get(), name, 0, 0, nullptr), 1) << name;
  EXPECT_EQ(X509_check_ip_asc(server.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_host(server.get(), "db-1", 0, 0, nullptr), 0);
  EXPECT_EQ(pki::subject_entry(client.get(), NID_commonName), "db-1");
  EXPECT_EQ(pki::subject_entry(client.get(), NID_organizationalUnitName), "agent");
  EXPECT_EQ(X509_verify(client.get(), X509_get0_pubkey(ca.get())), 1);
}

TEST(Pki, SerialNumbersDiffer) {
  const Authority authority;
  const auto one = certificate_at(authority.agent("db-1").certificate);
  const auto other = certificate_at(authority.agent("db-2").certificate);
  EXPECT_NE(
      ASN1_INTEGER_cmp(X509_get0_serialNumber(one.get()), X509_get0_serialNumber(other.get())), 0);
}

TEST(Pki, HalfAPairIsRefusedNotReplaced) {
  for (const char* lost : {"ca.key", "ca.pem", "controller.key", "operator.pem"}) {
    const Authority authority;
    std::filesystem::remove(authority.dir() / lost);
    const auto again = pki::init(authority.dir());
    ASSERT_FALSE(again) << lost;
    EXPECT_EQ(again.error().code, ErrorCode::corrupt);
    EXPECT_THAT(again.error().what, HasSubstr(lost));
  }
}

TEST(Pki, AForeignPairIsNotTakenForOurs) {
  const Authority ours;
  const Authority theirs;
  for (const char* name : {"controller.key", "controller.pem"})
    std::filesystem::copy_file(theirs.dir() / name, ours.dir() / name,
                               std::filesystem::copy_options::overwrite_existing);
  const auto again = pki::init(ours.dir());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::corrupt);
}

TEST(Pki, BadNamesAndRolesAreRefused) {
  const Authority authority;
  const TempDir out;
  const std::string too_long(65, 'a');
  for (const std::string& name : {std::string{}, std::string{"a b"}, std::string{"../up"},
                                  std::string{"ü"}, std::string{"a/OU=operator"}, too_long}) {
    const auto issued = pki::issue(authority.dir(), name, pki::kRoleAgent, out.path() / "x");
    ASSERT_FALSE(issued) << name;
    EXPECT_EQ(issued.error().code, ErrorCode::invalid_input);
  }
  const auto issued = pki::issue(authority.dir(), "db-1", "root", out.path() / "x");
  ASSERT_FALSE(issued);
  EXPECT_EQ(issued.error().code, ErrorCode::invalid_input);
  EXPECT_FALSE(std::filesystem::exists(out.path() / "x"));
  EXPECT_TRUE(pki::issue(authority.dir(), std::string(64, 'a'), "agent", out.path() / "y"));
}

TEST(Pki, IssueReplacesNothing) {
  const Authority authority;
  const Authority other;
  const pki::Identity files = authority.agent("db-1");
  const std::string before = text_of(files.key);
  const auto again = pki::issue(authority.dir(), "db-1", pki::kRoleAgent, files.key.parent_path());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::already_exists);
  EXPECT_EQ(text_of(files.key), before);
  const auto foreign = pki::issue(other.dir(), "db-1", pki::kRoleOperator, files.key.parent_path());
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, ErrorCode::conflict);
  const auto nowhere = pki::issue(files.key.parent_path() / "none", "db-1", "agent", "unused");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::not_found);
}

TEST(Pki, DescribeListsTheAuthorityAndAllItIssued) {
  const Authority authority;
  (void)authority.agent("db-1");
  const auto list = pki::describe(authority.dir());
  ASSERT_TRUE(list) << describe(list.error());
  std::vector<std::string> lines;
  for (const pki::Certificate& one : *list) {
    lines.push_back(one.role + " " + one.name);
    EXPECT_GT(one.not_after, one.not_before + std::chrono::days{700});
    EXPECT_EQ(one.fingerprint.size(), 64U);
  }
  EXPECT_THAT(lines,
              ::testing::ElementsAre("ca Firedrill CA", "agent db-1",
                                     "controller firedrill-controller", "operator operator"));
  const auto none = pki::describe(authority.dir() / "none");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::not_found);
}

TEST(Pki, ATornTokenIsRefused) {
  const Authority authority;
  std::ofstream{authority.dir() / "webhook.token"} << "0123";
  const auto token = pki::webhook_token(authority.dir());
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, ErrorCode::corrupt);
  EXPECT_FALSE(pki::init(authority.dir()));
}

TEST(OperatorAccess, BracketsAnIpv6Address) {
  EXPECT_EQ(pki::connect_to("10.0.0.1", 7443), "firedrill-controller:7443:10.0.0.1:7443");
  EXPECT_EQ(pki::connect_to("::1", 1), "firedrill-controller:1:[::1]:1");
  EXPECT_EQ(pki::url(7443, "/api/runs"), "https://firedrill-controller:7443/api/runs");
}

}  // namespace
}  // namespace firedrill::link_test
