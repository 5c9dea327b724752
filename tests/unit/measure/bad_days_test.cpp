// Bad days of monitoring: what an honest person would say of each, told by the log.
#include <algorithm>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/measure/measures.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using testing::at_s;
using ::testing::Contains;
using testing::example_experiment;
using ::testing::HasSubstr;
using testing::RunLog;
using testing::secs;
using testing::Story;
using testing::tell;
using testing::us;

const Story kSilent{.alert = {}, .ack = {}};

/// The example, where the notification of Alertmanager is all that is heard.
Json webhook_only() {
  Json experiment = example_experiment();
  experiment["expected-detections"][0]["source"] = "am";
  return experiment;
}

Measures measured(const std::function<void(RunLog&)>& more, const Story& story = kSilent,
                  const Json& experiment = example_experiment()) {
  RunLog log;
  log.events = tell(story);
  for (Event& event : log.events)
    if (event.kind == "run.created") event.data["experiment"] = experiment;
  more(log);
  const Result<Measures> result = measure(log.events);
  if (!result) ADD_FAILURE() << describe(result.error());
  return result.value_or(Measures{});
}

void notice(RunLog& log, double received, const std::string& status, std::optional<double> starts,
            bool compared = false, std::optional<double> ends = std::nullopt) {
  Json more{{"status", status}, {"received_us", us(received)}, {"group_key", "g"}};
  if (starts) more["starts_us"] = us(*starts);
  if (ends) more["ends_us"] = us(*ends);
  if (compared) more["monitor_error_us"] = 3000;
  else more["starts_clock"] = "monitor";
  log.alert("alert.notified", received, "EtcdSlowWrites", more, "am");
}

const DetectionResult& detection(const Measures& measures) { return measures.detections.at(0); }

TEST(BadDays, ARepeatedNotificationOfAnOldAlertDetectsNothing) {
  const Measures measures =
      measured([](RunLog& log) { notice(log, 12, "firing", -600); }, kSilent, webhook_only());
  EXPECT_EQ(detection(measures).outcome, DetectionOutcome::already_firing);
  EXPECT_FALSE(measures.points.fired);
  EXPECT_THAT(measures.doubts, Contains(HasSubstr("was on before the injection")));
}

TEST(BadDays, ANotificationAloneIsJudgedByWhenPeopleWereTold) {
  // Its clock is 5 s behind: by its own word it began before the fault.
  const Measures measures =
      measured([](RunLog& log) { notice(log, 3, "firing", -2.5); }, kSilent, webhook_only());
  EXPECT_EQ(detection(measures).outcome, DetectionOutcome::in_time);
  EXPECT_THAT(detection(measures).why, HasSubstr("was told 3.0 s after"));
  EXPECT_EQ(measures.points.notified->at, at_s(3));
  EXPECT_EQ(measures.alerts.at(0).basis, Basis::notice);
  EXPECT_LE(measures.points.fired->earliest(), at_s(2));
}

TEST(BadDays, AComparedClockGivesTheFiringInstantOfANotification) {
  const Measures measures =
      measured([](RunLog& log) { notice(log, 3, "firing", 2.5, true); }, kSilent, webhook_only());
  EXPECT_EQ(measures.points.fired->at, at_s(2.5));
  EXPECT_EQ(measures.points.fired->late, secs(0.003));
}

TEST(BadDays, AWebhookDeliveredTwiceIsOneAlertHeardOnce) {
  const Measures measures = measured(
      [](RunLog& log) {
        notice(log, 3, "firing", 2, true);
        notice(log, 8, "firing", 2, true);
        notice(log, 40, "resolved", 2, true, 39);
        notice(log, 41, "resolved", 2, true, 39);
        notice(log, 42, "firing", 2, true);
      },
      kSilent, webhook_only());
  ASSERT_EQ(measures.alerts.size(), 1U);
  EXPECT_EQ(measures.points.notified->at, at_s(3));
  EXPECT_EQ(measures.alerts[0].resolved->at, at_s(39));
}

TEST(BadDays, AWebhookOutOfOrderTellsTheSameEpisode) {
  const Measures measures = measured(
      [](RunLog& log) {
        notice(log, 12, "resolved", 4, true, 11);
        notice(log, 12.5, "firing", 4, true);
      },
      kSilent, webhook_only());
  ASSERT_EQ(measures.alerts.size(), 1U) << "no second alert that never ends";
  EXPECT_EQ(measures.alerts[0].fired->at, at_s(4));
  EXPECT_EQ(measures.alerts[0].resolved->at, at_s(11));
  EXPECT_EQ(measures.alerts[0].notified->at, at_s(12.5));
  EXPECT_EQ(detection(measures).outcome, DetectionOutcome::in_time);
}

TEST(BadDays, AnAlertThatComesBackIsAnotherEpisode) {
  const Measures measures = measured(
      [](RunLog& log) {
        notice(log, 5, "firing", 4, true);
        notice(log, 12, "resolved", 4, true, 11);
        notice(log, 21, "firing", 20, true);
      },
      kSilent, webhook_only());
  ASSERT_EQ(measures.alerts.size(), 2U);
  EXPECT_FALSE(measures.alerts[1].resolved);
}

TEST(BadDays, ARestartThatForgotWhatWasPendingExcusesTheRule) {
  const auto restart = [](RunLog& log) {
    log.add("detector.restarted", 9, {{"detector", "prom"}, {"forgotten", {"EtcdSlowWrites"}}},
            "detector:prom");
  };
  const Measures missed = measured(restart);
  EXPECT_EQ(detection(missed).outcome, DetectionOutcome::unknown);
  EXPECT_THAT(detection(missed).why, HasSubstr("started anew"));
  const Measures late = measured(restart, {.alert = 31, .ack = 33});
  EXPECT_EQ(detection(late).outcome, DetectionOutcome::unknown);
  EXPECT_THAT(detection(late).why, HasSubstr("31.0 s after"));
  EXPECT_EQ(detection(measured(restart, {})).outcome, DetectionOutcome::in_time)
      << "it fired in time in spite of it";
}

TEST(BadDays, ADetectorThatWasAwayLeavesOpenWhetherItWasInTime) {
  const Measures measures = measured([](RunLog& log) {
    log.add("detector.lost", 20, {{"detector", "prom"}, {"reason", "refused"}}, "detector:prom");
    log.add("detector.up", 40, {{"detector", "prom"}}, "detector:prom");
    log.alert("alert.firing", 30, "EtcdSlowWrites",
              {{"last_quiet_us", us(19)}, {"first_seen_us", us(40)}});
  });
  EXPECT_EQ(detection(measures).outcome, DetectionOutcome::unknown);
  EXPECT_THAT(detection(measures).why, HasSubstr("between 19.0 s and 40.0 s"));
}

TEST(BadDays, AMissedEvaluationIsNotHiddenByTheSourcesWord) {
  const Measures measures = measured([](RunLog& log) {
    log.alert("alert.firing", 9.5, "EtcdSlowWrites",
              {{"fired_us", us(7)}, {"last_quiet_us", us(9)}, {"first_seen_us", us(10)}})
        .uncertainty = secs(0.5);
  });
  EXPECT_EQ(measures.points.fired->earliest(), at_s(9));
  EXPECT_EQ(measures.points.fired->latest(), at_s(10));
  EXPECT_EQ(measures.alerts.at(0).basis, Basis::looks);
}

Json rules(const Json& more = Json::object()) {
  Json rule{{"name", "EtcdSlowWrites"}, {"for", "5s"}, {"interval", "1s"}};
  rule.update(more);
  return {{"detector", "prom"}, {"rules", Json::array({rule})}};
}

TEST(BadDays, ARuleWithoutDataMissedAndTheReasonIsSaid) {
  const Measures measures = measured([](RunLog& log) {
    log.add("monitoring.rules", -14, rules(), "detector:prom");
    log.add("monitoring.rules", 8, rules({{"empty", {"etcd_wal{job=\"etcd\"}"}}}), "detector:prom");
  });
  EXPECT_EQ(detection(measures).outcome, DetectionOutcome::missed);
  EXPECT_THAT(detection(measures).why, HasSubstr("no series matched etcd_wal{job=\"etcd\"}"));
}

TEST(BadDays, ARuleThatCannotBeEvaluatedMissedAndTheReasonIsSaid) {
  const Measures measures = measured([](RunLog& log) {
    log.add("monitoring.rules", -14, rules({{"trouble", "many-to-many matching"}}),
            "detector:prom");
  });
  EXPECT_EQ(detection(measures).outcome, DetectionOutcome::missed);
  EXPECT_THAT(detection(measures).why, HasSubstr("many-to-many"));
}

TEST(BadDays, AnAlertThatWakesNobodyWasNotHeardAsExpected) {
  const Measures ticket = measured([](RunLog& log) {
    log.alert("alert.firing", 12, "EtcdSlowWrites",
              {{"labels", {{"alertname", "EtcdSlowWrites"}, {"severity", "ticket"}}},
               {"last_quiet_us", us(11.5)},
               {"first_seen_us", us(12)}});
  });
  EXPECT_EQ(detection(ticket).outcome, DetectionOutcome::in_time);
  EXPECT_THAT(detection(ticket).unheard, HasSubstr("came as 'ticket', and 'page' was expected"));
  EXPECT_FALSE(ticket.alerts.at(0).wakes);
  const Measures muted = measured([](RunLog& log) {
    log.alert(
        "alert.firing", 12, "EtcdSlowWrites",
        {{"muted_by", {"silence-1"}}, {"last_quiet_us", us(11.5)}, {"first_seen_us", us(12)}});
  });
  EXPECT_THAT(detection(muted).unheard, HasSubstr("muted (by silence-1)"));
  EXPECT_FALSE(muted.alerts.at(0).wakes);
  const Measures page = measured([](RunLog&) {}, {});
  EXPECT_EQ(detection(page).unheard, "");
  EXPECT_TRUE(page.alerts.at(0).wakes);
}

TEST(BadDays, APagersAcknowledgementIsKnownByItsTitle) {
  Json experiment = example_experiment();
  experiment["detectors"]["duty"] = {{"type", "pager"}};
  const auto ack = [](RunLog& log, const std::string& title) {
    log.add("ack", 16,
            {{"who", "Alice"},
             {"alertname", title},
             {"fingerprint", "Q1"},
             {"labels", {{"alertname", title}, {"urgency", "high"}}}},
            "detector:duty");
  };
  const Story story{.ack = {}};
  const Measures ours =
      measured([&](RunLog& log) { ack(log, "[FIRING:1] EtcdSlowWrites db-2"); }, story, experiment);
  EXPECT_EQ(ours.points.acknowledged->at, at_s(16));
  EXPECT_EQ(ours.alerts.at(0).acknowledged->at, at_s(16));
  const Measures other =
      measured([&](RunLog& log) { ack(log, "Disk full on web-3"); }, story, experiment);
  EXPECT_FALSE(other.points.acknowledged) << "another incident is not this one";
}

TEST(BadDays, AClockBeyondItsBoundOrSetDuringTheRunLeavesDoubt) {
  Json strict = example_experiment();
  strict["objectives"]["clock-error"] = "10ms";
  const Measures vague = measured([](RunLog& log) { log.fires(12); }, kSilent, strict);
  EXPECT_THAT(vague.doubts, Contains(HasSubstr("known only to ± 50 ms, by the clock of prom")));
  const Measures set = measured(
      [](RunLog& log) {
        for (const auto& [at, offset] : {std::pair{-10.0, 1000}, {20.0, 3'001'000}})
          log.add("clock.estimate", at,
                  {{"detector", "prom"}, {"offset_us", offset}, {"error_us", 2000}},
                  "detector:prom");
      },
      {});
  EXPECT_THAT(set.doubts, Contains(HasSubstr("the clock of prom was set during the run")));
  ASSERT_EQ(set.clocks.size(), 2U);
  EXPECT_EQ(set.clocks[1].offset, secs(3.001));
}

}  // namespace
}  // namespace firedrill
