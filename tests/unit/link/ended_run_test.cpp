// What agents tell a controller of a run that is over: the end of an injection that a lease undid
// belongs into its log; what a host says of another one's does not.
#include "tests/unit/link/support_runner.hpp"

namespace firedrill::link_test {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Duration kLong = 20s;

class EndedRunTest : public RunnerTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(RunnerTest::SetUp());
    RunRow row;
    row.id = "old";
    ASSERT_TRUE(runner_->store().create_run(row));
    Event created;
    created.run = "old";
    created.source = "controller";
    created.kind = event_kind::run_created;
    created.data = {{"plan", {{"injections", {{{"id", "loss"}, {"host", "db-1"}}}}}}};
    ASSERT_TRUE(runner_->store().append(created));
    ASSERT_TRUE(runner_->store().finish_run("old", UtcTime{}, "error", Json::object()));
  }

  /// Connects as `host`, tells of the end of `injection`, and waits until the runner has heard it.
  void tell(const std::string& host, const std::string& injection) {
    TestAgent agent{authority_.agent(host), runner_->port(), host};
    agent.start();
    rpc::AgentEvent event;
    event.run = "old";
    event.kind = event_kind::injection_undone;
    event.at_us = to_micros(UtcTime{1s});
    event.data = {{"injection", injection}, {"host", "db-1"}, {"verified", true}};
    ASSERT_TRUE(agent.uplink->send_event(event));
    ASSERT_TRUE(agent.uplink->drain(kLong)) << agent.last_failure();
    // One thing that is due at a time: that it connected, what it told, that it left.
    for (int n = 0; n < 4; ++n) runner_->idle(50ms);
  }
  /// Who told of an end, in the order of the log.
  std::vector<std::string> tellers() const {
    std::vector<std::string> sources;
    for (const Event& event : runner_->store().events("old").value())
      if (event.kind == event_kind::injection_undone) sources.push_back(event.source);
    return sources;
  }
};

TEST_F(EndedRunTest, AHostsOwnUndoIsKept) {
  tell("db-1", "loss");
  EXPECT_THAT(tellers(), ElementsAre("agent:db-1"));
  EXPECT_THAT(notices(), IsEmpty());
}

TEST_F(EndedRunTest, WhatAHostSaysOfAnotherOnesInjectionIsLeftOutAndTold) {
  tell("db-2", "loss");
  EXPECT_THAT(tellers(), IsEmpty());
  EXPECT_THAT(notices(), ElementsAre(HasSubstr("refused db-2: the plan of run 'old' does not give "
                                               "it what its injection.undone tells of")));
}

TEST_F(EndedRunTest, AnInjectionThatThePlanDoesNotHaveIsLeftOutAndTold) {
  tell("db-1", "delay");
  EXPECT_THAT(tellers(), IsEmpty());
  EXPECT_THAT(notices(), ElementsAre(HasSubstr("refused db-1: the plan of run 'old'")));
}

}  // namespace
}  // namespace firedrill::link_test
