// The tests, or, when started as `… guardian …`, a guardian: what GuardianLink starts is its own
// program, here as in the agent.
#include <string_view>

#include <gtest/gtest.h>

#include "agent/guardian/guardian_process.hpp"
#include "tests/unit/guardian/file_fault.hpp"

namespace {

/// Arguments in the order in which GuardianLink gives them.
int be_guardian(char** argv) {
  using firedrill::agent::Fault;
  firedrill::agent::testing::NoHost host;
  const firedrill::agent::testing::FileFault fault;
  const auto find = [&](std::string_view) -> const Fault* { return &fault; };
  return firedrill::agent::run_guardian_process({argv[3], std::atoi(argv[5]), argv[7]}, host, find);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 8 && std::string_view(argv[1]) == "guardian") return be_guardian(argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
