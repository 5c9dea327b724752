// Predicted against measured, segment by segment, from rules and routes in the log.
#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/measure/measures.hpp"
#include "controller/measure/route.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using ::testing::HasSubstr;
using testing::RunLog;
using testing::secs;
using ::testing::StartsWith;
using testing::Story;
using testing::tell;
using testing::us;

struct Told {
  std::string hold = "5s", interval = "1s", range = "10s", scrape = "2s", group_wait = "1s";
  std::optional<double> last_scrape{};
  bool rules = true, route = true;
};

Prediction predicted(
    const Told& told, const Story& story = {},
    const std::function<void(RunLog&)>& more = [](RunLog&) {}) {
  RunLog log;
  log.events = tell(story);
  Json target{{"job", "etcd"}, {"instance", "db-2"}, {"interval", told.scrape}};
  if (told.last_scrape) target["last_scrape_us"] = us(*told.last_scrape);
  Json rule{{"name", "EtcdSlowWrites"},
            {"for", told.hold},
            {"interval", told.interval},
            {"labels", {{"severity", "page"}}}};
  if (!told.range.empty()) rule["range"] = told.range;
  if (told.rules)
    log.add("monitoring.rules", -14,
            {{"detector", "prom"},
             {"monitor_error_us", 2000},
             {"rules", Json::array({rule})},
             {"targets", Json::array({target})}},
            "detector:prom");
  if (told.route)
    log.add("monitoring.rules", -13,
            {{"detector", "am"}, {"route", {{"receiver", "r"}, {"group_wait", told.group_wait}}}},
            "detector:am");
  more(log);
  const Result<Measures> measures = measure(log.events);
  if (!measures || measures->predictions.size() != 1) {
    ADD_FAILURE() << "one prediction is needed";
    return {};
  }
  return measures->predictions[0];
}

const Segment& segment(const Prediction& prediction, std::string_view name) {
  return *std::ranges::find(prediction.segments, name, &Segment::name);
}

TEST(Prediction, AddsUpScrapeEvaluationConditionAndFor) {
  const Prediction prediction = predicted({});  // active at 7 s, fired at 12 s, told at 13 s
  ASSERT_TRUE(prediction.fire);
  EXPECT_EQ(prediction.fire->low, secs(5));
  EXPECT_EQ(prediction.fire->high, secs(2 + 1 + 10 + 5.02));
  EXPECT_EQ(prediction.gap, Duration{0});
  EXPECT_THAT(prediction.cause, StartsWith("none"));
  EXPECT_EQ(segment(prediction, "scrape").predicted->high, secs(2));
  EXPECT_EQ(segment(prediction, "evaluation").predicted->high, secs(1));
  const Segment& condition = segment(prediction, "condition");
  EXPECT_NEAR(static_cast<double>(condition.measured->low.count()), 4e6, 1e5);
  EXPECT_NEAR(static_cast<double>(condition.measured->high.count()), 7e6, 1e5);
}

TEST(Prediction, NamesTheSegmentThatTookLonger) {
  const Prediction slow = predicted({}, {.alert = 30, .ack = 33});
  EXPECT_GT(slow.gap.value(), secs(11));
  EXPECT_THAT(slow.cause, StartsWith("condition: 12.0 s longer"));
  const Prediction held = predicted({.hold = "2s"});
  EXPECT_THAT(held.cause, StartsWith("for: 2.9 s longer")) << "5 s from pending to firing";
  const Prediction grouped = predicted({.group_wait = "0s"});
  EXPECT_THAT(grouped.cause, StartsWith("none")) << "a second of delivery is ample";
  const Prediction alone = predicted({.group_wait = "0s"}, {.ack = 40});
  EXPECT_THAT(alone.cause, StartsWith("person: ")) << "the objective for TTA is 15 s";
}

TEST(Prediction, AKnownRhythmOfScrapesNarrowsTheWait) {
  const Segment scrape = segment(predicted({.last_scrape = -2.8}), "scrape");
  EXPECT_NEAR(static_cast<double>(scrape.predicted->low.count()), 1.2e6, 5e4);
  EXPECT_NEAR(static_cast<double>(scrape.predicted->high.count()), 1.2e6, 5e4);
  const Segment unsure = segment(predicted({.last_scrape = -4.0}), "scrape");
  EXPECT_EQ(unsure.predicted->low, Duration{0}) << "just then: this scrape or the next";
  EXPECT_EQ(unsure.predicted->high, secs(2));
}

TEST(Prediction, ForEndsAtAWholeEvaluation) {
  EXPECT_EQ(segment(predicted({.hold = "5s", .interval = "3s"}), "for").predicted->low, secs(6));
  EXPECT_EQ(segment(predicted({.hold = "0s", .interval = "3s"}), "for").predicted->low, secs(0));
}

TEST(Prediction, SaysWhyAnAlertNeverFired) {
  const Story silent{.alert = {}, .ack = {}};
  EXPECT_THAT(predicted({}, silent).cause, HasSubstr("the expression never held"));
  const Prediction pending = predicted({}, silent, [](RunLog& log) {
    log.alert("alert.pending", 7.2, "EtcdSlowWrites",
              {{"active_us", us(7)}, {"first_seen_us", us(7.2)}, {"last_quiet_us", us(6.7)}});
    log.alert("alert.resolved", 9, "EtcdSlowWrites", Json::object());
  });
  EXPECT_THAT(pending.cause, HasSubstr("it was pending"));
  EXPECT_FALSE(pending.fire_measured);
  EXPECT_TRUE(pending.fire) << "when it should have is known all the same";
}

TEST(Prediction, WithoutRulesThereIsNone) {
  const Prediction none = predicted({.rules = false});
  EXPECT_TRUE(none.segments.empty());
  EXPECT_THAT(none.why_none, HasSubstr("no Prometheus told its rules"));
  EXPECT_FALSE(segment(predicted({.route = false}), "grouping").predicted);
}

TEST(Prediction, AnAlertOfAGroupThatWasToldOfWaitsForTheInterval) {
  const Prediction later = predicted({}, {}, [](RunLog& log) {
    for (Event& event : log.events)
      if (event.kind == "alert.notified") event.data["group_key"] = "g";
    log.alert("alert.notified", -5, "Other",
              {{"status", "firing"},
               {"received_us", us(-5)},
               {"group_key", "g"},
               {"labels", {{"alertname", "Other"}}}},
              "am");
  });
  EXPECT_EQ(segment(later, "grouping").predicted->low, Duration{0});
  EXPECT_EQ(segment(later, "grouping").predicted->high, secs(300));
}

TEST(RouteTimes, TheFirstChildThatMatchesTakesItWithWhatItInherits) {
  const Json route = Json::parse(R"({"receiver": "all", "group_wait": "10s", "matchers": [],
    "routes": [
      {"receiver": "db", "matchers": [{"name": "team", "op": "=~", "value": "db|sql"}],
       "group_interval": "7s",
       "routes": [{"receiver": "loud", "group_wait": "0s",
                   "matchers": [{"name": "severity", "op": "=", "value": "page"}]}]},
      {"receiver": "quiet", "matchers": [{"name": "severity", "op": "!=", "value": "page"}]}]})");
  using measuring::route_times;
  const auto loud = route_times(route, {{"team", "db"}, {"severity", "page"}});
  EXPECT_EQ(loud.receiver, "loud");
  EXPECT_EQ(loud.group_wait, secs(0));
  EXPECT_EQ(loud.group_interval, secs(7));
  EXPECT_EQ(route_times(route, {{"team", "dbx"}, {"severity", "page"}}).receiver, "all")
      << "expressions are anchored";
  EXPECT_EQ(route_times(route, Json::object()).receiver, "quiet");
  EXPECT_EQ(route_times(route, Json::object()).group_wait, secs(10));
  EXPECT_EQ(route_times(Json("odd"), Json()).group_wait, secs(30)) << "Alertmanager's default";
}

}  // namespace
}  // namespace firedrill
