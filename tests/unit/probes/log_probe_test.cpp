// log: which lines count, the instant they carry, and following a file over rotation.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include "agent/probes/log_lines.hpp"
#include "agent/probes/probe.hpp"

namespace firedrill::agent {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const UtcTime kNow = from_micros(1'772'366'400'000'000);  // 2026-03-01T12:00:00Z

std::string stamp(std::string_view line) {
  const auto found = stamp_of(line, kNow);
  return found ? to_rfc3339(found->at) + " " + to_string(found->unit) : "none";
}

class LogStamps : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("TZ", "UTC-2", 1);  // two hours ahead of UTC
    ::tzset();
  }
  void TearDown() override {
    ::unsetenv("TZ");
    ::tzset();
  }
};

TEST_F(LogStamps, AreReadInTheFormsThatLogsHave) {
  EXPECT_EQ(stamp("2026-03-01T12:00:01.123456+01:00 db-1 kernel: x"),
            "2026-03-01T11:00:01.123456Z 1us");
  EXPECT_EQ(stamp("[2026-03-01 12:00:01,123] ERROR x"), "2026-03-01T10:00:01.123000Z 1ms");
  EXPECT_EQ(stamp("2026/03/01 12:00:01 [error] 7#7: x"), "2026-03-01T10:00:01.000000Z 1s");
  EXPECT_EQ(stamp("{\"time\":\"2026-03-01T12:00:01.5Z\"}"), "2026-03-01T12:00:01.500000Z 100ms");
  EXPECT_EQ(stamp("Mar  1 13:59:58 db-1 kernel: x"), "2026-03-01T11:59:58.000000Z 1s");
  EXPECT_EQ(stamp("Dec 31 23:59:58 db-1 kernel: x"), "2025-12-31T21:59:58.000000Z 1s")
      << "of last year: that is nearer";
  for (const char* none : {"", "no stamp", "2026-13-01T12:00:00Z", "2026-03-01", "Mar x",
                           "1234567890 lines", "Foo  1 12:00:00 x y z a b"})
    EXPECT_EQ(stamp(none), "none") << none;
}

TEST(LineMatcher, TakesTextsAndBoundedExpressions) {
  const auto regex = LineMatcher::of_regex("Out of memory|oom-kill.*etcd");
  ASSERT_TRUE(regex);
  EXPECT_FALSE(LineMatcher::of_regex(std::string("x") + std::string(60, '+'))) << "gigabytes";
  EXPECT_FALSE(LineMatcher::of_regex("x" + std::string(40, '?') + "+++")) << "minutes";
  EXPECT_FALSE(LineMatcher::of_regex("((((x?)?)?)?)+")) << "the same in groups";
  EXPECT_TRUE(LineMatcher::of_regex("((a+)*b)?(c?)+d*e+"));
  EXPECT_TRUE(LineMatcher::of_regex("(a+)+: [0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_TRUE(regex->matches("kernel: oom-kill: task=etcd"));
  EXPECT_FALSE(regex->matches("all is well"));
  EXPECT_TRUE(LineMatcher::of_text("a.c").matches("xa.cx"));
  EXPECT_FALSE(LineMatcher::of_text("a.c").matches("abc"));
  EXPECT_TRUE(LineMatcher::of_regex("a\\{b").value().matches("a{b"));
  for (const std::string& bad :
       {std::string("("), std::string("a{1000}"), std::string("(a)\\1"), std::string(300, 'a')}) {
    const auto refused = LineMatcher::of_regex(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().pointer, "/regex");
  }
}

class LogFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "firedrill-log-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string path() const { return dir_ / "app.log"; }
  void write(std::string_view text) const { std::ofstream(path(), std::ios::app) << text; }
  std::vector<std::string> lines(LogSource& source) {
    std::vector<std::string> out;
    const auto left = source.read([&](const LogLine& line) { out.emplace_back(line.text); });
    EXPECT_TRUE(left) << describe(left.error());
    left_ = left.value_or(0);
    return out;
  }
  std::filesystem::path dir_;
  std::uint64_t left_ = 0;
};

TEST_F(LogFiles, OnlyWholeLinesWrittenSinceCount) {
  write("before\n");
  const auto source = open_log_file(path());
  ASSERT_TRUE(source) << describe(source.error());
  EXPECT_THAT(lines(**source), IsEmpty());
  write("one\ntw");
  EXPECT_THAT(lines(**source), ElementsAre("one"));
  write("o\n");
  EXPECT_THAT(lines(**source), ElementsAre("two"));
}

TEST_F(LogFiles, IsFollowedOverRotationAndTruncation) {
  write("before\n");
  const auto source = open_log_file(path());
  ASSERT_TRUE(source);
  write("old\n");
  std::filesystem::rename(path(), dir_ / "app.log.1");
  EXPECT_THAT(lines(**source), ElementsAre("old")) << "the next file is not there yet";
  write("new\n");
  EXPECT_THAT(lines(**source), ElementsAre("new"));
  std::filesystem::resize_file(path(), 0);
  write("a\n");
  EXPECT_THAT(lines(**source), ElementsAre("a"));
}

TEST_F(LogFiles, ReadsABoundedAmountAndSaysWhatIsLeft) {
  write("before\n");
  const auto source = open_log_file(path());
  ASSERT_TRUE(source);
  write(std::string(100'000, 'x') + "\n" + std::string(2'000'000, '\n'));
  EXPECT_EQ(lines(**source).front().size(), 4096U) << "a long line is cut";
  EXPECT_GT(left_, 900'000U);
  while (left_ > 0) (void)lines(**source);
}

TEST_F(LogFiles, WhatIsNoLogIsRefused) {
  const auto refused = [](const std::string& path) { return open_log_file(path).error(); };
  EXPECT_EQ(refused("/etc/passwd").code, ErrorCode::refused);
  EXPECT_EQ(refused("/var/log/../../etc/passwd").code, ErrorCode::refused);
  EXPECT_EQ(refused("app.log").code, ErrorCode::refused);
  EXPECT_EQ(refused(dir_ / "missing.log").code, ErrorCode::not_found);
  std::filesystem::create_directory(dir_ / "folder.log");
  EXPECT_EQ(refused(dir_ / "folder.log").code, ErrorCode::refused);
}

TEST_F(LogFiles, TheProbeGivesMatchesAndTheFirstStamp) {
  write("before\n");
  const auto session = open_probe("log", {{"file", path()}, {"contains", "oom"}});
  ASSERT_TRUE(session) << describe(session.error());
  write("2026-03-01T12:00:01.5Z fine\n2026-03-01T12:00:02.25Z oom\n2026-03-01T12:00:03Z oom\n");
  const auto sample = (*session)->sample(Duration{0});
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->values.at("matches"), 2);
  EXPECT_EQ(sample->values.at("first_us"), 1'772'366'402'250'000.0);
  EXPECT_EQ(sample->values.at("first_unit_us"), 10'000);
  EXPECT_EQ(sample->values.at("behind_bytes"), 0);
  const auto quiet = (*session)->sample(Duration{0});
  EXPECT_EQ(quiet->values.at("matches"), 0);
  EXPECT_EQ(quiet->values.at("total"), 2);
  EXPECT_FALSE(quiet->values.contains("first_us"));
}

TEST_F(LogFiles, TheProbeWantsOneOfEach) {
  const auto error = [&](const Json& params) {
    return describe(open_probe("log", params).error());
  };
  EXPECT_THAT(error({{"contains", "x"}}), HasSubstr("either 'file' or 'unit'"));
  EXPECT_THAT(error({{"file", path()}}), HasSubstr("either 'contains' or 'regex'"));
  EXPECT_THAT(error({{"file", path()}, {"regex", "("}}), HasSubstr("/regex"));
}

}  // namespace
}  // namespace firedrill::agent
