// The store: what was appended comes back exactly, also after crashes of others and a full disk.
#include "controller/store/store.hpp"

#include <cerrno>
#include <fstream>
#include <limits>
#include <sstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace firedrill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = (fs::temp_directory_path() / "firedrill store XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    path_ = directory_ / "runs.db";
  }
  ~StoreTest() override { fs::remove_all(directory_); }

  std::unique_ptr<Store> open() const {
    auto store = Store::open(path_);
    EXPECT_TRUE(store) << store.error().what;
    return store ? std::move(*store) : nullptr;
  }
  static RunRow run(std::string id, std::int64_t started = 1) {
    return {.id = std::move(id),
            .title = "Silent drops",
            .experiment = "silent-nic-drops",
            .started = from_micros(started)};
  }
  static Event event(std::string run, Json data) {
    return {.run = std::move(run),
            .at = from_micros(1'700'000'000'123'456),
            .uncertainty = Duration{250},
            .source = "agent:db-1",
            .kind = "note",
            .data = std::move(data)};
  }

  fs::path directory_, path_;
};

/// Values on which a careless store loses something.
Json awkward() {
  return {{"text", "Zürich \u0001 \"quoted\" ' ; DROP TABLE events -- \n"},
          {"nul", std::string("a\0b", 3)},
          {"big", std::numeric_limits<std::int64_t>::max()},
          {"small", std::numeric_limits<std::int64_t>::min()},
          {"unsigned", std::numeric_limits<std::uint64_t>::max()},
          {"third", 1.0 / 3},
          {"whole", 1.0},
          {"tiny", 5e-324},
          {"none", nullptr},
          {"nested", {{"a", {1, 2, {{"b", false}}}}}}};
}

TEST_F(StoreTest, EventsComeBackByteForByteAfterReopening) {
  {
    const auto store = open();
    ASSERT_TRUE(store->create_run(run("r1")));
    for (const Json& data : {awkward(), Json::object(), Json{{"x", 1}}}) {
      const auto stored = store->append(event("r1", data));
      ASSERT_TRUE(stored) << stored.error().what;
    }
  }
  const auto events = open()->events("r1");
  ASSERT_TRUE(events) << events.error().what;
  ASSERT_EQ(events->size(), 3U);
  Event expected = event("r1", awkward());
  expected.seq = 1;
  expected.hash = events->front().hash;  // chain_test.cpp is about that
  EXPECT_EQ(to_json(events->front()).dump(), to_json(expected).dump());
  EXPECT_EQ(events->at(2).seq, 3);
}

TEST_F(StoreTest, SeqCountsWithinEachRun) {
  const auto store = open();
  ASSERT_TRUE(store->create_run(run("a")));
  ASSERT_TRUE(store->create_run(run("b")));
  const auto stored =
      store->append_many({event("a", {{"n", 1}}), event("b", {{"n", 2}}), event("a", {{"n", 3}})});
  ASSERT_TRUE(stored) << stored.error().what;
  std::vector<std::int64_t> seqs;
  for (const Event& one : *stored) seqs.push_back(one.seq);
  EXPECT_THAT(seqs, ElementsAre(1, 1, 2));
  const auto later = store->events("a", 1);
  ASSERT_TRUE(later);
  ASSERT_EQ(later->size(), 1U);
  EXPECT_EQ(later->front().data["n"], 3);
}

TEST_F(StoreTest, OneBadEventKeepsAllOfThemOut) {
  const auto store = open();
  ASSERT_TRUE(store->create_run(run("a")));
  const auto unknown = store->append_many({event("a", {}), event("missing", {})});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::not_found);
  const auto latin1 = store->append_many({event("a", {}), event("a", {{"text", "\xff"}})});
  ASSERT_FALSE(latin1);
  EXPECT_EQ(latin1.error().code, ErrorCode::invalid_input);
  EXPECT_EQ(store->events("a")->size(), 0U);
  EXPECT_EQ(store->append(event("a", Json::object()))->seq, 1);
}

TEST_F(StoreTest, ALogBesideRunsIsNoRunAndIsReadByItsName) {
  const auto store = open();
  ASSERT_TRUE(store->create_run(run("p-1")));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(store->ensure_log("pki", "Certificates", from_micros(9)));
  ASSERT_TRUE(store->append(event("pki", {{"n", 1}})));
  ASSERT_EQ(store->runs()->size(), 1U);
  EXPECT_EQ(store->find_run("last")->id, "p-1");
  EXPECT_EQ(store->find_run("p")->id, "p-1");
  EXPECT_EQ(store->find_run("pki")->title, "Certificates");
  ASSERT_EQ(store->logs()->size(), 1U);
  EXPECT_EQ(store->logs()->front().id, "pki");
  EXPECT_EQ(store->events("pki")->size(), 1U);
  EXPECT_FALSE(store->ensure_log("no name", "", from_micros(9)));
}

TEST_F(StoreTest, RunsAreListedFoundAndFinishedOnce) {
  const auto store = open();
  EXPECT_EQ(store->find_run("last").error().code, ErrorCode::not_found);
  for (const auto& [id, started] : {std::pair{"abc-1", 10}, {"abd-2", 30}, {"abd", 20}})
    ASSERT_TRUE(store->create_run(run(id, started)));
  EXPECT_EQ(store->create_run(run("abd")).error().code, ErrorCode::already_exists);
  EXPECT_EQ(store->create_run(run("a b")).error().code, ErrorCode::invalid_input);

  EXPECT_EQ(store->find_run("last")->id, "abd-2");
  EXPECT_EQ(store->find_run("abc")->id, "abc-1");
  EXPECT_EQ(store->find_run("abd")->id, "abd") << "a whole id wins over a prefix";
  const auto several = store->find_run("ab");
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().code, ErrorCode::conflict);
  EXPECT_THAT(several.error().what, HasSubstr("abd-2, abd, abc-1"));
  EXPECT_EQ(store->find_run("%").error().code, ErrorCode::not_found);

  ASSERT_TRUE(store->finish_run("abd", from_micros(99), "pass", {{"detection", 80}}));
  EXPECT_EQ(store->finish_run("abd", from_micros(100), "fail", {}).error().code,
            ErrorCode::already_exists);
  EXPECT_EQ(store->finish_run("no", from_micros(1), "pass", {}).error().code, ErrorCode::not_found);
  const auto runs = store->runs(2);
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 2U);
  EXPECT_EQ(runs->at(0).id, "abd-2");
  EXPECT_FALSE(runs->at(0).finished);
  EXPECT_EQ(runs->at(1).verdict, "pass");
  EXPECT_EQ(runs->at(1).finished, from_micros(99));
  EXPECT_EQ(runs->at(1).scores, Json({{"detection", 80}}));
}

TEST_F(StoreTest, ExportGivesOneEventPerLine) {
  const auto store = open();
  ASSERT_TRUE(store->create_run(run("r")));
  ASSERT_TRUE(store->append_many({event("r", awkward()), event("r", {{"n", 2}})}));
  std::ostringstream out;
  ASSERT_TRUE(store->export_jsonl("r", out));
  std::istringstream lines(out.str());
  std::vector<Event> read;
  for (std::string line; std::getline(lines, line);) {
    auto parsed = parse_event(Json::parse(line));
    ASSERT_TRUE(parsed) << parsed.error().what;
    read.push_back(std::move(*parsed));
  }
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].data, awkward());
  EXPECT_EQ(read[1].seq, 2);
  std::ofstream full("/dev/full");
  EXPECT_EQ(store->export_jsonl("r", full).error().code, ErrorCode::io_failed);
}

TEST_F(StoreTest, TwoProcessesWriteAtOnceWithoutLosingOrRepeatingASeq) {
  constexpr int kEach = 200;
  ASSERT_TRUE(open()->create_run(run("r")));
  std::vector<pid_t> writers;
  for (int writer = 0; writer < 2; ++writer) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      const auto store = Store::open(path_);
      if (!store) ::_exit(2);
      for (int n = 0; n < kEach; ++n)
        if (!(*store)->append(event("r", {{"writer", writer}, {"n", n}}))) ::_exit(3);
      ::_exit(0);
    }
    writers.push_back(pid);
  }
  for (const pid_t pid : writers) {
    int status = -1;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  const auto events = open()->events("r");
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), 2U * kEach);
  int next[2] = {0, 0};
  for (std::size_t i = 0; i < events->size(); ++i) {
    EXPECT_EQ(events->at(i).seq, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(events->at(i).data["n"], next[events->at(i).data["writer"].get<int>()]++);
  }
}

TEST_F(StoreTest, ProcessesThatCreateTheFileAtOnceAllSucceed) {
  std::vector<pid_t> openers;
  for (int i = 0; i < 4; ++i) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) ::_exit(Store::open(path_) ? 0 : 1);
    openers.push_back(pid);
  }
  for (const pid_t pid : openers) {
    int status = -1;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
}

TEST_F(StoreTest, WriterThatIsKilledLosesNothingItWasPromised) {
  ASSERT_TRUE(open()->create_run(run("r")));
  int promised[2];
  ASSERT_EQ(::pipe(promised), 0);
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    const auto store = Store::open(path_);
    for (;;) {
      const auto stored = (*store)->append(event("r", {{"a", 1}}));
      const auto seq = stored ? stored->seq : -1;
      if (::write(promised[1], &seq, sizeof seq) < 0) ::_exit(1);
    }
  }
  std::int64_t last = 0;
  while (last >= 0 && last < 50) ASSERT_EQ(::read(promised[0], &last, sizeof last), 8);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  ::close(promised[1]);
  for (std::int64_t more = 0; ::read(promised[0], &more, sizeof more) == 8;) last = more;
  ::close(promised[0]);
  const auto events = open()->events("r");
  ASSERT_TRUE(events) << events.error().what;
  EXPECT_GE(static_cast<std::int64_t>(events->size()), last);
}

/// Appends until it fails; the child's exit code says how. Runs in a child of its own because
/// limits and mounts are the whole process's.
int fill_until_failure(const fs::path& path, std::int64_t& stored_seq, Error& why) {
  auto store = Store::open(path);
  if (!store) {
    why = store.error();
    return 2;
  }
  RunRow row{.id = "r", .title = "t", .experiment = "e", .started = from_micros(1)};
  if (auto made = (*store)->create_run(row); !made) {
    why = made.error();
    return 3;
  }
  for (int n = 0; n < 10'000; ++n) {
    Event event{.run = "r", .at = from_micros(n), .source = "controller", .kind = "note"};
    event.data["text"] = std::string(2000, 'x');
    const auto stored = (*store)->append(event);
    if (!stored) {
      why = stored.error();
      // What was stored before must still read back, through the same connection.
      const auto events = (*store)->events("r");
      return events && static_cast<std::int64_t>(events->size()) == stored_seq ? 0 : 4;
    }
    stored_seq = stored->seq;
  }
  return 5;
}

template <class Body>
int in_child(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = -1;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

TEST_F(StoreTest, FullDiskIsSaidSoAndWhatWasStoredStays) {
  constexpr int kNoPrivilege = 77;
  const int code = in_child([&] {
    if (::unshare(CLONE_NEWNS) < 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) ||
        ::mount("tmpfs", directory_.c_str(), "tmpfs", 0, "size=256k") < 0)
      return kNoPrivilege;
    std::int64_t stored = 0;
    Error why;
    const int outcome = fill_until_failure(path_, stored, why);
    if (outcome != 0) return outcome;
    if (why.code != ErrorCode::io_failed || why.sys_errno != ENOSPC) return 6;
    return why.what.find("disk is full") == std::string::npos ? 7 : 0;
  });
  if (code == kNoPrivilege) GTEST_SKIP() << "mounting a tmpfs needs CAP_SYS_ADMIN";
  EXPECT_EQ(code, 0);
}

TEST_F(StoreTest, FailedWriteIsAnErrorAndWhatWasStoredStays) {
  EXPECT_EQ(in_child([&] {
              ::signal(SIGXFSZ, SIG_IGN);
              const rlimit limit{256 * 1024, 256 * 1024};
              ::setrlimit(RLIMIT_FSIZE, &limit);
              std::int64_t stored = 0;
              Error why;
              const int outcome = fill_until_failure(path_, stored, why);
              if (outcome != 0) return outcome;
              return why.code == ErrorCode::io_failed ? 0 : 6;
            }),
            0);
}

TEST_F(StoreTest, RefusesWhatIsNoStore) {
  const auto missing = Store::open(directory_ / "no" / "runs.db");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_THAT(missing.error().what, HasSubstr("create it"));

  EXPECT_FALSE(Store::open(directory_));

  std::ofstream(path_) << std::string(4096, 'x');
  const auto text = Store::open(path_);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::corrupt);
}

/// Runs one statement on the file, as another program would.
int sqlite(const fs::path& path, const std::string& sql) {
  return std::system(("sqlite3 '" + path.string() + "' \"" + sql + "\" 2>/dev/null").c_str());
}

TEST_F(StoreTest, RefusesNewerFormatsAndForeignDatabasesAndKeepsEventsImmutable) {
  if (std::system("sqlite3 --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no sqlite3 program";
  {
    const auto store = open();
    ASSERT_TRUE(store->create_run(run("r")));
    ASSERT_TRUE(store->append(event("r", {{"n", 1}})));
  }
  EXPECT_NE(sqlite(path_, "UPDATE events SET kind = 'other'"), 0);
  EXPECT_NE(sqlite(path_, "DELETE FROM events"), 0);
  EXPECT_EQ(open()->events("r")->front().kind, "note");

  ASSERT_EQ(sqlite(path_, "PRAGMA user_version = 4"), 0);
  const auto newer = Store::open(path_);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, ErrorCode::unsupported);
  EXPECT_THAT(newer.error().what, HasSubstr("newer"));

  const fs::path other = directory_ / "other.db";
  ASSERT_EQ(sqlite(other, "CREATE TABLE songs (id)"), 0);
  EXPECT_EQ(Store::open(other).error().code, ErrorCode::corrupt);
}

}  // namespace
}  // namespace firedrill
