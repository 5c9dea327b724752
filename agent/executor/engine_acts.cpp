// What an injection does as time passes: apply, activate, undo, retry; and recovery. Its course
// while it is active is in engine_course.cpp, its cure in engine_cure.cpp.
#include <algorithm>

#include <fmt/format.h>

#include "agent/executor/engine.hpp"
#include "agent/executor/operation_mark.hpp"
#include "firedrill/event.hpp"

namespace firedrill::agent {
namespace {

constexpr std::size_t kRememberedEnds = 64;

}  // namespace

Transition Engine::transition_of(const Injection& injection, InjectionState state) const {
  Transition out;
  out.id = injection.entry.request.id;
  out.run = injection.entry.request.run;
  out.fault = injection.entry.request.fault;
  out.state = state;
  out.at = now().utc;
  out.deadline = injection.schedule.deadline;
  return out;
}

Result<void> Engine::record(Injection& injection, Transition transition, Durability durability) {
  JournalEntry& entry = injection.entry;
  entry.state = injection.schedule.state = transition.state;
  entry.at = transition.at;
  entry.data = transition.data;
  auto written = parts_.journal.record(transition, durability);
  parts_.pulse.journal_version.fetch_add(1);
  return written;
}

void Engine::apply(Injection& injection) {
  JournalEntry& entry = injection.entry;
  const OperationMark mark(parts_.pulse, parts_.clock);
  const Instants started = now();
  injection.schedule.deadline = started.boot + entry.request.duration;
  if (auto written =
          record(injection, transition_of(injection, InjectionState::applying), Durability::synced);
      !written)
    return drop(injection, "journal", written.error());
  for (const Injection& each : open_)
    entry.apply_order = std::max(entry.apply_order, each.entry.apply_order + 1);
  auto values = guarded("apply", [&] {
    return injection.fault->apply(parts_.host, params_now(injection), entry.record);
  });
  if (!values) return fail_injection(injection, "apply", values.error());
  activate(injection, started.utc, std::move(*values));
}

void Engine::activate(Injection& injection, UtcTime started, Json values) {
  const FaultRequest& request = injection.entry.request;
  const Instants done = now();
  injection.schedule.deadline = done.boot + request.duration;
  injection.schedule.active_since = done.boot;
  begin_on_period(injection, done, values);
  Transition active = transition_of(injection, InjectionState::active);
  active.data = event_data(request, parts_.host_name);
  active.data["started_us"] = to_micros(started);
  active.data["done_us"] = to_micros(done.utc);
  active.data["values"] = std::move(values);
  if (const auto& pattern = injection.schedule.course.pattern)
    active.data["pattern"] = to_json(*pattern);
  if (request.ramp) active.data["ramp"] = to_json(*request.ramp);
  // What undo needs is on the disk since `applying`, so a failure here costs only the word.
  [[maybe_unused]] const Result<void> written = record(injection, active, Durability::written);
  if (request.cured_by) {
    const CureCondition& cure = *request.cured_by;
    cure_sampled(request.id,
                 guarded("probe", [&] { return parts_.sample(cure.probe, cure.params); }));
    if (injection.entry.state != InjectionState::active) return;  // it held already: failed
  }
  emit(event_kind::injection_active, request.run, done.utc, active.data);
}

void Engine::tell_failed(Injection& injection, std::string_view stage, const Error& error) {
  const FaultRequest& request = injection.entry.request;
  Json data = event_data(request, parts_.host_name);
  injection.failure = fmt::format("failed at {}: {}", stage, describe(error));
  data["stage"] = stage;
  data["error"] = describe(error);
  emit(event_kind::injection_failed, request.run, now().utc, std::move(data));
}

void Engine::fail_injection(Injection& injection, std::string_view stage, const Error& error) {
  tell_failed(injection, stage, error);
  begin_undo(injection, UndoCause::apply_failed);
}

void Engine::abandon(std::string_view stage, const Error& error) {
  std::vector<Injection*> chosen;
  for (Injection& injection : open_) {
    const InjectionState state = injection.entry.state;
    if (state != InjectionState::prepared && state != InjectionState::active) continue;
    tell_failed(injection, stage, error);
    injection.cause = UndoCause::apply_failed;
    chosen.push_back(&injection);
  }
  undo_in_order(std::move(chosen));
  remove_ended();
}

void Engine::drop(Injection& injection, std::string_view stage, const Error& error) {
  injection.entry.apply_order = 0;  // the kernel was not touched
  fail_injection(injection, stage, error);
}

void Engine::begin_undo(Injection& injection, UndoCause cause) {
  injection.cause = cause;
  try_undo(injection);
}

void Engine::try_undo(Injection& injection) {
  // Not journalled before it is done: undo is idempotent and must not wait for a disk.
  if (injection.fault == nullptr) {
    injection.schedule.state = InjectionState::undoing;
    injection.schedule.next_undo = Duration::max();
    return;
  }
  const OperationMark mark(parts_.pulse, parts_.clock);
  const InjectionState before = injection.entry.state;
  const UndoAttempt attempt =
      attempt_undo(*injection.fault, parts_.host, injection.entry, parts_.boot_id, parts_.clock);
  if (injection.cause != UndoCause::cured) note_own_undo(injection, attempt.done);
  if (!attempt.clean) ++injection.failures;
  Transition outcome = undo_transition(injection.entry, attempt, injection.cause, parts_.host_name,
                                       injection.failures);
  if (!injection.undone_by.is_null()) outcome.data["by"] = injection.undone_by;
  outcome.deadline = injection.schedule.deadline;
  injection.schedule.next_undo = now().boot + retry_pause(injection.failures);
  const bool news = outcome.state != before || !outcome.event.empty();
  // A journal that cannot be written now leaves the entry open: the next start undoes it again.
  if (news) {
    [[maybe_unused]] const Result<void> written = record(injection, outcome, Durability::synced);
  }
  if (!outcome.event.empty()) emit(outcome.event, outcome.run, outcome.at, std::move(outcome.data));
}

void Engine::undo_in_order(std::vector<Injection*> injections) {
  std::ranges::sort(injections, std::ranges::greater{},
                    [](const Injection* injection) { return injection->entry.apply_order; });
  for (Injection* injection : injections) try_undo(*injection);
}

void Engine::remove_ended() {
  for (const Injection& injection : open_)
    if (injection.entry.state == InjectionState::undone) ended_.push_back(status(injection));
  std::erase_if(open_, [](const Injection& injection) {
    return injection.entry.state == InjectionState::undone;
  });
  while (ended_.size() > kRememberedEnds) ended_.pop_front();
  publish();
}

bool Engine::act(Injection& injection, const Decision& decision) {
  const FaultRequest& request = injection.entry.request;
  switch (decision.act) {
    case Act::wait:
      return false;
    case Act::drop:
      drop(injection, "commit",
           {ErrorCode::timed_out,
            0,
            fmt::format("not committed within {} of being prepared", to_string(kPreparedLife)),
            {}});
      return true;
    case Act::too_late:
      drop(
          injection, "commit",
          {ErrorCode::timed_out,
           0,
           fmt::format("the commit's instant was missed by more than {}", to_string(kLatestCommit)),
           {}});
      return true;
    case Act::lost_before:
      drop(injection, "commit",
           {ErrorCode::timed_out, 0, "the controller fell silent before the commit's instant", {}});
      return true;
    case Act::apply:
      apply(injection);
      return true;
    case Act::poll_cure:
      injection.schedule.next_poll.reset();
      parts_.request_sample(request.id, *request.cured_by);
      return true;
    case Act::pause:
      pause(injection);
      return true;
    case Act::resume:
      resume(injection);
      return true;
    case Act::adjust:
      adjust(injection);
      return true;
    case Act::advance:
      // One at a time: a fault that is slower than its pace is always due, and calls must get in
      // between.
      advance(injection);
      return false;
    case Act::begin_undo:
    case Act::undo_again:
      return false;  // gathered by step(), because their order matters
  }
  return false;
}

Duration Engine::step() {
  for (bool again = true; again;) {
    again = false;
    std::vector<Injection*> to_undo;
    for (Injection& injection : open_) {
      const Decision decision = decide(injection.schedule, now());
      if (decision.act == Act::begin_undo) injection.cause = decision.cause;
      if (decision.act == Act::begin_undo || decision.act == Act::undo_again)
        to_undo.push_back(&injection);
      else again |= act(injection, decision);
    }
    again |= !to_undo.empty();
    undo_in_order(std::move(to_undo));
    remove_ended();
  }
  publish();
  Duration due = Duration::max();
  for (const Injection& injection : open_)
    due = std::min(due, decide(injection.schedule, now()).due);
  return due;
}

void Engine::adopt(JournalEntry entry) {
  Injection injection;
  injection.fault = parts_.find_fault(entry.request.fault);
  injection.cause = UndoCause::agent_died;
  injection.schedule.state = entry.state;
  injection.schedule.deadline = entry.deadline;
  injection.entry = std::move(entry);
  open_.push_back(std::move(injection));
}

void Engine::tell_lost(const LostRecord& lost) {
  Json data{{"injection", lost.id}, {"host", parts_.host_name}, {"fault", lost.fault}};
  data["cause"] = to_string(UndoCause::agent_died);
  data["unknown"] = true;
  data["differences"] = {lost.detail};
  emit(event_kind::injection_dirty, lost.run, now().utc, std::move(data));
}

void Engine::recover() {
  JournalView view = parts_.journal.view();
  // Undo comes first; reporting what the guardian did can wait for it.
  for (JournalEntry& entry : view.open) adopt(std::move(entry));
  publish();
  std::vector<Injection*> all;
  for (Injection& injection : open_) all.push_back(&injection);
  undo_in_order(std::move(all));
  remove_ended();
  for (Transition& transition : view.unreported) {
    if (transition.state == InjectionState::undone) {
      rpc::InjectionStatus& ended = ended_.emplace_back();
      ended.id = transition.id;
      ended.run = transition.run;
      ended.fault = transition.fault;
      ended.state = InjectionState::undone;
      ended.detail = to_string(UndoCause::agent_died);
    }
    emit(transition.event, transition.run, transition.at, std::move(transition.data));
  }
  // Told at each start, for as long as no person has looked at the host.
  for (const LostRecord& lost : view.lost) tell_lost(lost);
  if (!view.unreported.empty()) {
    // Should this fail, the same is reported once more by the next start: better than never.
    [[maybe_unused]] const Result<void> marked = parts_.journal.mark_reported();
  }
}

}  // namespace firedrill::agent
