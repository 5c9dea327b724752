#include "controller/runner/live_parts.hpp"

#include <gtest/gtest.h>

namespace firedrill {
namespace {

TEST(LiveParts, AHostIsBelievedOfWhatItWasAskedForAlone) {
  Plan plan;
  ProbeSpec latency;
  latency.name = "p99";
  plan.probes.push_back({latency, "client-1"});
  plan.step_probes.push_back({"raise-ring", "db-1", {}});
  plan.detector_probes.push_back({"kernel-log", "db-2", {}, {}});
  EXPECT_TRUE(is_asked(plan, "p99", "client-1"));
  EXPECT_TRUE(is_asked(plan, "step:raise-ring", "db-1"));
  EXPECT_TRUE(is_asked(plan, "detector:kernel-log", "db-2"));
  for (const std::string_view host : {"db-1", "db-2", "client-2", ""})
    EXPECT_FALSE(is_asked(plan, "p99", host)) << host;
  EXPECT_FALSE(is_asked(plan, "step:raise-ring", "db-2")) << "another host's step";
  EXPECT_FALSE(is_asked(plan, "detector:kernel-log", "db-1")) << "another host's log";
  EXPECT_FALSE(is_asked(plan, "raise-ring", "db-1"));
}

}  // namespace
}  // namespace firedrill
