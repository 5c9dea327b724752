// Whole runs, and each thing that can go wrong in one.
#include <gmock/gmock.h>

#include "tests/unit/machine/fixture.hpp"

namespace firedrill::machine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

rpc::InjectionStatus status(std::string id, InjectionState state) {
  rpc::InjectionStatus out;
  out.id = std::move(id);
  out.state = state;
  return out;
}

TEST(Run, GoesThroughEveryPhaseAndCompletes) {
  Drive drive(plan_of_two());
  drive.to_recovering();
  drive.feed(input::SteadyAgain{});
  std::vector<Phase> phases;
  for (const auto& entered : drive.asked<command::EnterPhase>()) phases.push_back(entered.phase);
  EXPECT_THAT(phases,
              ElementsAre(Phase::preflight, Phase::baseline, Phase::preparing, Phase::injecting,
                          Phase::active, Phase::recovering, Phase::finished));
  ASSERT_THAT(drive.asked<command::Finish>(), SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<command::Finish>(drive.all.back()));
  EXPECT_EQ(drive.state.outcome, Outcome::completed);
  EXPECT_THAT(drive.state.reasons, IsEmpty());
  EXPECT_THAT(drive.asked<command::StopWatching>(), SizeIs(1));
  EXPECT_THAT(drive.asked<command::Undo>(), IsEmpty());
}

TEST(Run, CommitsOnlyWhenAllArePreparedAndTogether) {
  Drive drive(plan_of_two());
  drive.to_preparing();
  EXPECT_THAT(drive.asked<command::Prepare>().at(0).injections, ElementsAre("r.1", "r.2"));
  drive.feed(input::Prepared{"r.2"});
  EXPECT_THAT(drive.asked<command::Commit>(), IsEmpty());
  drive.feed(input::Prepared{"r.1"});
  const auto commits = drive.asked<command::Commit>();
  ASSERT_THAT(commits, SizeIs(1));
  EXPECT_EQ(commits[0].t0, drive.now + 500ms);
  ASSERT_THAT(commits[0].injections, SizeIs(2));
  EXPECT_EQ(commits[0].injections[0].at, commits[0].t0);
  EXPECT_EQ(commits[0].injections[1].at, commits[0].t0 + 5s);
  EXPECT_EQ(commits[0].injections[1].host, "db-2");
}

TEST(Run, IfOneCannotPrepareNoHostIsTouched) {
  Drive drive(plan_of_two());
  drive.to_preparing();
  drive.feed(input::Prepared{"r.1"});
  drive.feed(input::PrepareFailed{"r.2", {ErrorCode::refused, 0, "policy says no", {}}});
  EXPECT_EQ(drive.state.phase, Phase::healing);
  EXPECT_THAT(drive.asked<command::Undo>().at(0).injections, ElementsAre("r.1"));
  drive.feed(input::Undone{"r.1", UndoCause::requested, true});
  EXPECT_EQ(drive.state.phase, Phase::finished);
  EXPECT_EQ(drive.state.outcome, Outcome::error);
  EXPECT_THAT(drive.state.reasons.at(0), HasSubstr("policy says no"));
  EXPECT_THAT(drive.asked<command::Commit>(), IsEmpty());
}

TEST(Run, PreparingThatTakesTooLongReleasesAll) {
  Drive drive(plan_of_two());
  drive.to_preparing();
  drive.feed(input::Prepared{"r.1"});
  drive.tick();
  EXPECT_THAT(drive.asked<command::Undo>().at(0).injections, ElementsAre("r.1", "r.2"));
  drive.feed(input::Undone{"r.1", UndoCause::requested, true});
  drive.tick();
  EXPECT_EQ(drive.state.phase, Phase::finished);
  EXPECT_EQ(drive.state.outcome, Outcome::error);
  EXPECT_THAT(drive.asked<command::Commit>(), IsEmpty());
}

TEST(Run, ABaselineThatIsNotSteadyOrNotQuietInjectsNothing) {
  for (const auto& [steady, quiet] : {std::pair{false, true}, std::pair{true, false}}) {
    Drive drive(plan_of_two());
    drive.feed(input::Start{});
    drive.feed(input::PreflightDone{true, {}});
    drive.tick();
    EXPECT_THAT(drive.asked_last<command::CheckBaseline>(), SizeIs(1));
    drive.feed(input::BaselineDone{steady, quiet, {"write-p99 was 900 ms"}});
    EXPECT_EQ(drive.state.phase, Phase::finished);
    EXPECT_EQ(drive.state.outcome, Outcome::not_started);
    EXPECT_THAT(drive.state.reasons, SizeIs(3));
    EXPECT_THAT(drive.asked<command::Prepare>(), IsEmpty());
    EXPECT_THAT(drive.asked<command::StopWatching>(), SizeIs(1));
  }
}

TEST(Run, PreflightThatRefusesStartsNothing) {
  Drive drive(plan_of_two());
  drive.feed(input::Start{});
  drive.feed(input::PreflightDone{false, {"db-1 is not connected"}});
  EXPECT_EQ(drive.state.outcome, Outcome::not_started);
  EXPECT_EQ(drive.state.phase, Phase::finished);
  EXPECT_THAT(drive.asked<command::StartWatching>(), IsEmpty());
}

TEST(Run, HaltUndoesEverythingAndIsConfirmed) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::Halt{"ann", "a real incident"});
  const auto undo = drive.asked_last<command::Undo>();
  ASSERT_THAT(undo, SizeIs(1));
  EXPECT_EQ(undo[0].cause, UndoCause::halted);
  EXPECT_THAT(undo[0].injections, ElementsAre("r.1", "r.2"));
  drive.feed(input::Halt{"ann", "again"});
  EXPECT_THAT(drive.asked<command::Undo>(), SizeIs(1));
  drive.feed(input::Undone{"r.1", UndoCause::halted, true});
  EXPECT_EQ(drive.state.phase, Phase::healing);
  drive.feed(input::Undone{"r.2", UndoCause::halted, true});
  EXPECT_EQ(drive.state.phase, Phase::recovering);
  drive.feed(input::SteadyAgain{});
  EXPECT_EQ(drive.state.outcome, Outcome::aborted);
  EXPECT_THAT(drive.state.reasons.at(0), HasSubstr("ann"));
}

TEST(Run, ASecondHaltDoesNotWaitForTheSteadyState) {
  Drive drive(plan_of_two());
  drive.to_recovering();
  drive.feed(input::Halt{"ann", "enough"});
  EXPECT_EQ(drive.state.phase, Phase::finished);
  EXPECT_EQ(drive.state.outcome, Outcome::aborted);
}

TEST(Run, AnUndoThatIsNotConfirmedIsAnError) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::StopConditionMet{"hopeless", "p99 9 s"});
  drive.feed(input::Undone{"r.1", UndoCause::halted, true});
  drive.tick();
  EXPECT_EQ(drive.state.phase, Phase::recovering);
  EXPECT_EQ(drive.state.outcome, Outcome::error);
  EXPECT_THAT(drive.state.reasons.at(0), HasSubstr("undo not confirmed"));
}

TEST(Run, AnInjectionThatDoesNotEndByItselfIsAskedFor) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::Undone{"r.1", UndoCause::time_up, true});
  EXPECT_EQ(next_deadline(drive.state), drive.state.t0 + 5s + 60s + 10s);
  drive.tick();
  EXPECT_THAT(drive.asked<command::Undo>().at(0).injections, ElementsAre("r.2"));
  EXPECT_EQ(drive.state.outcome, Outcome::error);
}

TEST(Run, ACuredInjectionHasEnded) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::Undone{"r.1", UndoCause::cured, true});
  drive.feed(input::Undone{"r.2", UndoCause::time_up, true});
  EXPECT_EQ(drive.state.phase, Phase::recovering);
  EXPECT_EQ(drive.state.outcome, Outcome::completed);
}

TEST(Run, AHostThatEndsItsFaultItselfHasTheLastWord) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::Undone{"r.1", UndoCause::agent_stopped, true});
  EXPECT_EQ(drive.state.phase, Phase::healing);
  EXPECT_EQ(drive.state.outcome, Outcome::aborted);
  EXPECT_THAT(drive.asked<command::Undo>().at(0).injections, ElementsAre("r.2"));
}

TEST(Run, DirtyIsAnErrorAndHealsTheOthers) {
  for (const bool as_undone : {false, true}) {
    Drive drive(plan_of_two());
    drive.to_active();
    if (as_undone) drive.feed(input::Undone{"r.1", UndoCause::time_up, false});
    else drive.feed(input::Dirty{"r.1", "rx is 64, was 1024"});
    EXPECT_THAT(drive.asked<command::Undo>().at(0).injections, ElementsAre("r.2"));
    drive.feed(input::Undone{"r.2", UndoCause::requested, true});
    drive.feed(input::SteadyAgain{});
    EXPECT_EQ(drive.state.phase, Phase::finished);
    EXPECT_EQ(drive.state.outcome, Outcome::error);
    EXPECT_THAT(drive.state.reasons.at(0), HasSubstr("dirty"));
  }
}

TEST(Run, ApplyFailedUndoesThatOneToo) {
  Drive drive(plan_of_two());
  drive.to_injecting();
  drive.feed(input::Applied{"r.1"});
  drive.feed(input::ApplyFailed{"r.2", {ErrorCode::io_failed, 5, "EIO", {}}});
  EXPECT_THAT(drive.asked<command::Undo>().at(0).injections, ElementsAre("r.1", "r.2"));
  EXPECT_EQ(drive.state.outcome, Outcome::error);
}

TEST(Run, ApplyThatIsNotConfirmedHeals) {
  Drive drive(plan_of_two());
  drive.to_injecting();
  drive.feed(input::Applied{"r.1"});
  drive.tick();
  EXPECT_EQ(drive.now, drive.state.t0 + 5s + 10s);
  EXPECT_EQ(drive.state.phase, Phase::healing);
  EXPECT_EQ(drive.state.outcome, Outcome::error);
}

TEST(Lost, TheRunWaitsForTheAgentToTellTheTruth) {
  Drive drive(plan_of_two());
  drive.to_active();
  const UtcTime lost_at = drive.now;
  drive.feed(input::AgentLost{"db-1", "connection reset"});
  EXPECT_THAT(drive.asked<command::Undo>().at(0).injections, ElementsAre("r.2"));
  drive.feed(input::Undone{"r.2", UndoCause::requested, true});
  EXPECT_EQ(drive.state.phase, Phase::healing);
  EXPECT_EQ(next_deadline(drive.state), lost_at + 20s + 30s);
  drive.feed(input::AgentBack{"db-1", {status("r.1", InjectionState::undone)}});
  EXPECT_EQ(drive.state.phase, Phase::recovering);
  drive.feed(input::SteadyAgain{});
  EXPECT_EQ(drive.state.outcome, Outcome::aborted);
}

TEST(Lost, AnAgentThatStaysAwayIsAnError) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::AgentLost{"db-1", "connection reset"});
  drive.feed(input::Undone{"r.2", UndoCause::requested, true});
  drive.tick();
  EXPECT_EQ(drive.state.phase, Phase::recovering);
  EXPECT_EQ(drive.state.outcome, Outcome::error);
  EXPECT_THAT(drive.state.reasons.at(0), HasSubstr("did not come back"));
  drive.feed(input::Undone{"r.1", UndoCause::lease_lost, true});
  EXPECT_EQ(drive.state.outcome, Outcome::error);
}

TEST(Lost, WhatIsStillOnIsUndoneOnReturn) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::AgentLost{"db-1", "connection reset"});
  drive.feed(input::AgentBack{"db-1", {status("r.1", InjectionState::active)}});
  EXPECT_THAT(drive.asked_last<command::Undo>().at(0).injections, ElementsAre("r.1"));
}

TEST(Lost, ARecordThatIsGoneReadsUnknown) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::AgentLost{"db-1", "connection reset"});
  drive.feed(input::AgentBack{"db-1", {}});
  EXPECT_EQ(drive.state.injections[0].stage, Stage::unknown);
  EXPECT_EQ(drive.state.outcome, Outcome::error);
}

TEST(Lost, BeforeTheCommitNothingIsTouchedOrAwaited) {
  Drive drive(plan_of_two());
  drive.to_preparing();
  drive.feed(input::Prepared{"r.1"});
  drive.feed(input::AgentLost{"db-1", "connection reset"});
  EXPECT_THAT(drive.asked<command::Undo>().at(0).injections, ElementsAre("r.2"));
  drive.feed(input::Undone{"r.2", UndoCause::requested, true});
  EXPECT_EQ(drive.state.phase, Phase::finished);
  EXPECT_EQ(drive.state.outcome, Outcome::aborted);
}

TEST(Lost, AVantageHostCountsAndAStrangerDoesNot) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::AgentLost{"web-7", "gone"});
  EXPECT_EQ(drive.state.phase, Phase::active);
  drive.feed(input::AgentLost{"client-1", "gone"});
  EXPECT_EQ(drive.state.phase, Phase::healing);
}

TEST(Run, AFailedStoreUndoesEverything) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::StoreFailed{{ErrorCode::io_failed, ENOSPC, "disk full", {}}});
  EXPECT_THAT(drive.asked<command::Undo>().at(0).injections, ElementsAre("r.1", "r.2"));
  EXPECT_EQ(drive.state.outcome, Outcome::error);
}

TEST(Run, EndsWithoutTheSteadyStateAndSaysSo) {
  Drive drive(plan_of_two());
  drive.to_recovering();
  drive.tick();
  EXPECT_EQ(drive.state.phase, Phase::finished);
  EXPECT_EQ(drive.state.outcome, Outcome::completed);
  EXPECT_THAT(drive.state.reasons.at(0), HasSubstr("not met again within 1m"));
}

TEST(Responder, StartsOnceAndIsAwaited) {
  Drive drive(plan_of_two());
  drive.feed(input::AlertFired{{{"alertname", "early"}}});
  EXPECT_THAT(drive.asked<command::StartResponder>(), IsEmpty());
  drive.to_active();
  for (const char* alert : {"Slow", "Slower"})
    drive.feed(input::AlertFired{{{"alertname", alert}}});
  ASSERT_THAT(drive.asked<command::StartResponder>(), SizeIs(1));
  EXPECT_EQ(drive.asked<command::StartResponder>()[0].alert["alertname"], "Slow");
  for (const char* id : {"r.1", "r.2"}) drive.feed(input::Undone{id, UndoCause::time_up, true});
  drive.feed(input::SteadyAgain{});
  EXPECT_EQ(drive.state.phase, Phase::recovering);
  drive.feed(input::ResponderExited{});
  EXPECT_EQ(drive.state.phase, Phase::finished);
  EXPECT_THAT(drive.asked<command::StopResponder>(), IsEmpty());
}

TEST(Responder, IsStoppedWhenTheRunEndsBeforeIt) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::AlertFired{Json::object()});
  for (const char* id : {"r.1", "r.2"}) drive.feed(input::Undone{id, UndoCause::time_up, true});
  drive.tick();
  EXPECT_EQ(drive.state.phase, Phase::finished);
  EXPECT_THAT(drive.asked<command::StopResponder>(), SizeIs(1));
}

TEST(Processes, StartOnTimeAndRollbacksFollowOneAnother) {
  Drive drive(with_processes(plan_of_two()));
  drive.to_active();
  drive.tick();
  EXPECT_EQ(drive.now, drive.state.t0 + 2s);
  EXPECT_EQ(drive.asked_last<command::StartProcess>().at(0).name, "load");
  drive.feed(input::ProcessExited{"load", true, {}});
  drive.tick();
  EXPECT_EQ(drive.now, drive.state.t0 + 20s);
  EXPECT_EQ(drive.asked_last<command::SendInject>().at(0).inject, "mail");
  for (const char* id : {"r.1", "r.2"}) drive.feed(input::Undone{id, UndoCause::time_up, true});
  EXPECT_EQ(drive.asked_last<command::StartProcess>().at(0).name, "tidy");
  drive.feed(input::ProcessExited{"tidy", false, "exit code 1"});
  EXPECT_EQ(drive.asked_last<command::StartProcess>().at(0).name, "tidy-more");
  drive.feed(input::SteadyAgain{});
  EXPECT_EQ(drive.state.phase, Phase::recovering);
  drive.feed(input::ProcessExited{"tidy-more", true, {}});
  EXPECT_EQ(drive.state.phase, Phase::finished);
  EXPECT_EQ(drive.state.outcome, Outcome::error);
}

TEST(Processes, OneThatFailsHealsAndIsAnError) {
  Drive drive(with_processes(plan_of_two()));
  drive.to_active();
  drive.tick();
  drive.feed(input::ProcessExited{"load", false, "exit code 3"});
  EXPECT_EQ(drive.state.phase, Phase::healing);
  EXPECT_EQ(drive.state.outcome, Outcome::error);
}

TEST(Processes, AreStoppedByAHaltAndRolledBack) {
  Drive drive(with_processes(plan_of_two()));
  drive.to_active();
  drive.tick();
  drive.feed(input::Halt{"ann", "stop"});
  EXPECT_THAT(drive.asked<command::StopProcesses>(), SizeIs(1));
  for (const char* id : {"r.1", "r.2"}) drive.feed(input::Undone{id, UndoCause::halted, true});
  EXPECT_EQ(drive.asked_last<command::StartProcess>().at(0).name, "tidy");
}

TEST(Sham, HasTheSamePhasesAndTimelineAndTouchesNothing) {
  Drive drive(with_processes(plan_of_two(true)));
  drive.to_preparing();
  EXPECT_EQ(drive.state.phase, Phase::injecting);
  const UtcTime t0 = drive.state.t0;
  EXPECT_EQ(t0, drive.now + 500ms);
  while (drive.state.phase < Phase::recovering) drive.tick();
  EXPECT_EQ(drive.now, t0 + 5s + 60s);
  std::vector<Phase> phases;
  for (const auto& entered : drive.asked<command::EnterPhase>()) phases.push_back(entered.phase);
  EXPECT_THAT(phases, ElementsAre(Phase::preflight, Phase::baseline, Phase::preparing,
                                  Phase::injecting, Phase::active, Phase::recovering));
  drive.feed(input::SteadyAgain{});
  EXPECT_EQ(drive.state.outcome, Outcome::completed);
  EXPECT_THAT(drive.asked<command::Prepare>(), IsEmpty());
  EXPECT_THAT(drive.asked<command::Commit>().at(0).injections, IsEmpty());
  EXPECT_THAT(drive.asked<command::Undo>(), IsEmpty());
  EXPECT_THAT(drive.asked<command::StartProcess>(), IsEmpty());
}

TEST(Run, WhatRespondersTookOverIsNoTrouble) {
  Drive drive(plan_of_two());
  drive.to_active();
  drive.feed(input::Undone{"r.1", UndoCause::superseded, true});
  EXPECT_EQ(drive.state.phase, Phase::active) << "the other goes on";
  drive.feed(input::Undone{"r.2", UndoCause::time_up, true});
  EXPECT_EQ(drive.state.phase, Phase::recovering);
  EXPECT_EQ(drive.state.outcome, Outcome::completed);
  EXPECT_THAT(drive.state.reasons, IsEmpty());
}

}  // namespace
}  // namespace firedrill::machine
