// The journal survives what processes and disks do to it, and never calls lost what it has, nor
// healed what it has lost.
#include "agent/journal/journal.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/journal/crc32.hpp"
#include "tests/unit/journal/journal_fixture.hpp"

namespace firedrill::agent {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TEST(Crc32, IsTheOneOfZlib) {
  EXPECT_EQ(crc32("123456789"), 0xcbf43926U);
  EXPECT_EQ(crc32("6789", crc32("12345")), 0xcbf43926U);
}

TEST_F(JournalTest, GivesBackWhatIsOpenAfterReopening) {
  {
    auto journal = open();
    ASSERT_TRUE(journal) << journal.error().what;
    write_story(*journal);
  }
  auto journal = open();
  ASSERT_TRUE(journal) << journal.error().what;
  const JournalView view = journal->view();
  ASSERT_THAT(view.open, SizeIs(1));
  EXPECT_THAT(view.lost, IsEmpty());
  EXPECT_EQ(to_json(view.open[0].request), to_json(entry("kept").request));
  EXPECT_EQ(view.open[0].record, entry("kept").record);
  EXPECT_EQ(view.open[0].resources, entry("kept").resources);
  EXPECT_EQ(view.open[0].boot_id, kBootId);
  EXPECT_EQ(view.open[0].state, InjectionState::active);
  EXPECT_EQ(view.open[0].deadline, Duration{std::chrono::seconds{1234}});
  EXPECT_EQ(view.open[0].apply_order, 2U);
}

TEST_F(JournalTest, IsPreallocatedInFull) {
  ASSERT_TRUE(open());
  EXPECT_EQ(std::filesystem::file_size(file()), kJournalBytes);
  EXPECT_EQ(bytes().size(), kJournalBytes);
}

TEST_F(JournalTest, IsReadBesideItsWriter) {
  auto journal = open();
  ASSERT_TRUE(journal);
  write_story(*journal);
  const auto view = read_journal(directory_);
  ASSERT_TRUE(view);
  EXPECT_THAT(view->open, SizeIs(1));
}

TEST_F(JournalTest, MissingFileIsAnEmptyJournal) {
  const auto view = read_journal(directory_);
  ASSERT_TRUE(view);
  EXPECT_THAT(view->open, IsEmpty());
  EXPECT_THAT(view->lost, IsEmpty());
}

TEST_F(JournalTest, OnlyOneProcessWrites) {
  ASSERT_TRUE(open());
  const auto second = StateLock::acquire(directory_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::conflict);
  EXPECT_THAT(second.error().what, ::testing::HasSubstr(std::to_string(::getpid())));
}

TEST_F(JournalTest, AGuardianInheritsOnlyFromTheDead) {
  ASSERT_TRUE(open());
  EXPECT_TRUE(StateLock::inherit(directory_, ::getpid()));
  EXPECT_FALSE(StateLock::inherit(directory_, ::getpid() + 1));
}

TEST_F(JournalTest, EveryFlippedByteIsNoticedAndNothingReadsAsHealed) {
  {
    auto journal = open();
    ASSERT_TRUE(journal);
    write_story(*journal);
  }
  std::string content = without_free_space(bytes());
  content.append(64, '\0');
  for (std::size_t at = journal_format::kHeaderBytes; at < content.size(); ++at) {
    std::string damaged = content;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    const JournalView view = fold(journal_format::scan(damaged)).view();
    ASSERT_THAT(view.lost, Not(IsEmpty())) << "byte " << at;
  }
}

TEST_F(JournalTest, EveryFlippedHeaderBitIsNoticed) {
  {
    ASSERT_TRUE(open());
  }
  const std::string header = bytes().substr(0, journal_format::kHeaderBytes);
  ASSERT_TRUE(journal_format::decode_header(header));
  for (std::size_t at = 0; at < header.size(); ++at) {
    std::string damaged = header;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(journal_format::decode_header(damaged)) << "byte " << at;
  }
}

TEST_F(JournalTest, EveryCutIsNoticedAndNothingReadsAsHealed) {
  {
    auto journal = open();
    ASSERT_TRUE(journal);
    write_story(*journal);
  }
  const std::string content = without_free_space(bytes());
  for (std::size_t size = 0; size < content.size(); size += 7) {
    write(std::string_view(content).substr(0, size));
    const auto view = read_journal(directory_);
    ASSERT_TRUE(view);
    ASSERT_THAT(view->lost, Not(IsEmpty())) << "cut to " << size;
  }
}

TEST_F(JournalTest, EveryTornLastRecordLeavesTheRestReadable) {
  std::size_t before = 0;
  {
    auto journal = open();
    ASSERT_TRUE(journal);
    inject(*journal, "kept");
    before = without_free_space(bytes()).size();
    ASSERT_TRUE(journal->prepare(entry("torn")));
  }
  const std::string whole = bytes();
  const std::string content = without_free_space(whole);
  for (std::size_t cut = before + 1; cut < content.size(); ++cut) {
    std::string torn = content.substr(0, cut);
    torn.resize(content.size() + 64, '\0');
    const JournalView view = fold(journal_format::scan(torn)).view();
    ASSERT_THAT(view.open, SizeIs(1)) << "torn at " << cut;
    ASSERT_EQ(view.open[0].request.id, "kept");
    if (torn != content) ASSERT_THAT(view.lost, SizeIs(torn.find_last_not_of('\0') >= before));
  }
}

TEST_F(JournalTest, DamageStaysUnknownOverRestartsUntilItIsForgotten) {
  {
    auto journal = open();
    ASSERT_TRUE(journal);
    write_story(*journal);
  }
  std::string content = bytes();
  content[content.find("\"kept\"") + 2] = '#';
  write(content);
  std::vector<std::string> ids;
  for (int start = 0; start < 2; ++start) {
    auto journal = open();
    ASSERT_TRUE(journal);
    ASSERT_THAT(journal->view().lost, Not(IsEmpty()));
    inject(*journal, "after-" + std::to_string(start));
    ids.clear();
    for (const LostRecord& lost : journal->view().lost) ids.push_back(lost.id);
  }
  // The later records of 'kept' are sound, so it is known by name and state.
  EXPECT_THAT(ids, ::testing::Contains("kept"));
  {
    auto journal = open();
    ASSERT_TRUE(journal);
    for (const std::string& id : ids)
      ASSERT_TRUE(journal->forget(id, {{"user", "root"}}, from_micros(7)));
  }
  auto journal = open();
  ASSERT_TRUE(journal);
  EXPECT_THAT(journal->view().lost, IsEmpty());
  EXPECT_THAT(journal->view().open, SizeIs(2));
}

TEST_F(JournalTest, ABrokenFileIsReplacedByAWholeOneThatSaysSo) {
  {
    auto journal = open();
    ASSERT_TRUE(journal);
    write_story(*journal);
  }
  std::string content = bytes();
  content[3] = '#';  // the header
  write(without_free_space(content));
  {
    auto journal = open();
    ASSERT_TRUE(journal) << journal.error().what;
    EXPECT_THAT(journal->view().lost, SizeIs(2));  // header and length
    ASSERT_THAT(journal->view().open, SizeIs(1));
    EXPECT_EQ(journal->view().open[0].state, InjectionState::active);
  }
  EXPECT_EQ(std::filesystem::file_size(file()), kJournalBytes);
  EXPECT_TRUE(std::filesystem::exists(directory_ / "journal.damaged"));
  auto journal = open();
  ASSERT_TRUE(journal);
  EXPECT_THAT(journal->view().lost, SizeIs(2));
  EXPECT_EQ(journal->view().open[0].record, entry("kept").record);
}

TEST_F(JournalTest, CompactsWhenMostlyFullAndNothingIsOpen) {
  auto journal = std::make_unique<Result<Journal>>(open());
  ASSERT_TRUE(*journal);
  Transition told = transition("told", InjectionState::undone);
  told.by_guardian = true;
  told.event = "injection.undone";
  ASSERT_TRUE((*journal)->record(told, Durability::synced));
  while ((*journal)->free_bytes() > kJournalBytes / 2) {
    JournalEntry filler = entry("filler");
    filler.record["bytes"] = std::string(50'000, 'x');
    ASSERT_TRUE((*journal)->prepare(filler));
    ASSERT_TRUE((*journal)->compact_if_worthwhile());
    ASSERT_TRUE(
        (*journal)->record(transition("filler", InjectionState::undone), Durability::written));
  }
  ASSERT_TRUE((*journal)->compact_if_worthwhile());
  EXPECT_GT((*journal)->free_bytes(), kJournalBytes * 9 / 10);
  journal = nullptr;
  journal = std::make_unique<Result<Journal>>(open());
  ASSERT_TRUE(*journal);
  EXPECT_THAT((*journal)->view().unreported, SizeIs(1));
  ASSERT_TRUE((*journal)->mark_reported());
  EXPECT_THAT((*journal)->view().unreported, IsEmpty());
}

TEST_F(JournalTest, WhenFullItRefusesToPrepareButNotToUndo) {
  auto journal = open();
  ASSERT_TRUE(journal);
  JournalEntry big = entry("big");
  big.record["bytes"] = std::string(100'000, 'x');
  int prepared = 0;
  Result<void> written;
  for (; written; ++prepared) {
    big.request.id = "big-" + std::to_string(prepared);
    written = journal->prepare(big);
  }
  EXPECT_EQ(written.error().code, ErrorCode::unavailable);
  EXPECT_GT(prepared, 5);
  for (int i = 0; i < prepared - 1; ++i)
    ASSERT_TRUE(journal->record(transition("big-" + std::to_string(i), InjectionState::undone),
                                Durability::synced));
  EXPECT_TRUE(journal->prepare(big)) << "room is made by a new file";
}

TEST_F(JournalTest, TooLongARecordIsRefused) {
  auto journal = open();
  ASSERT_TRUE(journal);
  JournalEntry big = entry("big");
  big.record["bytes"] = std::string(journal_format::kMaxPayloadBytes, 'x');
  const auto written = journal->prepare(big);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::invalid_input);
  EXPECT_THAT(journal->view().open, IsEmpty());
}

TEST_F(JournalTest, WhatCouldNotBeReadBackIsNotWritten) {
  auto journal = open();
  ASSERT_TRUE(journal);
  JournalEntry odd = entry("odd");
  odd.request.cured_by = CureCondition{};  // names no probe
  EXPECT_FALSE(journal->prepare(odd));
  EXPECT_THAT(journal->view().open, IsEmpty());
  EXPECT_THAT(read_journal(directory_)->lost, IsEmpty());
}

TEST_F(JournalTest, ARecordThatIsNotUtf8IsStored) {
  auto journal = open();
  ASSERT_TRUE(journal);
  Transition odd = transition("x", InjectionState::dirty);
  odd.data["differences"] = {"bad \xff byte"};
  EXPECT_TRUE(journal->record(odd, Durability::synced));
}

TEST_F(JournalTest, ANumberThatIsNotWholeIsNoInstantAndNoOrder) {
  for (const char* key : {"at_us", "deadline_us", "apply_order"}) {
    Json payload = prepared_payload(entry("i1"));
    EXPECT_TRUE(JournalFold{}.apply(payload)) << key;
    for (const double odd : {1.7e23, 0.5}) {
      payload[key] = odd;
      EXPECT_FALSE(JournalFold{}.apply(payload)) << key << " " << odd;
    }
  }
}

TEST_F(JournalTest, SurvivesTheDeathOfItsWriter) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto journal = open();
    if (!journal) ::_exit(1);
    write_story(*journal);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  auto journal = open();
  ASSERT_TRUE(journal) << "the lock went with its holder";
  EXPECT_THAT(journal->view().open, SizeIs(1));
}

}  // namespace
}  // namespace firedrill::agent
