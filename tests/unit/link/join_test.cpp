// A controller that runs, and a host that joins it, renews its certificate over the link, is thrown
// out, or talks to somebody who only looks like its controller.
#include <thread>

#include "agent/uplink/identity.hpp"
#include "agent/uplink/join_client.hpp"
#include "controller/pki/revocation.hpp"
#include "controller/pki/tokens.hpp"
#include "tests/unit/link/support_net.hpp"
#include "tests/unit/link/support_runner.hpp"

namespace firedrill::link_test {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;

UtcTime now() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

class JoinTest : public RunnerTest {
 protected:
  bool noticed(const std::string& words) const {
    return std::ranges::any_of(
        notices(), [&](const std::string& line) { return line.find(words) != std::string::npos; });
  }
  join::Token token(UtcTime at = now()) const { return pki::make_token(dir(), {}, at).value(); }
  Result<join::Credentials> ask(const join::Token& token, std::uint16_t port = 0) const {
    agent::JoinTarget target;
    target.controller = "127.0.0.1";
    target.port = port != 0 ? port : runner_->port();
    target.pin = token.pin;
    return agent::ask_to_join(target, {token.secret, "db-1", request_.csr});
  }
  /// Joins, and gives the files an agent would then run with.
  pki::Identity joined() const {
    const join::Token once = token();
    const auto credentials = ask(once);
    EXPECT_TRUE(credentials) << describe(credentials.error());
    const auto sound = agent::check_credentials(*credentials, request_.key, once.pin);
    EXPECT_TRUE(sound) << describe(sound.error());
    const pki::Identity files{host_.path() / "ca.pem", host_.path() / "agent.pem",
                              host_.path() / "agent.key"};
    EXPECT_TRUE(
        agent::install({files.ca, files.certificate, files.key}, *credentials, request_.key));
    return files;
  }
  bool connected() const {
    const auto agents = runner_->agents(0s);
    return !agents.empty() && agents.front().connected;
  }

  TempDir host_;
  agent::KeyAndRequest request_ = agent::make_request("db-1").value();
};

TEST_F(JoinTest, AHostJoinsByATokenAndConnects) {
  TestAgent agent{joined(), runner_->port()};
  agent.start();
  EXPECT_TRUE(wait_for([&] { return connected(); })) << agent.last_failure();
  EXPECT_TRUE(noticed("'db-1' joined from 127.0.0.1"));
}

TEST_F(JoinTest, ReplayedAndExpiredTokensAreRefusedAndLogged) {
  const join::Token once = token();
  ASSERT_TRUE(ask(once));
  const auto again = ask(once);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().what, HasSubstr("used already"));
  const auto late = ask(token(now() - 1h));
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().what, HasSubstr("expired"));
  EXPECT_TRUE(noticed("refused 127.0.0.1: join: this join token was used already"));
  EXPECT_TRUE(noticed("refused 127.0.0.1: join: this join token expired"));
}

TEST_F(JoinTest, AServerOfAnotherAuthorityNeverSeesTheToken) {
  const Authority other;
  const join::Token theirs = pki::make_token(other.dir(), {}, now()).value();
  const auto refused = ask(theirs);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused);
  EXPECT_THAT(refused.error().what, HasSubstr("not of the authority that the token names"));
}

// An agent's or an operator's own certificate, of the right authority, and even one of theirs that
// would pass for a server's: nobody but a controller gets to see a token.
TEST_F(JoinTest, AnAgentsOrOperatorsCertificateIsNoController) {
  const auto as_server = [&](const pki::Identity& files) {
    FleetConfig config = authority_.fleet_config();
    config.certificate = files.certificate;
    config.key = files.key;
    std::atomic<bool> asked = false;
    FleetHandlers handlers;
    handlers.join = [&](const HttpRequest&) {
      asked = true;
      return HttpResponse{};
    };
    const auto rogue = Fleet::start(std::move(config), std::move(handlers));
    const auto refused = ask(token(), (*rogue)->port());
    EXPECT_FALSE(asked);
    return refused ? "it was not refused" : refused.error().what;
  };
  EXPECT_THAT(as_server(authority_.agent("db-2")), HasSubstr("TLS"));
  EXPECT_THAT(as_server(authority_.operator_identity()), HasSubstr("TLS"));
  EXPECT_THAT(as_server(authority_.odd(valid_spec("db-2", "agent"))),
              HasSubstr("not 'controller'"));
}

TEST_F(JoinTest, WhatAControllerSignsIsCheckedByTheHost) {
  const join::Token once = token();
  const auto good = ask(once).value();
  ASSERT_TRUE(agent::check_credentials(good, request_.key, once.pin));
  const auto why = [&](const join::Credentials& bent, const std::string& key,
                       const std::string& pin) {
    const auto refused = agent::check_credentials(bent, key, pin);
    return refused ? "it was not refused" : refused.error().what;
  };
  const Authority other;
  join::Credentials bent = good;
  bent.ca = text_of(other.dir() / "ca.pem");
  EXPECT_THAT(why(bent, request_.key, once.pin), HasSubstr("not the one of the token"));
  EXPECT_THAT(why(bent, request_.key, ""), HasSubstr("the certificate that the controller"));
  EXPECT_THAT(why(good, agent::make_request("x")->key, once.pin), HasSubstr("another key"));
  bent = good;
  bent.name = "db-2";
  EXPECT_THAT(why(bent, request_.key, once.pin), HasSubstr("another name"));
  bent.certificate = "nonsense";
  EXPECT_THAT(why(bent, request_.key, once.pin), HasSubstr("no certificate"));
}

TEST_F(JoinTest, ARevokedAgentIsThrownOutAndKeptOut) {
  TestAgent agent{joined(), runner_->port()};
  agent.start();
  ASSERT_TRUE(wait_for([&] { return connected(); }));
  ASSERT_TRUE(pki::revoke(dir(), "db-1", "stolen"));
  EXPECT_TRUE(wait_for([&] { return !connected(); }));
  EXPECT_TRUE(wait_for([&] { return noticed("its certificate was revoked"); }));
  EXPECT_TRUE(wait_for([&] { return noticed("certificate revoked ('db-1', serial number "); }))
      << "it dials again, and is refused in the handshake";
  EXPECT_TRUE(wait_for([&] { return agent.last_failure().find("revoked") != std::string::npos; }))
      << agent.last_failure();
  EXPECT_EQ(agent.connections(), 1);
}

TEST_F(JoinTest, ACertificateIsRenewedOverTheLinkWhichStaysUp) {
  const pki::Identity files = joined();
  const std::string before = text_of(files.certificate);
  CuttingProxy proxy{runner_->port()};
  TestAgent agent{files, proxy.port()};
  std::atomic<int> renewals = 0;
  // The clock that decides stands at two thirds of the certificate's thirty days.
  agent.handlers.now = [] { return now() + std::chrono::days{21}; };
  agent.handlers.on_renewed = [&](const Result<UtcTime>& until) {
    EXPECT_TRUE(until) << describe(until.error());
    ++renewals;
  };
  agent.start();
  ASSERT_TRUE(wait_for([&] { return renewals == 1; }));
  EXPECT_TRUE(connected());
  EXPECT_EQ(agent.connections(), 1) << "nobody noticed";
  EXPECT_NE(text_of(files.certificate), before);
  EXPECT_NE(text_of(files.key), request_.key);
  EXPECT_TRUE(noticed("'db-1' has a new certificate"));
  // The one before counts no more: it is the new one that the next connection shows.
  const auto old = pki::certificate_from_pem(before).value();
  ASSERT_TRUE(pki::revoke(dir(), pki::serial_of(old.get()).value(), "replaced"));
  EXPECT_TRUE(wait_for([&] { return agent.connections() == 2; })) << agent.last_failure();
}

TEST_F(JoinTest, AYoungCertificateIsLeftAlone) {
  const pki::Identity files = joined();
  const std::string before = text_of(files.certificate);
  TestAgent agent{files, runner_->port()};
  agent.handlers.now = [] { return now() + std::chrono::days{15}; };
  agent.start();
  ASSERT_TRUE(wait_for([&] { return connected(); }));
  for (int n = 0; n < 20; ++n) agent.send(n);  // whatever it would ask has been asked by then
  ASSERT_TRUE(agent.uplink->drain(20s));
  EXPECT_EQ(text_of(files.certificate), before);
}

TEST_F(JoinTest, TheAuthorityChangesUnderALiveFleet) {
  const pki::Identity files = joined();
  TestAgent agent{files, runner_->port()};
  std::atomic<int> renewals = 0;
  agent.handlers.on_renewed = [&](const Result<UtcTime>& until) {
    if (until) ++renewals;
  };
  agent.start();
  ASSERT_TRUE(wait_for([&] { return connected(); }));
  const std::string old_authority = text_of(files.ca);
  ASSERT_TRUE(pki::begin_rotation(dir()));
  ASSERT_TRUE(wait_for([&] { return renewals == 1; })) << "told over the link, it took the new one";
  EXPECT_EQ(agent.connections(), 1);
  ASSERT_TRUE(pki::renew(dir()));
  ASSERT_TRUE(pki::end_rotation(dir()));
  ASSERT_TRUE(wait_for([&] { return renewals == 2; })) << "and lets the old one go";
  EXPECT_EQ(text_of(files.ca).find(old_authority), std::string::npos);
  EXPECT_EQ(agent.connections(), 1) << "all of it on one connection";
  agent.uplink->stop();
  TestAgent restarted{files, runner_->port()};
  restarted.start();
  EXPECT_TRUE(wait_for([&] { return restarted.connections() == 1; })) << restarted.last_failure();
}

TEST_F(JoinTest, AnOperatorsRevokedCertificateGetsNoFurther) {
  const pki::Identity person = authority_.operator_identity();
  RawClient kept{runner_->port(), person.ca, &person};
  kept.send(http_get("/api/v1/agents"));
  ASSERT_THAT(kept.read_until("]}"), HasSubstr("200 OK"));
  ASSERT_TRUE(pki::revoke(dir(), "operator", "left"));
  ASSERT_TRUE(wait_for([&] { return noticed("certificates are revoked now"); }));
  kept.send(http_get("/api/v1/agents"));
  EXPECT_THAT(kept.read_to_close().value_or("still open"), HasSubstr("403 Forbidden"))
      << "not on the connection that it had";
  RawClient fresh{runner_->port(), person.ca, &person};
  fresh.send(http_get("/api/v1/agents"));
  EXPECT_EQ(fresh.read_to_close(), "") << "and not on a new one";
}

TEST_F(JoinTest, OnlyOperatorsReadTheApi) {
  for (const auto& [identity, status] :
       {std::pair{std::optional<pki::Identity>{}, "401"},
        std::pair{std::optional{authority_.agent("db-2")}, "401"},
        std::pair{std::optional{authority_.operator_identity()}, "200"}}) {
    RawClient client{runner_->port(), dir() / "ca.pem", identity ? &*identity : nullptr};
    client.send(http_get("/api/v1/agents", "Connection: close\r\n"));
    EXPECT_THAT(client.read_to_close().value_or(""), HasSubstr(status));
  }
}

}  // namespace
}  // namespace firedrill::link_test
