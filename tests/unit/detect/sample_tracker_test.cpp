// Log lines and probe breaches as alerts: bounds from samples, narrowed by the line's own stamp.
#include "controller/detect/sample_tracker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace firedrill {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace std::chrono_literals;

std::vector<std::string> kinds(const std::vector<Detection>& detections) {
  std::vector<std::string> out;
  for (const Detection& detection : detections) out.push_back(detection.kind);
  return out;
}

UtcTime at(double seconds) { return from_micros(static_cast<std::int64_t>(seconds * 1e6)); }

SampleLook look(double to, std::optional<bool> on) {
  return {.from = at(to - 1), .to = at(to), .clock_error = 2ms, .on = on, .host = "db-1"};
}

TEST(SampleTracker, BoundsAreTheLastQuietSampleAndTheFirstThatShowsIt) {
  SampleTracker tracker({.alert = "Slow", .severity = "page"}, "db-1");
  EXPECT_THAT(kinds(tracker.observe(look(10, false))), ElementsAre("detector.up"));
  const auto firing = tracker.observe(look(11, true));
  ASSERT_THAT(kinds(firing), ElementsAre("alert.firing"));
  EXPECT_EQ(firing[0].data["labels"],
            (Json{{"alertname", "Slow"}, {"instance", "db-1"}, {"severity", "page"}}));
  EXPECT_EQ(firing[0].at - firing[0].uncertainty, at(10) - 2ms);
  EXPECT_EQ(firing[0].at + firing[0].uncertainty, at(11) + 2ms);
  EXPECT_THAT(tracker.observe(look(12, true)), IsEmpty());
  EXPECT_THAT(kinds(tracker.observe(look(13, false))), ElementsAre("alert.resolved"));
}

TEST(SampleTracker, ABreachCountsFromItsFirstSample) {
  SampleTracker tracker({.alert = "Slow", .on_after = 2}, "db-1");
  (void)tracker.observe(look(10, false));
  EXPECT_THAT(tracker.observe(look(11, true)), IsEmpty());
  const auto firing = tracker.observe(look(12, true));
  ASSERT_THAT(kinds(firing), ElementsAre("alert.firing"));
  EXPECT_EQ(firing[0].at + firing[0].uncertainty, at(11) + 2ms);
  EXPECT_FALSE(firing[0].data.contains("already"));
}

TEST(SampleTracker, ALinesOwnStampNarrowsTheBoundsUnlessItContradicts) {
  SampleTrackerConfig config{.alert = "Oom", .events = true, .hold = 10s};
  SampleTracker tracker(config, "db-1");
  SampleLook line = look(10, true);
  line.began = at(9.4);
  line.began_error = 3ms;
  const auto firing = tracker.observe(line);
  ASSERT_THAT(kinds(firing), ElementsAre("detector.up", "alert.firing"));
  EXPECT_EQ(firing[1].at, at(9.4));
  EXPECT_EQ(firing[1].uncertainty, 3ms);
  EXPECT_EQ(firing[1].data["fired_us"], to_micros(at(9.4)));
  EXPECT_FALSE(firing[1].data.contains("already")) << "it was written in the sample's window";
  SampleTracker other(config, "db-1");
  line.began = at(2);
  const auto late = other.observe(line);
  EXPECT_FALSE(late[1].data.contains("fired_us")) << "written late, or by another clock";
  EXPECT_EQ(late[1].at - late[1].uncertainty, at(9) - 2ms);
}

TEST(SampleTracker, WhatIsLeftUnreadIsNotQuiet) {
  SampleTracker tracker({.alert = "Oom", .events = true}, "db-1");
  (void)tracker.observe(look(10, false));
  SampleLook behind = look(11, false);
  behind.complete = false;
  (void)tracker.observe(behind);
  const auto firing = tracker.observe(look(12, true));
  ASSERT_THAT(kinds(firing), ElementsAre("alert.firing"));
  EXPECT_EQ(firing[0].data["last_quiet_us"], to_micros(at(10) - 2ms));
}

TEST(SampleTracker, AQuietLogResolvesAfterItsHold) {
  SampleTracker tracker({.alert = "Oom", .events = true, .hold = 10s}, "db-1");
  (void)tracker.observe(look(10, true));
  EXPECT_THAT(tracker.observe(look(15, false)), IsEmpty());
  EXPECT_THAT(tracker.observe(look(16, true)), IsEmpty()) << "the same episode";
  EXPECT_THAT(kinds(tracker.observe(look(26, false))), ElementsAre("alert.resolved"));
}

TEST(SampleTracker, ThreeSamplesThatCannotTellLoseItOnce) {
  SampleTracker tracker({.alert = "Slow"}, "db-1");
  (void)tracker.observe(look(10, false));
  SampleLook failed = look(11, std::nullopt);
  failed.error = "no such file";
  EXPECT_THAT(tracker.observe(failed), IsEmpty());
  EXPECT_THAT(tracker.observe(failed), IsEmpty());
  const auto lost = tracker.observe(failed);
  ASSERT_THAT(kinds(lost), ElementsAre("detector.lost"));
  EXPECT_EQ(lost[0].data["reason"], "no such file");
  EXPECT_THAT(tracker.observe(failed), IsEmpty());
  EXPECT_THAT(kinds(tracker.observe(look(15, false))), ElementsAre("detector.up"));
}

TEST(SampleTracker, ABreachAtTheFirstSampleIsOnSinceNobodyKnowsWhen) {
  SampleTracker tracker({.alert = "Slow"}, "db-1");
  const auto firing = tracker.observe(look(10, true));
  EXPECT_EQ(firing[1].data["already"], true);
}

}  // namespace
}  // namespace firedrill
