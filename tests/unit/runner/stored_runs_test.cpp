// Runs, sessions and tags found by the names that people give.
#include "controller/runner/stored_runs.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/study/studied.hpp"

namespace firedrill {
namespace {

class StoredRuns : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("firedrill-stored-runs-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    store_ = Store::open(folder_ / "runs.db").value();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  /// Later runs were started later.
  void add(const std::string& run, const std::optional<SessionTag>& tag = {},
           const std::string& group = {}) {
    auto events = testing::tell_as(run, {}, tag);
    if (!group.empty()) events.front().data["tag"] = group;
    ASSERT_TRUE(store_->create_run({.id = run,
                                    .title = "t",
                                    .experiment = "silent-nic-drops",
                                    .started = testing::at_s(100.0 * ++count_)}));
    ASSERT_TRUE(store_->append_many(std::move(events)));
  }
  void add_trial(const std::string& run, const std::string& session, std::size_t index) {
    SessionTag tag{.session = testing::trials_session(5), .index = index, .value = 0};
    tag.session.id = session;
    add(run, tag);
  }
  std::vector<std::string> named(const std::string& name) {
    const auto group = named_runs(*store_, name);
    if (!group) return {group.error().what};
    std::vector<std::string> out;
    for (const StudiedRun& run : group->runs) out.push_back(run.run);
    return out;
  }

  std::filesystem::path folder_;
  std::unique_ptr<Store> store_;
  int count_ = 0;
};

using Names = std::vector<std::string>;

TEST_F(StoredRuns, OfASessionComeOldestFirst) {
  add_trial("a", "trials-1", 0);
  add("b");
  add_trial("c", "trials-1", 1);
  add_trial("d", "trials-2", 0);
  const auto runs = session_runs(*store_, SessionKind::trials, "trials-1");
  ASSERT_TRUE(runs) << describe(runs.error());
  ASSERT_EQ(runs->size(), 2U);
  EXPECT_EQ(runs->front().run, "a");
  EXPECT_EQ(runs->back().tag->index, 1U);
  EXPECT_EQ(session_runs(*store_, SessionKind::trials, "last")->front().run, "d");
}

TEST_F(StoredRuns, OfASessionAreRefusedUnderAnotherKindOrAnUnclearName) {
  add_trial("a", "trials-1", 0);
  add_trial("b", "trials-12", 0);
  EXPECT_EQ(session_runs(*store_, SessionKind::sweep, "last").error().code, ErrorCode::not_found);
  EXPECT_EQ(session_runs(*store_, SessionKind::sweep, "trials-1").error().code,
            ErrorCode::not_found);
  EXPECT_EQ(session_runs(*store_, SessionKind::trials, "trials").error().code, ErrorCode::conflict);
  EXPECT_EQ(session_runs(*store_, SessionKind::trials, "trials-1")->front().run, "a");
}

TEST_F(StoredRuns, AreNamedByTagSessionRunOrLast) {
  add("20260301-a", {}, "v1");
  add_trial("20260302-b", "trials-1", 0);
  add("20260303-c", {}, "v1");
  add("20260304-d");
  EXPECT_EQ(named("v1"), (Names{"20260301-a", "20260303-c"}));
  EXPECT_EQ(named("trials-1"), Names{"20260302-b"});
  EXPECT_EQ(named("20260304"), Names{"20260304-d"});
  EXPECT_EQ(named("last"), Names{"20260304-d"});
  EXPECT_TRUE(named("nothing").front().contains("no tag, no session and no run"));
  EXPECT_EQ(named_runs(*store_, "2026").error().code, ErrorCode::conflict);
}

}  // namespace
}  // namespace firedrill
