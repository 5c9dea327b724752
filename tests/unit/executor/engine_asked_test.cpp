// What people ask for: what they are told of it, and what is kept of them.
#include "tests/unit/executor/engine_fixture.hpp"

namespace firedrill::agent::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(EngineTest, AnUndoTellsOfWhatItUndidAndOfNothingElse) {
  inject(request("i1", "a"));
  pass(5min);  // ends by itself
  EXPECT_THAT(engine_->undo({}, UndoCause::requested).value(), IsEmpty());
  inject(request("i1", "a"));  // the name is free again
  inject(request("i2", "b"));
  const auto ids = [&](const std::vector<std::string>& asked) {
    std::vector<std::string> out;
    const auto undone = engine_->undo(asked, UndoCause::requested).value();
    for (const rpc::InjectionStatus& one : undone) out.push_back(one.id + " " + one.detail);
    return out;
  };
  EXPECT_THAT(ids({}), ElementsAre("i1 requested", "i2 requested"));
  EXPECT_THAT(ids({"i1"}), ElementsAre("i1 requested")) << "the last one of that name";
}

TEST_F(EngineTest, WhoAskedIsInTheEventsAndInTheJournal) {
  const Json ada{{"user", "root"}, {"login", "ada"}, {"from", "10.0.0.5"}};
  const Json bob{{"certificate", "bob"}};
  ASSERT_TRUE(engine_->prepare(request("i1", "a"), ada));
  EXPECT_EQ(last("injection.prepared")->data["by"], ada);
  EXPECT_EQ(read_journal(directory_)->open.at(0).data["by"], ada);
  ASSERT_TRUE(engine_->commit({"i1"}, clock_.utc()));
  step();
  world_.fail_undo["a"] = 4;
  ASSERT_TRUE(engine_->undo({"i1"}, UndoCause::requested, bob));
  pass(1s);
  EXPECT_EQ(state("i1"), InjectionState::dirty);
  EXPECT_EQ(read_journal(directory_)->open.at(0).data["by"], bob);
  pass(10s);
  EXPECT_EQ(last("injection.undone")->data["by"], bob);
  inject(request("i2", "b"));
  pass(5min);
  EXPECT_FALSE(last("injection.undone")->data.contains("by")) << "its time was up";
}

}  // namespace
}  // namespace firedrill::agent::testing
