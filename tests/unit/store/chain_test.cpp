// The chain: whatever is done to a log afterwards is found, and where.
#include "controller/store/chain.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "controller/store/store.hpp"

namespace firedrill {
namespace {

using testing::HasSubstr;
using State = ChainVerdict::State;
namespace fs = std::filesystem;

Event event(std::int64_t seq, std::string text) {
  return {.seq = seq,
          .run = "r",
          .at = from_micros(1'700'000'000'000'000 + seq),
          .uncertainty = Duration{5},
          .source = "person:ada",
          .kind = "note",
          .data = {{"text", std::move(text)}, {"ratio", 0.1}, {"many", 9'007'199'254'740'993}}};
}

std::vector<Event> chain(std::size_t length) {
  std::vector<Event> out;
  std::string previous;
  for (std::size_t i = 1; i <= length; ++i) {
    Event& one =
        out.emplace_back(event(static_cast<std::int64_t>(i), "Zürich " + std::to_string(i)));
    one.hash = previous = chain_hash(previous, one);
  }
  return out;
}

TEST(Chain, IsWholeAsWritten) {
  const ChainVerdict verdict = verify_chain(chain(5));
  EXPECT_EQ(verdict.state, State::whole);
  EXPECT_EQ(verdict.chained, 5U);
  EXPECT_EQ(verdict.head.size(), 64U);
}

/// A format that changes would make every log of the past look broken.
TEST(Chain, HashIsWhatItAlwaysWas) {
  EXPECT_EQ(chain_hash("", event(1, "a")).substr(0, 16), "2aad79a4320c15df");
  EXPECT_EQ(chain_hash("00", event(1, "a")).substr(0, 16), "c5626406a75d6f76");
}

TEST(Chain, EveryChangeOfEveryEventIsFoundWhereItIs) {
  for (std::size_t i = 0; i < 5; ++i) {
    const auto seq = static_cast<std::int64_t>(i) + 1;
    auto changed = chain(5);
    changed[i].data["text"] = "other";
    EXPECT_EQ(verify_chain(changed).broken_at, seq);
    changed = chain(5);
    changed[i].at += Duration{1};
    EXPECT_EQ(verify_chain(changed).broken_at, seq);
    changed = chain(5);
    changed[i].hash.clear();
    EXPECT_EQ(verify_chain(changed).broken_at, i == 0 ? 2 : seq);
    changed = chain(5);
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(i));
    if (i < 4) EXPECT_EQ(verify_chain(changed).broken_at, seq);
    // With the numbers closed up, the hashes still tell.
    for (std::size_t k = i; k < changed.size(); ++k) --changed[k].seq;
    if (i < 4) EXPECT_EQ(verify_chain(changed).broken_at, seq);
  }
}

TEST(Chain, TheEndIsKnownByTheSealOrTheHead) {
  auto cut = chain(5);
  const ChainSeal seal{5, cut.back().hash};
  const std::string head = cut.back().hash;
  cut.pop_back();
  EXPECT_EQ(verify_chain(cut).state, State::whole) << "a chain alone does not know its end";
  EXPECT_NE(verify_chain(cut).head, head);
  const ChainVerdict verdict = verify_chain(cut, seal);
  EXPECT_EQ(verdict.state, State::broken);
  EXPECT_EQ(verdict.broken_at, 5);
  EXPECT_THAT(verdict.why, HasSubstr("gone"));
  EXPECT_EQ(verify_chain(chain(6), seal).state, State::whole) << "agents may tell more later";
}

TEST(Chain, LogsOfOldAreNotChained) {
  auto old = chain(3);
  for (Event& one : old) one.hash.clear();
  EXPECT_EQ(verify_chain(old).state, State::not_chained);
  EXPECT_EQ(verify_chain(old).unchained, 3U);
  EXPECT_EQ(verify_chain(old, {3, "abc"}).state, State::broken) << "a sealed log had hashes";
}

TEST(Chain, AnExportedLogIsVerifiedAsTheStoreIs) {
  std::string text;
  for (const Event& one : chain(4)) text += to_json(one).dump() + "\n";
  const auto events = parse_event_lines(text);
  ASSERT_TRUE(events) << describe(events.error());
  EXPECT_EQ(verify_chain(*events).state, State::whole);
  EXPECT_EQ(verify_chain(*events).head, chain(4).back().hash);
  EXPECT_THAT(parse_event_lines("\n{}\n").error().what, HasSubstr("line 2"));
}

class ChainedStore : public testing::Test {
 protected:
  ChainedStore() {
    std::string pattern = (fs::temp_directory_path() / "firedrill-chain-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~ChainedStore() override { fs::remove_all(directory_); }
  std::unique_ptr<Store> open() {
    auto store = Store::open(directory_ / "runs.db");
    EXPECT_TRUE(store) << describe(store.error());
    return store ? std::move(*store) : nullptr;
  }
  /// By the sqlite3 program, as somebody who means ill would.
  int sqlite(const std::string& statement) {
    return std::system(
        ("sqlite3 '" + (directory_ / "runs.db").string() + "' \"" + statement + "\"").c_str());
  }
  ChainVerdict verdict() {
    const auto store = open();
    const auto row = store->find_run("r");
    const auto events = store->events("r");
    EXPECT_TRUE(row && events);
    return verify_chain(*events, row->seal);
  }

  fs::path directory_;
};

TEST_F(ChainedStore, ChainsSealsAndFindsWhatWasDoneToIt) {
  {
    const auto store = open();
    ASSERT_TRUE(store->create_run({.id = "r", .title = "t", .experiment = "e"}));
    for (int i = 1; i <= 4; ++i) ASSERT_TRUE(store->append(event(0, std::to_string(i))));
    ASSERT_TRUE(store->finish_run("r", from_micros(9), "pass", Json::object()));
  }
  EXPECT_EQ(verdict().state, State::whole);
  EXPECT_EQ(verdict().chained, 4U);
  if (std::system("sqlite3 --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no sqlite3 here";
  ASSERT_EQ(sqlite("DROP TRIGGER events_never_change; DROP TRIGGER events_never_vanish;"
                   "UPDATE events SET at = at + 1 WHERE seq = 3"),
            0);
  EXPECT_EQ(verdict().broken_at, 3);
  ASSERT_EQ(sqlite("UPDATE events SET at = at - 1 WHERE seq = 3"), 0);
  EXPECT_EQ(verdict().state, State::whole);
  ASSERT_EQ(sqlite("DELETE FROM events WHERE seq = 4"), 0);
  EXPECT_EQ(verdict().broken_at, 4);
}

TEST_F(ChainedStore, OpensAStoreOfOldAndChainsFromThereOn) {
  if (std::system("sqlite3 --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no sqlite3 here";
  {
    const auto store = open();
    ASSERT_TRUE(store->create_run({.id = "r", .title = "t", .experiment = "e"}));
    for (int i = 1; i <= 2; ++i) ASSERT_TRUE(store->append(event(0, std::to_string(i))));
  }
  ASSERT_EQ(sqlite("ALTER TABLE events DROP COLUMN hash; ALTER TABLE runs DROP COLUMN sealed_seq;"
                   "ALTER TABLE runs DROP COLUMN sealed_hash; ALTER TABLE runs DROP COLUMN kind;"
                   "PRAGMA user_version = 1"),
            0);
  EXPECT_EQ(verdict().state, State::not_chained);
  ASSERT_TRUE(open()->append(event(0, "3")));
  EXPECT_EQ(verdict().state, State::whole);
  EXPECT_EQ(verdict().unchained, 2U);
  EXPECT_EQ(verdict().chained, 1U);
}

}  // namespace
}  // namespace firedrill
