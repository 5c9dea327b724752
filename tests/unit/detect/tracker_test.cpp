// The tracker and the clock bounds: what successive looks prove, and what they do not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/detect/alert_tracker.hpp"
#include "controller/detect/clock_bounds.hpp"

namespace firedrill {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using State = ActiveAlert::State;

constexpr std::int64_t kSecond = 1'000'000;

ActiveAlert alert(State state, std::optional<double> active_s = std::nullopt,
                  const std::string& instance = "db-1") {
  ActiveAlert alert{.state = state, .alertname = "Down"};
  alert.labels = {{"alertname", "Down"}, {"instance", instance}};
  alert.fingerprint = label_fingerprint(alert.labels);
  if (active_s) alert.active_at = from_micros(static_cast<std::int64_t>(*active_s * kSecond));
  return alert;
}

AlertRule rule(double hold_s, bool evaluated = true) {
  AlertRule rule{.name = "Down",
                 .hold = Duration{static_cast<std::int64_t>(hold_s * kSecond)},
                 .interval = Duration{kSecond}};
  if (evaluated) rule.last_evaluation = from_micros(1);
  return rule;
}

/// A look that lasted 10 ms, half a second after the last one unless said otherwise.
class Looks {
 public:
  std::vector<Detection> operator()(std::vector<ActiveAlert> alerts) {
    return at(next_, std::move(alerts));
  }
  std::vector<Detection> at(std::int64_t started_us, std::vector<ActiveAlert> alerts) {
    AlertPoll poll{.started = from_micros(started_us),
                   .answered = from_micros(started_us + 10'000),
                   .alerts = std::move(alerts),
                   .rules = rules,
                   .clock = clock};
    next_ = started_us + kSecond / 2;
    return tracker.observe(poll);
  }
  AlertTracker tracker;
  std::optional<std::vector<AlertRule>> rules;
  std::optional<MonitorClock> clock;

 private:
  std::int64_t next_ = 100 * kSecond;
};

std::vector<std::string> kinds(const std::vector<Detection>& detections) {
  std::vector<std::string> out;
  for (const Detection& detection : detections) out.push_back(detection.kind);
  return out;
}

UtcTime earliest(const Detection& d) { return d.at - d.uncertainty; }
UtcTime latest(const Detection& d) { return d.at + d.uncertainty; }

TEST(AlertTracker, BoundsATransitionByTheLastQuietLookAndTheFirstThatShowsIt) {
  Looks look;
  EXPECT_THAT(look({}), IsEmpty());
  const auto pending = look({alert(State::pending)});
  ASSERT_THAT(kinds(pending), ElementsAre("alert.pending"));
  EXPECT_EQ(earliest(pending[0]), from_micros(100 * kSecond)) << "start of the last quiet look";
  EXPECT_EQ(latest(pending[0]), from_micros(100 * kSecond + 510'000)) << "end of this one";
  EXPECT_EQ(pending[0].data["last_quiet_us"], 100 * kSecond);
  EXPECT_EQ(pending[0].data["first_seen_us"], 100 * kSecond + 510'000);
  EXPECT_THAT(look({alert(State::pending)}), IsEmpty());
  const auto firing = look({alert(State::firing)});
  ASSERT_THAT(kinds(firing), ElementsAre("alert.firing"));
  EXPECT_EQ(firing[0].data["alertname"], "Down");
  EXPECT_EQ(firing[0].data["labels"]["instance"], "db-1");
  EXPECT_FALSE(firing[0].data.contains("fired_us"));
  EXPECT_THAT(look({alert(State::firing)}), IsEmpty());
  const auto resolved = look({});
  ASSERT_THAT(kinds(resolved), ElementsAre("alert.resolved"));
  EXPECT_EQ(resolved[0].data["was"], "firing");
  EXPECT_EQ(earliest(resolved[0]), from_micros(100 * kSecond + 2'000'000));
  EXPECT_THAT(look({}), IsEmpty());
}

TEST(AlertTracker, WhatIsOnAtTheFirstLookIsMarkedAsAlreadyOn) {
  Looks look;
  const auto first = look({alert(State::firing), alert(State::pending, {}, "db-2")});
  ASSERT_EQ(first.size(), 2U);
  for (const Detection& detection : first) {
    EXPECT_EQ(detection.data["already"], true);
    EXPECT_FALSE(detection.data.contains("last_quiet_us"));
  }
  EXPECT_THAT(look({alert(State::firing), alert(State::pending, {}, "db-2")}), IsEmpty());
  const auto later = look({alert(State::firing), alert(State::firing, {}, "db-2")});
  ASSERT_THAT(kinds(later), ElementsAre("alert.firing"));
  EXPECT_FALSE(later[0].data.contains("already")) << "this one was seen to fire";
}

TEST(AlertTracker, FiringInstantOfTheRuleNarrowsTheBounds) {
  Looks look;
  look.rules = {rule(2)};
  // The server's clock is 5 s ahead of ours, known to 20 ms.
  look.clock = MonitorClock{Duration{5 * kSecond}, Duration{20'000}};
  (void)look.at(100 * kSecond, {});
  (void)look.at(101 * kSecond, {alert(State::pending, 105.7)});
  const auto firing = look.at(103 * kSecond, {alert(State::firing, 105.7)});
  ASSERT_THAT(kinds(firing), ElementsAre("alert.firing"));
  EXPECT_EQ(firing[0].data["active_us"], 100'700'000);
  EXPECT_EQ(firing[0].data["fired_us"], 102'700'000) << "activeAt + for, on our clock";
  EXPECT_EQ(firing[0].at, from_micros(102'700'000));
  EXPECT_EQ(firing[0].uncertainty, Duration{20'000});
  EXPECT_EQ(firing[0].data["monitor_offset_us"], 5 * kSecond);
  EXPECT_EQ(firing[0].data["monitor_error_us"], 20'000);
}

TEST(AlertTracker, LooksCutOffWhatTheClockLeavesOpen) {
  Looks look;
  look.rules = {rule(0)};
  look.clock = MonitorClock{Duration{0}, Duration{500'000}};
  (void)look.at(100 * kSecond, {});
  const auto firing = look.at(100'200'000, {alert(State::firing, 100.1)});
  ASSERT_EQ(firing.size(), 1U);
  EXPECT_EQ(earliest(firing[0]), from_micros(100 * kSecond));
  EXPECT_EQ(latest(firing[0]), from_micros(100'210'000));
}

TEST(AlertTracker, MissedEvaluationMakesTheLooksCount) {
  Looks look;
  look.rules = {rule(2)};
  look.clock = MonitorClock{Duration{0}, Duration{1'000}};
  (void)look.at(100 * kSecond, {});
  (void)look.at(103 * kSecond, {alert(State::pending, 100.5)});  // should fire at 102.5
  const auto firing = look.at(104 * kSecond, {alert(State::firing, 100.5)});
  ASSERT_EQ(firing.size(), 1U);
  EXPECT_EQ(earliest(firing[0]), from_micros(103 * kSecond));
  EXPECT_EQ(latest(firing[0]), from_micros(104'010'000));
}

TEST(AlertTracker, FlappingBetweenLooksIsSeenByANewStart) {
  Looks look;
  (void)look({});
  (void)look({alert(State::firing, 100)});
  EXPECT_THAT(kinds(look({alert(State::firing, 100.5)})),
              ElementsAre("alert.resolved", "alert.firing"));
  EXPECT_THAT(kinds(look({alert(State::pending, 101)})),
              ElementsAre("alert.resolved", "alert.pending"));
  EXPECT_THAT(kinds(look({})), ElementsAre("alert.resolved"));
  EXPECT_THAT(kinds(look({alert(State::firing, 103)})), ElementsAre("alert.firing"));
}

TEST(AlertTracker, StartThatMovesBackIsTheSameAlert) {
  Looks look;
  (void)look({});
  (void)look({alert(State::firing, 100)});
  EXPECT_THAT(look({alert(State::firing, 99)}), IsEmpty());
}

TEST(AlertTracker, RestartOfPrometheusIsNoResolution) {
  Looks look;
  look.rules = {rule(2)};
  (void)look({});
  (void)look({alert(State::firing, 100)});
  look.rules = {rule(2, false)};  // up again, nothing evaluated yet
  const auto restarted = look({});
  ASSERT_THAT(kinds(restarted), ElementsAre("detector.restarted")) << "told, and told once";
  EXPECT_EQ(restarted[0].data["forgotten"], Json::array({"Down"}));
  EXPECT_THAT(look({}), IsEmpty());
  look.rules = {rule(2)};
  EXPECT_THAT(look({alert(State::pending, 102)}), IsEmpty()) << "`for` runs again after a restart";
  EXPECT_THAT(look({alert(State::firing, 101)}), IsEmpty());
  EXPECT_THAT(kinds(look({})), ElementsAre("alert.resolved"));
}

TEST(AlertTracker, PendingThatARestartForgotFiresByItsNewStart) {
  Looks look;
  look.rules = {rule(2)};
  look.clock = MonitorClock{Duration{0}, Duration{1'000}};
  (void)look.at(100 * kSecond, {});
  (void)look.at(101 * kSecond, {alert(State::pending, 100.5)});
  look.rules = {rule(2, false)};
  (void)look.at(102 * kSecond, {});
  look.rules = {rule(2)};
  (void)look.at(103 * kSecond, {alert(State::pending, 102.8)});
  const auto firing = look.at(105 * kSecond, {alert(State::firing, 102.8)});
  ASSERT_THAT(kinds(firing), ElementsAre("alert.firing"));
  EXPECT_EQ(firing[0].data["active_us"], 102'800'000);
  EXPECT_EQ(firing[0].data["fired_us"], 104'800'000) << "its `for` began anew";
}

TEST(AlertTracker, AlertThatStaysAwayAfterARestartIsResolved) {
  Looks look;
  look.rules = {rule(2)};
  (void)look({});
  (void)look({alert(State::firing, 100)});
  look.rules = std::vector<AlertRule>{};  // rules are not loaded yet
  EXPECT_THAT(kinds(look({})), ElementsAre("detector.restarted"));
  look.rules = {rule(2)};
  EXPECT_THAT(kinds(look({})), ElementsAre("alert.resolved"));
}

TEST(AlertTracker, LookOutOfOrderGivesNothing) {
  Looks look;
  (void)look.at(100 * kSecond, {});
  (void)look.at(102 * kSecond, {alert(State::firing, 101)});
  EXPECT_THAT(look.at(101 * kSecond, {}), IsEmpty());
  EXPECT_THAT(look.at(103 * kSecond, {alert(State::firing, 101)}), IsEmpty());
}

TEST(AlertTracker, AlertListedTwiceIsOne) {
  Looks look;
  (void)look({});
  EXPECT_THAT(kinds(look({alert(State::pending), alert(State::firing)})),
              ElementsAre("alert.firing"));
}

TEST(AlertTracker, KnowsWhenRulesHaveToBeReadAgain) {
  Looks look;
  EXPECT_FALSE(look.tracker.differs({}));
  const std::vector<ActiveAlert> one{alert(State::pending, 100)};
  EXPECT_TRUE(look.tracker.differs(one));
  (void)look(one);
  EXPECT_FALSE(look.tracker.differs(one));
  EXPECT_TRUE(look.tracker.differs({}));
  EXPECT_TRUE(look.tracker.differs(std::vector<ActiveAlert>{alert(State::firing, 100)}));
}

TEST(ClockBounds, ManyAnswersNarrowTheOffsetAndNeverExcludeTheTruth) {
  constexpr std::int64_t kOffset = 1'234'567;
  ClockBounds bounds;
  EXPECT_FALSE(bounds.estimate());
  std::int64_t now = 1'700'000'000 * kSecond;
  for (int n = 0; n < 60; ++n) {
    now += 537'000;
    const std::int64_t server = now + 2'000 + kOffset;  // answered 2 ms into a 5 ms exchange
    bounds.add(from_micros(now), from_micros(now + 5'000), from_micros(server / kSecond * kSecond));
    const auto estimate = bounds.estimate();
    ASSERT_TRUE(estimate);
    EXPECT_LE(std::abs(estimate->offset.count() - kOffset), estimate->error.count());
  }
  EXPECT_LT(bounds.estimate()->error, Duration{50'000});
}

TEST(ClockBounds, MillisecondsOfAnApiNarrowItToTheRoundTrip) {
  ClockBounds bounds;
  const UtcTime began = from_micros(1'700'000'000 * kSecond);
  const Duration offset{-5'000'250};
  // Answered 1 ms into an exchange of 3 ms, and cut to the millisecond.
  const auto shown = std::chrono::floor<std::chrono::milliseconds>(began + Duration{1000} + offset);
  bounds.add(began, began + Duration{3000}, shown, Duration{1000});
  const auto estimate = bounds.estimate();
  ASSERT_TRUE(estimate);
  EXPECT_LE(std::chrono::abs(estimate->offset - offset), estimate->error);
  EXPECT_EQ(estimate->error, Duration{2000});
}

TEST(ClockBounds, SteppedClockStartsAnew) {
  ClockBounds bounds;
  bounds.add(from_micros(10'000'000), from_micros(10'010'000), from_micros(10'000'000));
  bounds.add(from_micros(11'000'000), from_micros(11'010'000), from_micros(71'000'000));
  const auto estimate = bounds.estimate();
  ASSERT_TRUE(estimate);
  EXPECT_LE(estimate->offset - estimate->error, Duration{60'000'000});
  EXPECT_GE(estimate->offset + estimate->error, Duration{60'000'000});
}

TEST(HttpDate, IsReadStrictly) {
  const auto date = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
  ASSERT_TRUE(date);
  EXPECT_EQ(to_rfc3339(*date), "1994-11-06T08:49:37.000000Z");
  for (const char* text : {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET",
                           "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                           "Sun, +6 Nov 1994 08:49:37 GMT", "Sun, 06 Now 1994 08:49:37 GMT"})
    EXPECT_FALSE(parse_http_date(text)) << text;
}

}  // namespace
}  // namespace firedrill
