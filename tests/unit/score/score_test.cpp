// Verdicts, gates and points; and the traps that other tools' scores fell into.
#include "controller/score/score.hpp"

#include <algorithm>
#include <functional>

#include <gtest/gtest.h>

#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using testing::RunLog;
using testing::Story;
using testing::tell;
using testing::us;

Scorecard scored(const std::vector<Event>& events) {
  const Result<Measures> measures = measure(events);
  if (!measures) ADD_FAILURE() << describe(measures.error());
  return measures ? score(*measures) : Scorecard{};
}

/// The same story with the experiment changed.
std::vector<Event> with_experiment(const Story& story, const std::function<void(Json&)>& change) {
  std::vector<Event> events = tell(story);
  change(events.front().data["experiment"]);
  return events;
}

const Score& named(const Scorecard& card, std::string_view name) {
  return *std::ranges::find(card.scores, name, &Score::name);
}

bool gives(const Scorecard& card, std::string_view words) {
  return std::ranges::any_of(card.reasons,
                             [&](const std::string& reason) { return reason.contains(words); });
}

const Story kUnattended{.whole = 61, .ack = {}, .check = {}, .raise = {}, .end = 80};

TEST(Verdict, WordsAndExitCodes) {
  const std::pair<Verdict, int> codes[] = {{Verdict::pass, 0},
                                           {Verdict::fail, 1},
                                           {Verdict::inconclusive, 2},
                                           {Verdict::aborted, 3},
                                           {Verdict::error, 255}};
  for (const auto& [verdict, code] : codes) {
    EXPECT_EQ(exit_code(verdict), code);
    EXPECT_EQ(parse_verdict(to_string(verdict)), verdict);
  }
  EXPECT_FALSE(parse_verdict("completed"));
}

TEST(Verdict, AGoodRunPasses) {
  const Scorecard card = scored(tell());
  EXPECT_EQ(card.verdict, Verdict::pass);
  EXPECT_EQ(card.rung, "recovered");
  EXPECT_EQ(card.next_rung, "");
  for (const Score& score : card.scores) {
    ASSERT_TRUE(score.value) << score.name;
    EXPECT_GT(*score.value, 99) << score.name;
    EXPECT_LE(*score.value, 100) << score.name;
    EXPECT_FALSE(score.formula.empty()) << score.name;
  }
}

TEST(Verdict, MissedDetectionFails) {
  const Scorecard card = scored(tell({.whole = 61, .alert = {}, .ack = {}, .end = 80}));
  EXPECT_EQ(card.verdict, Verdict::fail);
  EXPECT_TRUE(gives(card, "expected detection 'page' did not fire"));
}

TEST(Verdict, MissedObjectivesFail) {
  const Scorecard card = scored(tell({.alert = 25, .ack = 26, .check = 27}));
  EXPECT_EQ(card.verdict, Verdict::fail);
  EXPECT_TRUE(gives(card, "TTD 23.5 s, objective 20.0 s: missed"));
}

TEST(Verdict, NobodyMitigatingMissesTheObjectiveForIt) {
  const Scorecard card = scored(tell(kUnattended));
  EXPECT_EQ(card.verdict, Verdict::fail);
  EXPECT_TRUE(gives(card, "nobody mitigated it"));
}

TEST(Verdict, NotRecoveredFails) {
  const Scorecard card = scored(tell({.whole = {}, .raise = {}, .end = 80}));
  EXPECT_EQ(card.verdict, Verdict::fail);
  EXPECT_TRUE(gives(card, "not whole again"));
}

TEST(Verdict, ForbiddenAlertFails) {
  const Scorecard card = scored(tell({.forbidden = true}));
  EXPECT_EQ(card.verdict, Verdict::fail);
  EXPECT_TRUE(gives(card, "forbidden alert 'EtcdMemberDown' fired"));
}

TEST(Verdict, DirtyOutranksEverything) {
  const Scorecard card = scored(tell({.halt = 40, .dirty = true}));
  EXPECT_EQ(card.verdict, Verdict::error);
  EXPECT_TRUE(gives(card, "a person must look"));
}

TEST(Verdict, HaltAborts) {
  const Scorecard card = scored(tell({.halt = 40}));
  EXPECT_EQ(card.verdict, Verdict::aborted);
  EXPECT_FALSE(named(card, "detection").value);
  EXPECT_TRUE(named(card, "safety").value);
}

TEST(Verdict, ShamRunsAreInconclusiveAndSayWhatTheyFound) {
  const Scorecard quiet = scored(tell({.sham = true}));
  EXPECT_EQ(quiet.verdict, Verdict::inconclusive);
  EXPECT_TRUE(gives(quiet, "no detection, as it should be"));
  const Scorecard noisy = scored(tell({.sham = true, .false_alarm = true}));
  EXPECT_EQ(noisy.verdict, Verdict::inconclusive);
  EXPECT_TRUE(gives(noisy, "false alarm"));
}

TEST(Verdict, AShamRunThatNeverBeganSaysWhyAndNothingOfQuiet) {
  std::vector<Event> events = tell({.sham = true});
  events.back().data["outcome"] = "not-started";
  events.back().data["reasons"] = {"HostTcpRetransmits is firing already"};
  const Scorecard card = scored(events);
  EXPECT_EQ(card.verdict, Verdict::inconclusive);
  EXPECT_TRUE(gives(card, "is firing already"));
  EXPECT_FALSE(gives(card, "as it should be"));
}

// A failed action that counts as "completed": no score without a confirmed injection.
TEST(Trap, NothingInjectedIsNeverAScore) {
  std::vector<Event> events = tell();
  std::erase_if(events, [](const Event& event) { return event.kind.starts_with("injection."); });
  const Scorecard card = scored(events);
  EXPECT_EQ(card.verdict, Verdict::inconclusive);
  for (const Score& score : card.scores) EXPECT_FALSE(score.value) << score.name;
}

// "At least once" satisfied by an alert that was on already.
TEST(Trap, AnAlertThatWasOnBeforeIsNoDetection) {
  RunLog log;
  log.events = tell();
  log.alert("alert.firing", -5, "EtcdSlowWrites", {{"fired_us", us(-5)}, {"fingerprint", "old"}});
  const Scorecard card = scored(log.events);
  EXPECT_EQ(card.verdict, Verdict::inconclusive);
  EXPECT_FALSE(named(card, "detection").value);
}

// 100 for zero checks.
TEST(Trap, NothingAskedIsNoScore) {
  const Scorecard card = scored(with_experiment(kUnattended, [](Json& experiment) {
    experiment.erase("expected-detections");
    experiment.erase("forbidden-alerts");
    experiment.erase("runbook");
    experiment.erase("objectives");
  }));
  EXPECT_EQ(card.verdict, Verdict::pass);
  EXPECT_FALSE(named(card, "detection").value);
  EXPECT_FALSE(named(card, "response").value);
  EXPECT_EQ(named(card, "response").why_none, "no runbook was given");
}

// A silent stack that outranks one that alerts: firing as expected must only ever raise the score.
TEST(Trap, GoodAlertingLooksGood) {
  Story silent = kUnattended;
  silent.alert = {};
  EXPECT_GT(*named(scored(tell(kUnattended)), "detection").value,
            *named(scored(tell(silent)), "detection").value);
}

// Results keyed by name, so that two of the same overwrite each other; sums above 100.
TEST(Trap, NoScoreLeavesItsRangeAndEveryExpectationCounts) {
  const Scorecard card = scored(with_experiment({}, [](Json& experiment) {
    Json second = experiment["expected-detections"][0];
    second["name"] = "page-again";
    experiment["expected-detections"].push_back(second);
  }));
  const Score& detection = named(card, "detection");
  EXPECT_EQ(std::ranges::count_if(
                detection.lines,
                [](const ScoreLine& line) { return line.what.starts_with("expected detection"); }),
            2);
  for (const Score& score : card.scores) EXPECT_LE(score.value.value_or(0), 100) << score.name;
}

// A failed check that earns more than one never made: late earns half, missed and skipped nothing.
TEST(Trap, FailingNeverEarnsMoreThanTrying) {
  const double in_time = *named(scored(tell()), "response").value;
  const double late = *named(scored(tell({.ack = 25})), "response").value;
  const double skipped =
      *named(scored(tell({.ack = {}, .check = {}, .raise = {}})), "response").value;
  EXPECT_GT(in_time, late);
  EXPECT_GT(late, skipped);
  EXPECT_EQ(skipped, 0);
}

// Data that never came counts as passed.
TEST(Trap, AProbeWithoutDataIsNotSteady) {
  std::vector<Event> events = tell();
  std::erase_if(events, [](const Event& event) { return event.kind == "probe.sample"; });
  EXPECT_EQ(scored(events).verdict, Verdict::inconclusive);
}

TEST(Points, AWordIsWorthLessThanWhatAMachineSaw) {
  std::vector<Event> events = tell();
  for (Event& event : events)
    if (event.kind == "step.verified") {
      event.kind = "step.done";
      event.data = {{"step", "raise-ring"}, {"who", "ada"}};
    }
  EXPECT_LT(*named(scored(events), "response").value, *named(scored(tell()), "response").value);
}

TEST(Points, EachLineNamesItsEvidence) {
  const Scorecard card = scored(tell());
  const Score& detection = named(card, "detection");
  ASSERT_FALSE(detection.lines.empty());
  ASSERT_EQ(detection.lines[0].evidence.size(), 1U);
  const std::vector<Event> events = tell();
  EXPECT_EQ(events.at(static_cast<std::size_t>(detection.lines[0].evidence[0] - 1)).kind,
            "alert.firing");
}

TEST(Points, RecoveryIsNotScoredWhenNobodyWasHurt) {
  const Scorecard card = scored(tell({.hurt = 1000, .check = 15, .raise = 20}));
  EXPECT_FALSE(named(card, "recovery").value);
  EXPECT_TRUE(named(card, "recovery").why_none.contains("never hurt"));
}

TEST(Ladder, EndsAtTheFirstRungNotReached) {
  const Scorecard card = scored(tell(kUnattended));
  EXPECT_EQ(card.rung, "notified");
  EXPECT_EQ(card.next_rung, "acknowledged");
}

TEST(Determinism, TheSameLogGivesTheSameBytes) {
  EXPECT_EQ(to_json(scored(tell())).dump(), to_json(scored(tell())).dump());
}

}  // namespace
}  // namespace firedrill
