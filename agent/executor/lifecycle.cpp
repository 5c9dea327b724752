#include "agent/executor/lifecycle.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace firedrill::agent {
namespace {

Decision wait_until(Duration due) { return {Act::wait, UndoCause::requested, due}; }

Decision decide_prepared(const Schedule& schedule, const Instants& now) {
  if (!schedule.commit_at) {
    const Duration end = schedule.prepared + kPreparedLife;
    return now.boot >= end ? Decision{Act::drop} : wait_until(end);
  }
  if (schedule.lease_until && now.boot >= *schedule.lease_until) return {Act::lost_before};
  if (now.boot < schedule.commit_due) return wait_until(schedule.commit_due);
  return {now.boot - schedule.commit_due > kLatestCommit ? Act::too_late : Act::apply};
}

Decision decide_active(const Schedule& schedule, const Instants& now) {
  if (now.boot >= schedule.deadline) return {Act::begin_undo, UndoCause::time_up};
  Duration due = schedule.deadline;
  if (schedule.lease_until) {
    if (now.boot >= *schedule.lease_until) return {Act::begin_undo, UndoCause::lease_lost};
    due = std::min(due, *schedule.lease_until);
  }
  const CourseMoment moment = moment_of(schedule.course, now.boot - schedule.active_since);
  if (moment.on != schedule.on) return {moment.on ? Act::resume : Act::pause};
  if (moment.step != schedule.step) return {Act::adjust};
  if (moment.next != Duration::max()) due = std::min(due, schedule.active_since + moment.next);
  if (!schedule.on) return wait_until(due);  // nothing goes on, and nothing can be cured
  if (schedule.next_advance) {
    if (now.boot >= *schedule.next_advance) return {Act::advance};
    due = std::min(due, *schedule.next_advance);
  }
  if (schedule.next_poll) {
    if (now.boot >= *schedule.next_poll) return {Act::poll_cure};
    due = std::min(due, *schedule.next_poll);
  }
  return wait_until(due);
}

}  // namespace

Decision decide(const Schedule& schedule, const Instants& now) {
  switch (schedule.state) {
    case InjectionState::prepared:
      return decide_prepared(schedule, now);
    case InjectionState::active:
      return decide_active(schedule, now);
    case InjectionState::undoing:
    case InjectionState::dirty:
      return now.boot >= schedule.next_undo ? Decision{Act::undo_again}
                                            : wait_until(schedule.next_undo);
    case InjectionState::applying:  // lasts only as long as the call to the fault
    case InjectionState::undone:
    case InjectionState::unknown:
      return {};
  }
  return {};
}

Result<void> check_commit(UtcTime at, const Instants& now) {
  const Duration ahead = at - now.utc;
  if (ahead > kFarthestCommit)
    return fail(ErrorCode::invalid_input,
                fmt::format("the commit is {} ahead of this host's clock, at most {} is accepted: "
                            "compare the clocks",
                            to_string(ahead), to_string(kFarthestCommit)));
  if (-ahead > kLatestCommit)
    return fail(ErrorCode::invalid_input,
                fmt::format("the commit's instant passed {} ago on this host's clock",
                            to_string(Duration{-ahead})));
  return {};
}

Duration retry_pause(int failures) {
  Duration pause = kFirstRetry;
  for (int i = 1; i < failures && pause < kSlowestRetry; ++i) pause *= 2;
  return std::min(pause, kSlowestRetry);
}

}  // namespace firedrill::agent
