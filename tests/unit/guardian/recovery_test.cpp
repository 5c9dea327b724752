// In which order a recovery undoes and reads back.
#include "agent/guardian/recovery.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/guardian/file_fault.hpp"

namespace firedrill::agent {
namespace {

using ::testing::ElementsAre;

/// Tells what is done to it.
class ToldFault final : public testing::FileFault {
 public:
  explicit ToldFault(std::vector<std::string>& told) : told_(told) {}
  Result<UndoOutcome> undo(Host& /*host*/, const Json& record) const override {
    told_.push_back("undo " + record.at("of").get<std::string>());
    return UndoOutcome::restored;
  }
  Result<Verification> verify(Host& /*host*/, const Json& record) const override {
    told_.push_back("verify " + record.at("of").get<std::string>());
    return Verification{};
  }

 private:
  std::vector<std::string>& told_;
};

JournalEntry entry(const std::string& id, std::uint64_t order) {
  JournalEntry out;
  out.request.id = id;
  out.request.fault = "file";
  out.apply_order = order;
  out.boot_id = "boot";
  out.record = Json{{"of", id}};
  return out;
}

TEST(Recovery, UndoesAllTheLastAppliedFirstBeforeItReadsBackAny) {
  std::vector<std::string> told;
  const ToldFault fault(told);
  testing::NoHost host;
  const SystemClock clock;
  const RecoveryParts parts{.state_directory = {},
                            .host_name = "db-1",
                            .host = host,
                            .find_fault = [&](std::string_view) -> const Fault* { return &fault; },
                            .clock = clock,
                            .boot_id = "boot",
                            .on_note = [](GuardianNote, const std::string&) {}};
  const auto outcomes = Recovery(parts).undo_all({entry("first", 1), entry("second", 2)});
  EXPECT_THAT(told, ElementsAre("undo second", "undo first", "verify second", "verify first"));
  ASSERT_EQ(outcomes.size(), 2U);
  for (const Transition& outcome : outcomes) EXPECT_EQ(outcome.state, InjectionState::undone);
}

}  // namespace
}  // namespace firedrill::agent
