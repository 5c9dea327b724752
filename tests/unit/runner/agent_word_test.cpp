#include "controller/runner/agent_word.hpp"

#include <gtest/gtest.h>

namespace firedrill {
namespace {

Plan plan_of_three_hosts() {
  Plan plan;
  ProbeSpec latency;
  latency.name = "p99";
  plan.probes.push_back({latency, "client-1"});
  plan.step_probes.push_back({"raise-ring", "db-1", {}});
  plan.detector_probes.push_back({"kernel-log", "db-2", {}, {}});
  PlannedInjection injection;
  injection.id = "loss-1";
  injection.host = "db-1";
  plan.injections.push_back(injection);
  return plan;
}

Event event_of(std::string_view kind, Json data) {
  Event event;
  event.kind = kind;
  event.data = std::move(data);
  return event;
}

TEST(AgentWord, AHostIsBelievedOfWhatItWasAskedForAlone) {
  const Plan plan = plan_of_three_hosts();
  EXPECT_TRUE(is_asked(plan, "p99", "client-1"));
  EXPECT_TRUE(is_asked(plan, "step:raise-ring", "db-1"));
  EXPECT_TRUE(is_asked(plan, "detector:kernel-log", "db-2"));
  for (const std::string_view host : {"db-1", "db-2", "client-2", ""})
    EXPECT_FALSE(is_asked(plan, "p99", host)) << host;
  EXPECT_FALSE(is_asked(plan, "step:raise-ring", "db-2")) << "another host's step";
  EXPECT_FALSE(is_asked(plan, "detector:kernel-log", "db-1")) << "another host's log";
  EXPECT_FALSE(is_asked(plan, "raise-ring", "db-1"));
}

TEST(AgentWord, AHostIsBelievedOfItsOwnInjectionsAlone) {
  const Plan plan = plan_of_three_hosts();
  const auto own = [&](std::string_view kind, const Json& data) {
    return is_own(plan, event_of(kind, data));
  };
  for (const std::string_view kind : {event_kind::injection_active, event_kind::injection_undone,
                                      event_kind::injection_dirty, event_kind::injection_cured}) {
    EXPECT_TRUE(own(kind, {{"injection", "loss-1"}, {"host", "db-1"}})) << kind;
    EXPECT_FALSE(own(kind, {{"injection", "loss-1"}, {"host", "db-2"}})) << kind;
    EXPECT_FALSE(own(kind, {{"injection", "loss-2"}, {"host", "db-1"}})) << kind;
    EXPECT_FALSE(own(kind, {{"injection", ""}, {"host", ""}})) << kind;
    EXPECT_FALSE(own(kind, {{"host", "db-1"}})) << kind;
  }
  EXPECT_TRUE(own(event_kind::probe_sample, {{"probe", "p99"}, {"host", "client-1"}}));
  EXPECT_FALSE(own(event_kind::probe_sample, {{"probe", "p99"}, {"host", "db-1"}}));
}

}  // namespace
}  // namespace firedrill
