// Links that break: events arrive once and in order whatever happens to the connection.
#include <algorithm>
#include <future>
#include <numeric>

#include "tests/unit/link/support.hpp"
#include "tests/unit/link/support_net.hpp"

namespace firedrill::link_test {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLong = 20s;

std::vector<int> counted(const FleetLog& log) {
  std::vector<int> all;
  for (const rpc::AgentEvent& event : log.events()) all.push_back(event.data["n"]);
  return all;
}

std::vector<int> one_to(int last) {
  std::vector<int> all(static_cast<std::size_t>(last));
  std::iota(all.begin(), all.end(), 1);
  return all;
}

std::unique_ptr<Fleet> start(const FleetConfig& config, FleetLog& log) {
  auto fleet = Fleet::start(config, log.handlers());
  if (!fleet) ADD_FAILURE() << describe(fleet.error());
  return fleet ? std::move(*fleet) : nullptr;
}

TEST(Reconnect, EventsSurviveARestartOfTheController) {
  const Authority authority;
  FleetLog log;
  FleetConfig config = authority.fleet_config();
  auto fleet = start(config, log);
  ASSERT_TRUE(fleet);
  config.port = fleet->port();
  TestAgent agent{authority.agent("db-1"), config.port};
  agent.start();
  for (int n = 1; n <= 100; ++n) agent.send(n);
  ASSERT_TRUE(agent.uplink->drain(kLong));
  fleet.reset();
  ASSERT_TRUE(wait_for([&] { return !agent.uplink->connected(); }));
  for (int n = 101; n <= 300; ++n) agent.send(n);
  EXPECT_EQ(agent.uplink->queued(), 200U);
  fleet = start(config, log);
  ASSERT_TRUE(fleet);
  for (int n = 301; n <= 350; ++n) agent.send(n);
  ASSERT_TRUE(agent.uplink->drain(kLong));
  EXPECT_EQ(counted(log), one_to(350));
  EXPECT_EQ(agent.connections(), 2);
}

TEST(Reconnect, EventsArriveOnceAndInOrderOverALinkThatIsCutAgainAndAgain) {
  const Authority authority;
  FleetLog log;
  const auto fleet = start(authority.fleet_config(), log);
  ASSERT_TRUE(fleet);
  CuttingProxy proxy{fleet->port()};
  TestAgent agent{authority.agent("db-1"), proxy.port()};
  agent.start();
  int sent = 0;
  for (int round = 1; round <= 6; ++round) {
    ASSERT_TRUE(wait_for([&] { return agent.uplink->connected(); }));
    const int connections = agent.connections();
    for (int n = 0; n < 150; ++n) agent.send(++sent);
    // Somewhere in the middle of the burst: some delivered, some on the way, some answers lost.
    ASSERT_TRUE(
        wait_for([&] { return counted(log).size() > static_cast<std::size_t>(sent - 140); }));
    proxy.cut();
    ASSERT_TRUE(wait_for([&] { return agent.connections() > connections; }));
  }
  ASSERT_TRUE(agent.uplink->drain(kLong));
  EXPECT_EQ(counted(log), one_to(sent));
}

TEST(Reconnect, ALostLinkEndsItsPendingCallsAndDropsThoseNotBegun) {
  const Authority authority;
  FleetLog log;
  const auto fleet = start(authority.fleet_config(), log);
  ASSERT_TRUE(fleet);
  CuttingProxy proxy{fleet->port()};
  std::promise<void> begun, release;
  std::mutex mutex;
  std::vector<std::string> carried_out;
  TestAgent agent{authority.agent("db-1"), proxy.port()};
  agent.handlers.on_call = [&](const std::string& method, const Json&) -> Result<Json> {
    if (method == "renew") {
      begun.set_value();
      release.get_future().wait();
    }
    const std::scoped_lock lock{mutex};
    carried_out.push_back(method);
    return Json::object();
  };
  agent.start();
  ASSERT_TRUE(wait_for([&] { return fleet->clock("db-1").has_value(); }));
  std::atomic<int> unavailable = 0;
  for (const char* method : {"renew", "commit", "undo"})
    fleet->call("db-1", method, Json::object(), kLong, [&](const Result<Json>& result) {
      if (!result && result.error().code == ErrorCode::unavailable) ++unavailable;
    });
  begun.get_future().wait();
  // `clock` overtakes what waits in the worker: when it answers, all three have arrived.
  ASSERT_TRUE(fleet->call_and_wait("db-1", "clock", Json::object(), kLong));
  proxy.cut();
  ASSERT_TRUE(wait_for([&] { return unavailable == 3; }));
  ASSERT_TRUE(wait_for([&] { return agent.connections() == 2; }));
  release.set_value();
  ASSERT_TRUE(fleet->call_and_wait("db-1", "list", Json::object(), kLong));
  const std::scoped_lock lock{mutex};
  EXPECT_EQ(carried_out, (std::vector<std::string>{"renew", "undo", "list"}));
}

TEST(Reconnect, AFullQueueKeepsInjectionEvents) {
  const Authority authority;
  FleetLog log;
  FleetConfig config = authority.fleet_config();
  {
    const auto fleet = start(config, log);
    config.port = fleet->port();
  }
  TestAgent agent{authority.agent("db-1"), config.port};
  agent.config.queue_limit = 5;
  agent.start();
  agent.send(1, "injection.active");
  for (int n = 2; n <= 8; ++n) agent.send(n, "probe.sample");
  agent.send(9, "injection.undone");
  EXPECT_EQ(agent.uplink->queued(), 5U);
  EXPECT_EQ(agent.uplink->dropped(), 4U);
  const auto fleet = start(config, log);
  ASSERT_TRUE(fleet);
  ASSERT_TRUE(agent.uplink->drain(kLong));
  EXPECT_EQ(counted(log), (std::vector<int>{1, 6, 7, 8, 9}));
}

TEST(Reconnect, AWireThatSwallowsEverythingIsNoticedAtBothEnds) {
  const Authority authority;
  FleetLog log;
  FleetConfig config = authority.fleet_config();
  config.agent_idle_timeout = 500ms;
  const auto fleet = start(config, log);
  ASSERT_TRUE(fleet);
  CuttingProxy proxy{fleet->port()};
  TestAgent agent{authority.agent("db-1"), proxy.port()};
  agent.config.idle_timeout = 500ms;
  agent.start();
  ASSERT_TRUE(wait_for([&] { return agent.uplink->connected(); }));
  proxy.swallow();
  const auto silent = [](const std::string& text) {
    return text.find("was silent for too long") != std::string::npos;
  };
  EXPECT_TRUE(wait_for([&] { return std::ranges::any_of(log.lost(), silent); }));
  EXPECT_TRUE(wait_for([&] { return silent(agent.last_failure()); }));
}

TEST(Reconnect, StoppingWhileNobodyAnswersIsPossible) {
  const Authority authority;
  FleetLog log;
  FleetConfig config = authority.fleet_config();
  {
    const auto fleet = start(config, log);
    config.port = fleet->port();
  }
  TestAgent agent{authority.agent("db-1"), config.port};
  agent.start();
  ASSERT_TRUE(wait_for([&] { return agent.last_failure().find("refused") != std::string::npos; }));
  agent.send(1);
  agent.uplink->stop();
  EXPECT_FALSE(agent.uplink->drain(kLong)) << "stopped: nobody will deliver it";
  agent.uplink->stop();
}

}  // namespace
}  // namespace firedrill::link_test
