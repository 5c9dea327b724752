// One agent and one fleet that get along, and those that must not: identity, calls, clocks.
#include <future>

#include "tests/unit/link/support.hpp"

namespace firedrill::link_test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Duration kLong = 20s;

class LinkTest : public ::testing::Test {
 protected:
  void SetUp() override { start_fleet(authority_.fleet_config()); }
  void start_fleet(FleetConfig config) {
    fleet_.reset();
    auto started = Fleet::start(std::move(config), log_.handlers());
    ASSERT_TRUE(started) << describe(started.error());
    fleet_ = std::move(*started);
  }
  bool connected(const std::string& host) const { return fleet_->clock(host).has_value(); }
  /// Starts `agent` and waits until the fleet has told that it was turned away.
  void expect_turned_away(TestAgent& agent, const std::string& why) {
    agent.start();
    ASSERT_TRUE(wait_for([&] { return agent.last_failure().find(why) != std::string::npos; }))
        << agent.last_failure();
    agent.uplink->stop();
    EXPECT_EQ(agent.connections(), 0);
    EXPECT_TRUE(fleet_->agents().empty());
  }

  Authority authority_;
  FleetLog log_;
  std::unique_ptr<Fleet> fleet_;
};

TEST_F(LinkTest, HelloThenCallsAndEventsBothWays) {
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  agent.start();
  ASSERT_TRUE(wait_for([&] { return agent.uplink->connected(); }));
  ASSERT_EQ(fleet_->agents().size(), 1U);
  const AgentInfo info = fleet_->agents().front();
  EXPECT_TRUE(info.connected);
  EXPECT_EQ(info.hello.host, "db-1");
  EXPECT_EQ(info.hello.tags.at("role"), "db");
  EXPECT_EQ(info.remote_address, "127.0.0.1");
  const auto answer = fleet_->call_and_wait("db-1", "list", {{"a", 1}}, kLong);
  ASSERT_TRUE(answer) << describe(answer.error());
  EXPECT_EQ(*answer, (Json{{"method", "list"}, {"params", {{"a", 1}}}}));
  agent.send(7);
  ASSERT_TRUE(agent.uplink->drain(kLong));
  ASSERT_EQ(log_.events().size(), 1U);
  EXPECT_EQ(log_.events().front().data, (Json{{"n", 7}}));
  EXPECT_EQ(log_.events().front().instance, "start-1");
  EXPECT_EQ(log_.events().front().number, 1);
  EXPECT_EQ(agent.uplink->queued(), 0U);
}

TEST_F(LinkTest, TheEndsOfTheLiveSocketAreTold) {
  std::promise<LinkEnds> told;
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  agent.handlers.on_connected = [&](const LinkEnds& ends) { told.set_value(ends); };
  agent.start();
  const LinkEnds ends = told.get_future().get();
  EXPECT_EQ(ends.peer, (agent::Endpoint{"127.0.0.1", fleet_->port()}));
  EXPECT_EQ(ends.local.address, "127.0.0.1");
  EXPECT_EQ(agent.uplink->local_and_peer(), ends);
  agent.uplink->stop();
  EXPECT_FALSE(agent.uplink->local_and_peer());
  EXPECT_TRUE(wait_for([&] { return log_.lost().size() == 1; }));
}

TEST_F(LinkTest, AnErrorOfTheAgentKeepsItsCodeAndPointer) {
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  agent.handlers.on_call = [](const std::string&, const Json&) -> Result<Json> {
    return std::unexpected(Error{ErrorCode::conflict, EBUSY, "data0 is taken", "/params/device"});
  };
  agent.start();
  ASSERT_TRUE(wait_for([&] { return connected("db-1"); }));
  const auto again = fleet_->call_and_wait("db-1", "prepare", {}, kLong);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::conflict);
  EXPECT_EQ(again.error().sys_errno, EBUSY);
  EXPECT_EQ(again.error().pointer, "/params/device");
}

TEST_F(LinkTest, AnAgentOfAnotherAuthorityIsRefusedByTheFleet) {
  const Authority other;
  pki::Identity stranger = other.agent("db-1");
  stranger.ca = authority_.agent("db-1").ca;  // it would trust us
  TestAgent agent{stranger, fleet_->port()};
  expect_turned_away(agent, "unknown ca");
  // The agent may hear the alert before the fleet's own handler has run.
  ASSERT_TRUE(wait_for([&] { return !log_.refused().empty(); }));
  EXPECT_THAT(log_.refused().front(), HasSubstr("TLS"));
}

TEST_F(LinkTest, AFleetOfAnotherAuthorityIsRefusedByTheAgent) {
  const Authority other;
  pki::Identity ours = authority_.agent("db-1");
  ours.ca = other.agent("db-1").ca;
  TestAgent agent{ours, fleet_->port()};
  expect_turned_away(agent, "self-signed certificate in certificate chain");
}

TEST_F(LinkTest, AnOperatorIsNoAgent) {
  TestAgent agent{authority_.operator_identity(), fleet_->port(), "operator"};
  expect_turned_away(agent, "the certificate's role is 'operator', not 'agent'");
}

TEST_F(LinkTest, AnUnknownRoleIsNoAgent) {
  TestAgent agent{authority_.odd(valid_spec("db-1", "Agent")), fleet_->port()};
  expect_turned_away(agent, "the certificate's role is 'Agent', not 'agent'");
}

TEST_F(LinkTest, AnotherHostsNameIsRefused) {
  TestAgent agent{authority_.agent("db-2"), fleet_->port(), "db-1"};
  expect_turned_away(agent, "its certificate was issued for 'db-2'");
}

TEST_F(LinkTest, AServerThatIsNoControllerIsRefused) {
  for (const auto& [role, name, why] :
       {std::tuple{"agent", "DNS:firedrill-controller", "not 'controller'"},
        std::tuple{"controller", "DNS:other", "hostname mismatch"},
        std::tuple{"controller", "DNS:*", "hostname mismatch"}}) {
    pki::CertificateSpec spec = valid_spec("firedrill-controller", role);
    spec.alt_names = {name};
    const pki::Identity server = authority_.odd(spec);
    FleetConfig config = authority_.fleet_config();
    config.certificate = server.certificate;
    config.key = server.key;
    start_fleet(config);
    TestAgent agent{authority_.agent("db-1"), fleet_->port()};
    expect_turned_away(agent, why);
  }
}

TEST_F(LinkTest, ExpiredCertificatesAreRefusedOnBothSides) {
  pki::CertificateSpec spec = valid_spec("firedrill-controller", "controller");
  spec.not_before -= 10 * 24h;
  spec.not_after -= 10 * 24h;
  const pki::Identity server = authority_.odd(spec);
  spec.name = "db-1";
  spec.role = "agent";
  FleetConfig config = authority_.fleet_config();
  config.certificate = server.certificate;
  config.key = server.key;
  start_fleet(config);
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  expect_turned_away(agent, "certificate has expired");
  const pki::Identity client = authority_.odd(spec);
  start_fleet(authority_.fleet_config());
  TestAgent expired{client, fleet_->port()};
  expect_turned_away(expired, "certificate expired");
}

TEST_F(LinkTest, NothingWaitsBehindASlowProbeAndLateAnswersAreDropped) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  agent.handlers.on_call = [released](const std::string& method, const Json&) -> Result<Json> {
    if (method == "probe.once") released.wait();
    return Json{{"method", method}};
  };
  agent.start();
  ASSERT_TRUE(wait_for([&] { return connected("db-1"); }));
  const auto probe = fleet_->call_and_wait("db-1", "probe.once", Json::object(), 20ms);
  ASSERT_FALSE(probe);
  EXPECT_EQ(probe.error().code, ErrorCode::timed_out);
  for (const char* method : {"undo", "renew", "list"})
    EXPECT_TRUE(fleet_->call_and_wait("db-1", method, Json::object(), kLong)) << method;
  release.set_value();  // its answer is late now, and must not be taken for another call's
  const auto next = fleet_->call_and_wait("db-1", "probe.once", {{"second", true}}, kLong);
  ASSERT_TRUE(next) << describe(next.error());
}

TEST_F(LinkTest, CallsAreCarriedOutInOrder) {
  std::mutex mutex;
  std::vector<int> seen;
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  agent.handlers.on_call = [&](const std::string&, const Json& params) -> Result<Json> {
    const std::scoped_lock lock{mutex};
    seen.push_back(params["n"]);
    return Json::object();
  };
  agent.start();
  ASSERT_TRUE(wait_for([&] { return connected("db-1"); }));
  std::atomic<int> answered = 0;
  for (int n = 0; n < 200; ++n)
    fleet_->call("db-1", n % 2 == 0 ? "prepare" : "undo", {{"n", n}}, kLong,
                 [&](const Result<Json>& result) { answered += result ? 1 : 0; });
  ASSERT_TRUE(wait_for([&] { return answered == 200; }));
  EXPECT_TRUE(std::ranges::is_sorted(seen));
  EXPECT_EQ(seen.size(), 200U);
}

TEST_F(LinkTest, CallsThatCannotBeMadeSaySo) {
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  agent.handlers.on_call = [](const std::string&, const Json&) -> Result<Json> {
    return Json{{"text", std::string(rpc::kMaxMessageBytes, 'x')}};
  };
  agent.start();
  ASSERT_TRUE(wait_for([&] { return connected("db-1"); }));
  const auto code_of = [&](const std::string& host, const Json& params, Duration timeout) {
    const auto answer = fleet_->call_and_wait(host, "list", params, timeout);
    return answer ? std::optional<ErrorCode>{} : answer.error().code;
  };
  const Json huge = {{"text", std::string(rpc::kMaxMessageBytes, 'x')}};
  EXPECT_EQ(code_of("db-9", Json::object(), kLong), ErrorCode::unavailable);
  EXPECT_EQ(code_of("db-1", Json::array({1}), kLong), ErrorCode::invalid_input);
  EXPECT_EQ(code_of("db-1", huge, kLong), ErrorCode::invalid_input);
  EXPECT_EQ(code_of("db-1", Json::object(), 0s), ErrorCode::timed_out);
  EXPECT_EQ(code_of("db-1", Json::object(), Duration::max()), ErrorCode::invalid_input);
  EXPECT_EQ(code_of("db-1", Json::object(), kLong), ErrorCode::internal) << "answer too large";
  EXPECT_TRUE(connected("db-1")) << "none of this costs the link";
}

TEST_F(LinkTest, AnEventTooLargeForTheLinkIsRefusedAtOnce) {
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  agent.start();
  rpc::AgentEvent event;
  event.kind = "injection.progress";
  event.data = {{"text", std::string(rpc::kMaxMessageBytes, 'x')}};
  const auto refused = agent.uplink->send_event(event);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_input);
  agent.send(1);
  EXPECT_TRUE(agent.uplink->drain(kLong));
  EXPECT_EQ(log_.events().front().number, 1) << "the refused one took no number";
}

TEST_F(LinkTest, AnEventThatTheControllerRefusesIsToldOnBothSides) {
  std::promise<Error> refused;
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  agent.handlers.on_event_refused = [&](const Error& error) { refused.set_value(error); };
  agent.start();
  agent.send(1, "run.verdict");
  agent.send(2);
  EXPECT_TRUE(agent.uplink->drain(kLong)) << "it is not sent for ever";
  auto told = refused.get_future();
  ASSERT_EQ(told.wait_for(kLong), std::future_status::ready);
  EXPECT_THAT(told.get().what, HasSubstr("an agent has no event 'run.verdict'"));
  EXPECT_THAT(log_.refused(),
              ElementsAre(HasSubstr("db-1: an event: an agent has no event 'run.verdict'")));
  EXPECT_EQ(log_.events().size(), 1U) << "those that follow come";
}

TEST_F(LinkTest, StopAnswersEveryPendingCallOnce) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  TestAgent agent{authority_.agent("db-1"), fleet_->port()};
  agent.handlers.on_call = [released](const std::string&, const Json&) -> Result<Json> {
    released.wait();
    return Json::object();
  };
  agent.start();
  ASSERT_TRUE(wait_for([&] { return connected("db-1"); }));
  std::atomic<int> unavailable = 0;
  const auto count = [&](const Result<Json>& result) {
    if (!result && result.error().code == ErrorCode::unavailable) ++unavailable;
  };
  for (int n = 0; n < 20; ++n) fleet_->call("db-1", "list", Json::object(), kLong, count);
  fleet_->stop();
  EXPECT_EQ(unavailable, 20);
  fleet_->call("db-1", "list", Json::object(), kLong, count);
  EXPECT_EQ(unavailable, 21);
  release.set_value();
}

TEST_F(LinkTest, FiftyAgentsAtOnce) {
  constexpr int kAgents = 50;
  std::vector<std::unique_ptr<TestAgent>> agents;
  for (int n = 0; n < kAgents; ++n) {
    const std::string host = "host-" + std::to_string(n);
    agents.push_back(std::make_unique<TestAgent>(authority_.agent(host), fleet_->port(), host));
    agents.back()->start();
  }
  ASSERT_TRUE(wait_for([&] { return log_.connected().size() == kAgents; }));
  std::atomic<int> right = 0;
  for (int n = 0; n < kAgents; ++n)
    fleet_->call("host-" + std::to_string(n), "prepare", {{"n", n}}, kLong,
                 [&right, n](const Result<Json>& answer) {
                   if (answer && (*answer)["params"]["n"] == n) ++right;
                 });
  EXPECT_TRUE(wait_for([&] { return right == kAgents; }));
  EXPECT_EQ(fleet_->agents().size(), std::size_t{kAgents});
}

TEST_F(LinkTest, TheClockEstimateHoldsTheTruth) {
  for (const Duration skew : {Duration{-1h}, Duration{1234567us}}) {
    const std::string host = skew < 0s ? "slow" : "fast";
    TestAgent agent{authority_.agent(host), fleet_->port(), host};
    agent.handlers.now = [skew] {
      return std::chrono::floor<Duration>(std::chrono::system_clock::now()) + skew;
    };
    agent.start();
    ASSERT_TRUE(wait_for([&] { return connected(host); }));
    agent.send(1);
    ASSERT_TRUE(agent.uplink->drain(kLong));
    for (const ClockEstimate& estimate : {*fleet_->clock(host), log_.estimates().back()}) {
      EXPECT_LE(std::chrono::abs(estimate.offset - skew), estimate.error)
          << "offset " << estimate.offset.count() << " error " << estimate.error.count();
      EXPECT_LE(estimate.round_trip / 2, estimate.error);
    }
  }
}

TEST_F(LinkTest, ASecondConnectionOfAHostReplacesTheFirst) {
  TestAgent first{authority_.agent("db-1"), fleet_->port()};
  first.config.first_backoff = first.config.backoff_cap = 1h;  // it shall not come back meanwhile
  first.start();
  ASSERT_TRUE(wait_for([&] { return first.connections() == 1; }));
  TestAgent second{authority_.agent("db-1"), fleet_->port()};
  second.config.instance = "start-2";
  second.start();
  ASSERT_TRUE(wait_for([&] { return !first.uplink->connected() && second.uplink->connected(); }));
  EXPECT_THAT(first.last_failure(), HasSubstr("replaced by a newer connection"));
  EXPECT_EQ(fleet_->agents().size(), 1U);
  EXPECT_EQ(fleet_->agents().front().hello.instance, "start-2");
  EXPECT_THAT(log_.lost(), ElementsAre(HasSubstr("replaced")));
  EXPECT_TRUE(fleet_->call_and_wait("db-1", "list", Json::object(), kLong));
}

TEST_F(LinkTest, APortInUseIsAConflict) {
  FleetConfig config = authority_.fleet_config();
  config.port = fleet_->port();
  const auto second = Fleet::start(config, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_THAT(second.error().what, HasSubstr(std::to_string(config.port) + " is in use"));
}

TEST_F(LinkTest, UnusableCertificatesAreNamed) {
  FleetConfig config = authority_.fleet_config();
  config.key = authority_.operator_identity().key;  // of another certificate
  const auto fleet = Fleet::start(config, {});
  ASSERT_FALSE(fleet);
  EXPECT_EQ(fleet.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(fleet.error().what, HasSubstr("operator.key"));
  TestAgent agent{authority_.agent("db-1"), 1};
  agent.config.ca = "/nonexistent/ca.pem";
  const auto uplink = Uplink::start(agent.config, agent.handlers);
  ASSERT_FALSE(uplink);
  EXPECT_THAT(uplink.error().what, HasSubstr("/nonexistent/ca.pem"));
}

}  // namespace
}  // namespace firedrill::link_test
