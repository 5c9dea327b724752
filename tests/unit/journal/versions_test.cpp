// A journal that another version of this program has written.
#include "agent/journal/versions.hpp"

#include "tests/unit/journal/journal_fixture.hpp"

namespace firedrill::agent {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Stands for whatever a next version changes: it leaves a mark in each undo record.
Result<Json> next_step(Json payload) {
  if (!payload.contains("record")) return payload;
  if (payload["record"].contains("refuse")) return fail(ErrorCode::corrupt, "made for the test");
  payload["record"]["stepped"] = payload["record"].value("stepped", 0) + 1;
  return payload;
}
constexpr VersionStep kTwoSteps[] = {&next_step, &next_step};
constexpr JournalVersions kTwoLater{1, kTwoSteps};

TEST_F(JournalTest, AnOlderVersionIsBroughtUpStepByStepAndKept) {
  {
    auto journal = open();
    ASSERT_TRUE(journal);
    write_story(*journal);
  }
  const std::string old = bytes();
  Json expected = entry("kept").record;
  expected["stepped"] = 2;
  EXPECT_EQ(read_journal(directory_, kTwoLater)->open.at(0).record, expected) << "only reading";
  EXPECT_EQ(bytes(), old);
  for ([[maybe_unused]] const int start : {1, 2}) {
    auto journal = open(kTwoLater);
    ASSERT_TRUE(journal) << journal.error().what;
    ASSERT_THAT(journal->view().open, SizeIs(1));
    EXPECT_EQ(journal->view().open[0].record, expected);
    EXPECT_EQ(journal->view().open[0].state, InjectionState::active);
    EXPECT_THAT(journal->view().lost, IsEmpty());
  }
  EXPECT_EQ(journal_format::decode_header(bytes())->version, 3U);
  std::ifstream kept(directory_ / "journal.v1", std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), old);
}

TEST_F(JournalTest, WhatAStepCannotBringUpIsUnknown) {
  {
    auto journal = open();
    ASSERT_TRUE(journal);
    JournalEntry odd = entry("odd");
    odd.record["refuse"] = true;
    ASSERT_TRUE(journal->prepare(odd));
    ASSERT_TRUE(journal->record(transition("odd", InjectionState::applying), Durability::synced));
  }
  for ([[maybe_unused]] const int start : {1, 2}) {
    auto journal = open(kTwoLater);
    ASSERT_TRUE(journal);
    EXPECT_THAT(journal->view().open, IsEmpty());
    EXPECT_THAT(journal->view().lost, SizeIs(2));  // the record, and `odd` by its later state
  }
}

TEST_F(JournalTest, ANewerVersionIsRefusedLeftAloneAndListedAsUnknown) {
  {
    auto journal = open(kTwoLater);
    ASSERT_TRUE(journal);
    write_story(*journal);
  }
  const std::string content = bytes();
  const auto journal = open();
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().code, ErrorCode::unsupported);
  EXPECT_THAT(journal.error().what, ::testing::HasSubstr("version 3"));
  EXPECT_EQ(bytes(), content);
  const auto view = read_journal(directory_);
  ASSERT_TRUE(view);
  EXPECT_THAT(view->open, IsEmpty());
  ASSERT_THAT(view->lost, SizeIs(1));
  EXPECT_EQ(view->lost[0].id, "journal:version");
}

}  // namespace
}  // namespace firedrill::agent
