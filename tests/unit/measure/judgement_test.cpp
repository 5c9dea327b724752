// Detections, steps, the ladder, and the doubts that make a run inconclusive.
#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "controller/measure/measures.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using testing::at_s;
using testing::RunLog;
using testing::secs;
using testing::tell;
using testing::us;

Measures measured(const std::vector<Event>& events) {
  const Result<Measures> result = measure(events);
  if (!result) ADD_FAILURE() << describe(result.error());
  return result.value_or(Measures{});
}

/// The told run with more events, which another story may need.
std::vector<Event> with(const std::function<void(RunLog&)>& more,
                        const testing::Story& story = {}) {
  RunLog log;
  log.events = tell(story);
  more(log);
  return log.events;
}

bool doubted(const Measures& measures, std::string_view words) {
  return std::ranges::any_of(measures.doubts,
                             [&](const std::string& doubt) { return doubt.contains(words); });
}

const StepResult& step(const Measures& measures, std::string_view id) {
  return *std::ranges::find(measures.steps, id, &StepResult::id);
}

TEST(Detections, InTimeLateAndMissed) {
  EXPECT_EQ(measured(tell()).detections[0].outcome, DetectionOutcome::in_time);
  EXPECT_EQ(measured(tell({.alert = 31, .ack = 33})).detections[0].outcome, DetectionOutcome::late);
  EXPECT_EQ(measured(tell({.alert = {}, .ack = {}})).detections[0].outcome,
            DetectionOutcome::missed);
}

TEST(Detections, AnAlertThatWasOnBeforeSaysNothing) {
  const Measures measures = measured(with([](RunLog& log) {
    log.alert("alert.firing", -5, "EtcdSlowWrites",
              {{"fired_us", us(-5)}, {"fingerprint", "another"}, {"first_seen_us", us(-5)}});
  }));
  EXPECT_EQ(measures.detections[0].outcome, DetectionOutcome::already_firing);
  EXPECT_FALSE(measures.baseline_quiet);
  EXPECT_TRUE(doubted(measures, "was on before"));
}

TEST(Detections, AnAlertResolvedLongBeforeLeavesTheBaselineQuiet) {
  const Measures measures = measured(with([](RunLog& log) {
    log.alert("alert.firing", -14, "EtcdSlowWrites",
              {{"fired_us", us(-14)}, {"fingerprint", "old"}});
    log.alert("alert.resolved", -12, "EtcdSlowWrites",
              {{"ends_us", us(-12)}, {"fingerprint", "old"}});
  }));
  EXPECT_TRUE(measures.baseline_quiet);
  EXPECT_EQ(measures.detections[0].outcome, DetectionOutcome::in_time);
}

TEST(Detections, ADetectorThatWasBlindMissedNothing) {
  const Measures measures = measured(with(
      [](RunLog& log) {
        log.add("detector.lost", 5, {{"detector", "prom"}, {"reason", "refused"}});
      },
      {.alert = {}, .ack = {}}));
  EXPECT_EQ(measures.detections[0].outcome, DetectionOutcome::unknown);
  EXPECT_TRUE(doubted(measures, "not reachable"));
}

TEST(Detections, AHaltedRunDoesNotTellWhetherTheAlertWouldHaveCome) {
  const Measures measures = measured(
      tell({.whole = 12, .alert = {}, .ack = {}, .check = {}, .raise = {}, .halt = 10, .end = 25}));
  EXPECT_EQ(measures.detections[0].outcome, DetectionOutcome::unknown);
  EXPECT_EQ(measures.halted_by, "ada: a real incident");
}

TEST(Detections, OnAtTheFirstLookIsNotADetection) {
  const Measures measures = measured(with(
      [](RunLog& log) {
        log.alert("alert.firing", 9, "EtcdSlowWrites",
                  {{"first_seen_us", us(9)}, {"already", true}});
      },
      {.alert = {}, .ack = {}}));
  EXPECT_EQ(measures.detections[0].outcome, DetectionOutcome::unknown);
  EXPECT_FALSE(measures.points.fired);
}

TEST(Steps, DueCountsFromTheAlertAndEvidenceIsNamed) {
  const Measures measures = measured(tell());
  EXPECT_EQ(step(measures, "ack").due, at_s(22));
  EXPECT_EQ(step(measures, "ack").evidence, StepEvidence::machine);
  EXPECT_EQ(step(measures, "check-drops").evidence, StepEvidence::attested);
  EXPECT_EQ(step(measures, "raise-ring").evidence, StepEvidence::machine);
  for (const StepResult& result : measures.steps)
    EXPECT_EQ(result.outcome, StepOutcome::on_time) << result.id;
}

TEST(Steps, WhatAMachineSawBeatsWhatAPersonSaid) {
  const Measures measures = measured(with([](RunLog& log) {
    log.add("step.done", 14, {{"step", "raise-ring"}, {"who", "bob"}, {"note", "did it"}},
            "person:bob");
  }));
  EXPECT_EQ(step(measures, "raise-ring").evidence, StepEvidence::machine);
  EXPECT_EQ(step(measures, "raise-ring").done->at, at_s(29.6));
}

TEST(Steps, LateSkippedAndOutOfOrder) {
  EXPECT_EQ(step(measured(tell({.ack = 23})), "ack").outcome, StepOutcome::late);
  EXPECT_EQ(step(measured(tell({.raise = {}})), "raise-ring").outcome, StepOutcome::skipped);
  const Measures disordered = measured(tell({.check = 31.5}));
  EXPECT_EQ(step(disordered, "raise-ring").outcome, StepOutcome::out_of_order);
  EXPECT_EQ(step(disordered, "check-drops").outcome, StepOutcome::on_time);
  const Measures unasked = measured(tell({.check = {}}));
  EXPECT_EQ(step(unasked, "raise-ring").outcome, StepOutcome::out_of_order);
}

TEST(Steps, BoundsThatOverlapAccuseNobody) {
  std::vector<Event> events = tell({.check = 29.7});  // raise-ring: somewhere in 29.4 .. 29.8
  EXPECT_EQ(step(measured(events), "raise-ring").outcome, StepOutcome::on_time);
}

TEST(Steps, EvidenceFromBeforeTheFaultDoesNotCount) {
  const Measures measures = measured(with(
      [](RunLog& log) {
        log.add("step.verified", -5,
                {{"step", "raise-ring"}, {"seen_us", us(-5)}, {"last_not_us", us(-6)}});
      },
      {.raise = {}}));
  EXPECT_EQ(step(measures, "raise-ring").outcome, StepOutcome::skipped);
}

TEST(Steps, WhatOurOwnUndoPutBackIsNobodysStep) {
  const Measures measures = measured(with(
      [](RunLog& log) {
        log.add("step.verified", 60.4,
                {{"step", "raise-ring"},
                 {"host", "db-2"},
                 {"seen_us", us(60.4)},
                 {"last_not_us", us(59.9)}});
      },
      {.whole = 61, .raise = {}, .end = 75}));
  EXPECT_EQ(step(measures, "raise-ring").outcome, StepOutcome::skipped);
}

TEST(Ladder, NamesWhatWasReachedInOrder) {
  const Measures measures = measured(tell({.whole = 61, .check = {}, .raise = {}, .end = 75}));
  std::string reached;
  for (const Rung& rung : measures.ladder)
    if (rung.reached) reached += rung.name + " ";
  EXPECT_EQ(reached, "injected impacted alerted notified acknowledged recovered ");
}

TEST(Doubts, AGoodRunHasNone) {
  const Measures measures = measured(tell());
  EXPECT_TRUE(measures.doubts.empty()) << measures.doubts.front();
  EXPECT_TRUE(measures.errors.empty());
}

TEST(Doubts, NoConfirmedInjection) {
  std::vector<Event> events = tell();
  std::erase_if(events, [](const Event& event) { return event.kind.starts_with("injection."); });
  EXPECT_TRUE(doubted(measured(events), "no injection was confirmed"));
}

TEST(Doubts, OnlyPartOfTheFaultWasOn) {
  std::vector<Event> events = tell();
  for (Event& event : events)
    if (event.kind == "injection.active" && event.data["injection"] == "ring.2") {
      event.kind = "injection.failed";
      event.data = {{"injection", "ring.2"},
                    {"fault", "nic-ring"},
                    {"host", "db-2"},
                    {"stage", "apply"},
                    {"error", "no such device"}};
    }
  EXPECT_TRUE(doubted(measured(events), "only part of the fault was on"));
}

TEST(Doubts, ClocksSteadinessProbesAndUnfinishedLogs) {
  EXPECT_TRUE(doubted(measured(with([](RunLog& log) {
                        log.add("clock.estimate", 1, {{"host", "db-2"}, {"error_us", 1'500'000}});
                      })),
                      "clock of db-2"));
  std::vector<Event> events = tell();
  for (Event& event : events)
    if (event.kind == "steady-state.checked") event.data["met"] = false;
  EXPECT_TRUE(doubted(measured(events), "did not hold before"));
  events = tell();
  std::erase_if(events, [](const Event& event) {
    return event.kind == "probe.sample" && event.data["probe"] == "write-errors";
  });
  EXPECT_TRUE(doubted(measured(events), "'write-errors' never gave a value"));
  events = tell();
  events.pop_back();
  EXPECT_TRUE(doubted(measured(events), "before the run was finished"));
}

TEST(Errors, DirtyHostsAndUnconfirmedUndo) {
  EXPECT_EQ(measured(tell({.dirty = true})).errors.size(), 1U);
  std::vector<Event> events = tell();
  std::erase_if(events, [](const Event& event) {
    return event.kind == "injection.undone" && event.data["injection"] == "ring.2";
  });
  const Measures measures = measured(events);
  ASSERT_EQ(measures.errors.size(), 1U);
  EXPECT_TRUE(measures.errors[0].contains("undo was never confirmed"));
  EXPECT_FALSE(measures.points.reverted);
}

TEST(Errors, AnUndoThatSucceedsLaterMendsTheDirtyOne) {
  const Measures measures = measured(with(
      [](RunLog& log) { log.undone("ring.2", "nic-ring", 65, 66, "time-up"); }, {.dirty = true}));
  EXPECT_TRUE(measures.errors.empty());
  EXPECT_FALSE(measures.injections[1].dirty);
}

TEST(Errors, ARecordedVerdictSaysNothingNew) {
  const testing::Story story{.dirty = true};
  const Measures before = measured(tell(story));
  const Measures after = measured(with(
      [&](RunLog& log) {
        log.add("run.verdict", 73, {{"verdict", "error"}, {"reasons", before.errors}});
      },
      story));
  EXPECT_TRUE(to_json(after) == to_json(before));
}

std::vector<Event> ended_with(const std::string& outcome, const std::string& reason) {
  std::vector<Event> events = tell();
  events.back().data["outcome"] = outcome;
  events.back().data["reasons"] = {reason};
  return events;
}

TEST(Errors, TheRunsOwnWordOnItsEndIsHeard) {
  EXPECT_EQ(measured(ended_with("error", "the store failed")).errors,
            std::vector<std::string>{"the store failed"});
  const Measures aborted = measured(ended_with("aborted", "stop condition 'writes' met"));
  EXPECT_EQ(aborted.halted_by, "the run itself: stop condition 'writes' met");
  EXPECT_TRUE(aborted.halted_at);
  EXPECT_TRUE(doubted(measured(ended_with("not-started", "db-2 cannot")), "db-2 cannot"));
  EXPECT_TRUE(measured(ended_with("completed", "")).errors.empty());
}

TEST(Radius, AnInjectionThatNobodyPlannedIsSeen) {
  EXPECT_EQ(measured(tell()).radius_held, true);
  EXPECT_EQ(measured(with([](RunLog& log) { log.active("stray.9", "netem", 3, 3); })).radius_held,
            false);
}

}  // namespace
}  // namespace firedrill
