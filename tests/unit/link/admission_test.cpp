// The authority's decisions: what a token buys and when it does not, who is revoked, how keys and
// the authority itself are replaced. Files only; no socket.
#include <atomic>
#include <thread>

#include "agent/uplink/identity.hpp"
#include "controller/pki/revocation.hpp"
#include "controller/pki/tokens.hpp"
#include "firedrill/files.hpp"
#include "tests/unit/link/support.hpp"

namespace firedrill::link_test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

UtcTime now() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

class Admission : public ::testing::Test {
 protected:
  join::Token token(const std::string& host = "", UtcTime at = now()) const {
    const auto made = pki::make_token(dir(), {.host = host, .tags = {{"role", "db"}}}, at);
    EXPECT_TRUE(made) << describe(made.error());
    return made.value_or(join::Token{});
  }
  Result<join::Credentials> join(const join::Token& token, const std::string& name = "db-1",
                                 UtcTime at = now()) const {
    return pki::admit(dir(), {token.secret, name, csr_}, at);
  }
  Result<join::Credentials> renew(const std::string& name, const std::string& serial) const {
    return pki::renew_agent(dir(), name, serial, csr_, now());
  }
  /// The one valid certificate of that name; the test fails when there are none or several.
  pki::Certificate valid(const std::string& name, const std::string& role = "agent") const {
    std::vector<pki::Certificate> found;
    for (const auto& one : pki::describe(dir()).value())
      if (one.name == name && one.role == role && one.state == pki::CertificateState::valid)
        found.push_back(one);
    EXPECT_EQ(found.size(), 1U) << name;
    return found.empty() ? pki::Certificate{} : found.front();
  }
  static std::string why(const Result<join::Credentials>& refused) {
    return refused ? "it was not refused" : refused.error().what;
  }
  std::filesystem::path dir() const { return authority_.dir(); }

  Authority authority_;
  std::string csr_ = agent::make_request("db-1").value().csr;
};

TEST_F(Admission, ATokenIsGoodOnce) {
  const join::Token once = token();
  const auto first = join(once);
  ASSERT_TRUE(first) << describe(first.error());
  EXPECT_EQ(first->name, "db-1");
  EXPECT_EQ(first->tags.at("role"), "db");
  EXPECT_EQ(first->ca, text_of(dir() / "ca.pem"));
  const auto again = join(once, "db-2");
  EXPECT_THAT(why(again), HasSubstr("used already"));
  EXPECT_EQ(again.error().code, ErrorCode::refused);
}

TEST_F(Admission, OfTwentyAtOnceOneGetsIn) {
  const join::Token once = token();
  std::atomic<int> admitted = 0, refused = 0;
  {
    std::vector<std::jthread> crowd;
    for (int i = 0; i < 20; ++i)
      crowd.emplace_back([&, name = "db-" + std::to_string(i)] {
        if (join(once, name)) ++admitted;
        else ++refused;
      });
  }
  EXPECT_EQ(admitted, 1);
  EXPECT_EQ(refused, 19);
}

TEST_F(Admission, ExpiredAndUnknownTokensAreToldApart) {
  EXPECT_THAT(why(join(token("", now() - 16min))), HasSubstr("expired at"));
  EXPECT_TRUE(join(token("", now() - 14min)));
  EXPECT_THAT(why(join({std::string(32, 'a'), std::string(64, 'b')}, "db-2")),
              HasSubstr("no such join token"));
}

TEST_F(Admission, OnlyTheHashOfASecretIsKept) {
  const join::Token once = token();
  const auto holds_secret = [&] {
    for (const auto& file : std::filesystem::recursive_directory_iterator{dir()})
      if (file.path().string().find(once.secret) != std::string::npos ||
          (file.is_regular_file() && text_of(file.path()).find(once.secret) != std::string::npos))
        return true;
    return false;
  };
  EXPECT_FALSE(holds_secret());
  ASSERT_TRUE(join(once));
  EXPECT_FALSE(holds_secret());
}

TEST_F(Admission, ABadRequestUsesNoToken) {
  const join::Token once = token();
  for (const std::string& csr : {std::string{"nonsense"}, text_of(dir() / "ca.pem")}) {
    const auto refused = pki::admit(dir(), {once.secret, "db-1", csr}, now());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_input);
  }
  EXPECT_TRUE(join(once));
}

TEST_F(Admission, ATokenForAnyHostTakesNobodysName) {
  ASSERT_TRUE(join(token()));
  const join::Token other = token();
  EXPECT_THAT(why(join(other)), HasSubstr("--host db-1"));
  EXPECT_TRUE(join(other, "db-2")) << "it was not used up";
}

TEST_F(Admission, ATokenForOneHostNamesItAndEndsWhatItHadBefore) {
  ASSERT_TRUE(join(token()));
  const std::string before = valid("db-1").serial;
  const auto again = join(token("db-1"), "calls-itself-otherwise");
  ASSERT_TRUE(again) << describe(again.error());
  EXPECT_EQ(again->name, "db-1");
  EXPECT_NE(valid("db-1").serial, before);
  EXPECT_TRUE(pki::revoked_serials(dir())->contains(before));
}

TEST_F(Admission, LifetimesOutOfBoundsAreRefused) {
  for (const pki::TokenOptions& options :
       {pki::TokenOptions{.ttl = 0s}, pki::TokenOptions{.ttl = std::chrono::days{8}},
        pki::TokenOptions{.lifetime = 59min}, pki::TokenOptions{.host = "a b"}}) {
    const auto made = pki::make_token(dir(), options, now());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::invalid_input);
  }
}

TEST_F(Admission, ARenewedCertificateLivesAsLongAsTheOneBefore) {
  for (const Duration lifetime : {Duration{2h}, Duration{30 * 24h}, Duration{300 * 24h}}) {
    const Authority authority;
    const auto made =
        pki::make_token(authority.dir(), {.host = "db-1", .lifetime = lifetime}, now());
    ASSERT_TRUE(pki::admit(authority.dir(), {made->secret, "db-1", csr_}, now()));
    for (int i = 0; i < 3; ++i) {
      auto known = pki::describe(authority.dir()).value();
      std::erase_if(known, [](const auto& one) { return one.role != "agent"; });
      const auto& last = known.back();
      const Duration left = last.not_after - now();
      EXPECT_LE(left, lifetime + 1min);
      EXPECT_GT(left, lifetime - 1min);
      ASSERT_TRUE(pki::renew_agent(authority.dir(), "db-1", last.serial, csr_, now()));
    }
  }
}

TEST_F(Admission, OnlyAValidCertificateOfThatNameRenews) {
  ASSERT_TRUE(join(token("db-1")));
  ASSERT_TRUE(join(token("db-2")));
  const std::string serial = valid("db-1").serial;
  EXPECT_THAT(why(renew("db-2", serial)), HasSubstr("not in the list"));
  EXPECT_THAT(why(renew("db-1", "0123")), HasSubstr("not in the list"));
  for (int i = 1; i < 16; ++i) ASSERT_TRUE(renew("db-1", serial));
  EXPECT_THAT(why(renew("db-1", serial)), HasSubstr("16 valid")) << "the list does not grow";
  ASSERT_TRUE(pki::revoke(dir(), "db-1", "stolen"));
  EXPECT_THAT(why(renew("db-1", serial)), HasSubstr("revoked"));
}

TEST_F(Admission, RevokingANameEndsAllOfItAndItsTokens) {
  ASSERT_TRUE(join(token("db-1")));
  ASSERT_TRUE(renew("db-1", valid("db-1").serial));
  const join::Token waiting = token("db-1");
  const auto revoked = pki::revoke(dir(), "db-1", "disk sold");
  ASSERT_TRUE(revoked) << describe(revoked.error());
  EXPECT_EQ(revoked->size(), 2U);
  EXPECT_FALSE(pki::agent_names(dir()).contains("db-1"));
  EXPECT_THAT(why(join(waiting)), HasSubstr("no such join token"));
  for (const auto& one : pki::describe(dir()).value())
    if (one.name == "db-1") EXPECT_EQ(one.reason, "disk sold");
  EXPECT_EQ(pki::revoke(dir(), "db-1", "").error().code, ErrorCode::already_exists);
  EXPECT_TRUE(join(token("db-1"))) << "a new token lets it back in";
}

TEST_F(Admission, RevokingKnowsSerialNumbersAndNearbyNames) {
  ASSERT_TRUE(join(token("db-1")));
  ASSERT_TRUE(renew("db-1", valid("db-1").serial));
  std::string serial;
  for (const auto& one : pki::describe(dir()).value())
    if (one.name == "db-1") serial = one.serial;
  ASSERT_EQ(pki::revoke(dir(), serial, "")->size(), 1U);
  EXPECT_NE(valid("db-1").serial, serial);
  const auto unknown = pki::revoke(dir(), "db-2", "");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().what, HasSubstr("Did you mean 'db-1'?"));
  EXPECT_EQ(pki::revoke(dir(), "firedrill-controller", "").error().code, ErrorCode::refused);
}

TEST_F(Admission, ATornRevocationStillRevokes) {
  ASSERT_TRUE(join(token("db-1")));
  const std::string serial = valid("db-1").serial;
  ASSERT_TRUE(pki::revoke(dir(), "db-1", "stolen"));
  ASSERT_TRUE(write_file(dir() / "revoked" / serial, "{\"rea", 0644));
  EXPECT_FALSE(pki::agent_names(dir()).contains("db-1"));
}

TEST_F(Admission, TheControllersOwnPairsAreRenewed) {
  const std::string controller = valid("firedrill-controller", "controller").serial;
  const std::string person = valid("operator", "operator").serial;
  ASSERT_TRUE(pki::renew(dir()));
  EXPECT_NE(valid("firedrill-controller", "controller").serial, controller);
  EXPECT_NE(valid("operator", "operator").serial, person);
  EXPECT_TRUE(pki::revoked_serials(dir())->contains(person));
  EXPECT_TRUE(pki::ready_files(dir(), pki::kRoleController));
  EXPECT_TRUE(pki::init(dir())) << "and it still fits together";
}

TEST_F(Admission, AReplacementThatWasCutShortIsEnded) {
  const pki::Identity files = pki::files_of(dir(), pki::kRoleController);
  const std::string old_key = text_of(files.key);
  ASSERT_TRUE(pki::renew(dir()));
  const std::string new_key = text_of(files.key);
  // Killed between the two renames: the new certificate is there, its key not yet.
  ASSERT_TRUE(write_file(files.key.string() + ".next", new_key, 0600));
  ASSERT_TRUE(write_file(files.key, old_key, 0600));
  ASSERT_TRUE(pki::ready_files(dir(), pki::kRoleController));
  EXPECT_EQ(text_of(files.key), new_key);
  // Killed before the first: the next key belongs to nothing.
  ASSERT_TRUE(write_file(files.key.string() + ".next", old_key, 0600));
  ASSERT_TRUE(pki::ready_files(dir(), pki::kRoleController));
  EXPECT_EQ(text_of(files.key), new_key);
  EXPECT_FALSE(is_there(files.key.string() + ".next"));
}

TEST_F(Admission, AChangeOfTheAuthorityLeavesNobodyBehind) {
  ASSERT_TRUE(join(token("db-1")));
  EXPECT_EQ(pki::end_rotation(dir()).error().code, ErrorCode::not_found);
  ASSERT_TRUE(pki::begin_rotation(dir()));
  EXPECT_EQ(pki::begin_rotation(dir()).error().code, ErrorCode::conflict);
  EXPECT_THAT(pki::renew(dir()).error().what, HasSubstr("db-1")) << "it would refuse the new one";
  EXPECT_THAT(pki::end_rotation(dir()).error().what, HasSubstr("pki renew"));
  const auto renewed = renew("db-1", valid("db-1").serial);
  ASSERT_TRUE(renewed) << describe(renewed.error());
  EXPECT_EQ(pki::certificates_from_pem(renewed->ca)->size(), 2U) << "both, for the change-over";
  ASSERT_TRUE(pki::renew(dir()));
  const auto ended = pki::end_rotation(dir());
  ASSERT_TRUE(ended) << describe(ended.error());
  EXPECT_EQ(pki::certificates_from_pem(text_of(dir() / "ca.pem"))->size(), 1U);
  EXPECT_TRUE(pki::init(dir()));
}

TEST(JoinToken, IsReadAsItIsWritten) {
  const join::Token token{std::string(32, '7'), std::string(64, 'f')};
  EXPECT_EQ(join::parse_token(join::to_string(token)).value(), token);
}

TEST(JoinToken, IsRefusedWithoutRepeatingTheSecret) {
  const std::string secret = "0123456789abcdef0123456789abcdef";
  for (const std::string& text :
       {std::string{}, secret, "fd2." + secret + "." + std::string(64, '0'), "fd1." + secret,
        "fd1." + secret + "." + std::string(63, '0'), "fd1." + secret + "." + std::string(64, 'G'),
        "fd1." + secret + "0." + std::string(64, '0'), std::string(1000, '.')}) {
    const auto parsed = join::parse_token(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().what, Not(HasSubstr(secret)));
  }
}

}  // namespace
}  // namespace firedrill::link_test
