// What each input changes in what is known, and whether it is trouble.
#include <algorithm>

#include <fmt/format.h>

#include "controller/machine/transition.hpp"

namespace firedrill::machine {
namespace {

Tracked* find_injection(State& state, std::string_view id) {
  const auto found = std::ranges::find(state.injections, id, &Tracked::id);
  return found == state.injections.end() ? nullptr : &*found;
}

/// Between the first prepare and the last confirmed end: whatever happens here leads to healing.
bool may_hold_faults(Phase phase) {
  return phase == Phase::preparing || phase == Phase::injecting || phase == Phase::active;
}

/// They made it go away, or what they changed stands in its way: the run goes on to its recovery.
bool by_responders(UndoCause cause) {
  return cause == UndoCause::cured || cause == UndoCause::superseded;
}

bool before_faults(Phase phase) { return phase < Phase::preparing; }

class Absorber {
 public:
  Absorber(State& state, UtcTime now, std::vector<Command>& out)
      : state_(state), now_(now), out_(out) {}

  std::optional<Cue> operator()(const input::Start&) const {
    return state_.phase == Phase::idle ? std::optional(Cue::start) : std::nullopt;
  }

  std::optional<Cue> operator()(const input::PreflightDone& done) {
    if (state_.phase != Phase::preflight) return std::nullopt;
    if (done.ok) return Cue::preflight_ok;
    blame(state_, Outcome::not_started, "preflight refused the run");
    for (const std::string& reason : done.reasons) note(state_, reason);
    return Cue::trouble;
  }

  std::optional<Cue> operator()(const input::BaselineDone& done) {
    if (state_.phase != Phase::baseline) return std::nullopt;
    if (done.steady && done.quiet) return Cue::baseline_ok;
    blame(state_, Outcome::not_started,
          done.steady ? "an expected alert was there before the fault: detection could not be told"
                      : "the steady state did not hold before the fault");
    for (const std::string& reason : done.reasons) note(state_, reason);
    if (state_.phases.baseline_within <= state_.phases.baseline)
      note(state_, "nothing was waited for: phases.baseline-within says how long it may take");
    return Cue::trouble;
  }

  std::optional<Cue> operator()(const input::Prepared& prepared) {
    Tracked* injection = find_injection(state_, prepared.injection);
    if (injection != nullptr && state_.phase == Phase::preparing &&
        injection->stage == Stage::preparing)
      injection->stage = Stage::prepared;
    return std::nullopt;
  }

  std::optional<Cue> operator()(const input::PrepareFailed& failed) {
    Tracked* injection = find_injection(state_, failed.injection);
    if (injection == nullptr || injection->stage != Stage::preparing) return std::nullopt;
    injection->stage = Stage::ended;
    blame(state_, Outcome::error,
          fmt::format("{} could not prepare {}: {}", injection->host, injection->id,
                      describe(failed.error)));
    return Cue::trouble;
  }

  std::optional<Cue> operator()(const input::Applied& applied) {
    Tracked* injection = find_injection(state_, applied.injection);
    if (injection == nullptr || injection->stage != Stage::committed || state_.sham)
      return std::nullopt;
    injection->stage = Stage::active;
    // In healing the deadline is that of the undo.
    if (state_.phase == Phase::injecting || state_.phase == Phase::active)
      injection->deadline =
          state_.t0 + injection->offset + injection->duration + state_.timing.grace;
    return std::nullopt;
  }

  std::optional<Cue> operator()(const input::ApplyFailed& failed) {
    Tracked* injection = find_injection(state_, failed.injection);
    if (injection == nullptr || !is_open(*injection)) return std::nullopt;
    blame(state_, Outcome::error,
          fmt::format("{} could not apply {}: {}", injection->host, injection->id,
                      describe(failed.error)));
    return Cue::trouble;
  }

  std::optional<Cue> operator()(const input::Undone& undone) {
    Tracked* injection = find_injection(state_, undone.injection);
    if (injection == nullptr || state_.sham || injection->stage == Stage::planned)
      return std::nullopt;
    if (!undone.clean) return dirty(*injection, "the host differs from its snapshot");
    if (injection->stage == Stage::dirty || injection->stage == Stage::ended) return std::nullopt;
    injection->stage = Stage::ended;
    const bool expected =
        injection->committed && (undone.cause == UndoCause::time_up || by_responders(undone.cause));
    if (expected || !may_hold_faults(state_.phase)) return std::nullopt;
    blame(state_, Outcome::aborted,
          fmt::format("{} ended {} by itself: {}", injection->host, injection->id,
                      to_string(undone.cause)));
    return Cue::trouble;
  }

  std::optional<Cue> operator()(const input::Dirty& found) {
    Tracked* injection = find_injection(state_, found.injection);
    if (injection == nullptr || state_.sham || injection->stage == Stage::planned)
      return std::nullopt;
    return dirty(*injection, found.reason);
  }

  std::optional<Cue> operator()(const input::AgentLost& lost) {
    if (!state_.hosts.contains(lost.host) || !state_.lost.insert(lost.host).second)
      return std::nullopt;
    const std::string reason = fmt::format("the agent on {} was lost: {}", lost.host, lost.reason);
    for (Tracked& injection : state_.injections)
      if (injection.host == lost.host && is_open(injection) && !state_.sham) lose(injection);
    if (state_.phase == Phase::recovering) {
      note(state_, reason);
      return std::nullopt;
    }
    blame(state_, before_faults(state_.phase) ? Outcome::not_started : Outcome::aborted, reason);
    return Cue::trouble;
  }

  std::optional<Cue> operator()(const input::AgentBack& back) {
    state_.lost.erase(back.host);
    if (state_.sham) return std::nullopt;
    std::optional<Cue> cue;
    for (Tracked& injection : state_.injections) {
      if (injection.host != back.host) continue;
      if (!is_open(injection) && injection.stage != Stage::unknown) continue;
      const auto status =
          std::ranges::find(back.injections, injection.id, &rpc::InjectionStatus::id);
      const auto one =
          status == back.injections.end() ? no_record(injection) : learn(injection, *status);
      if (one) cue = one;
    }
    return cue;
  }

  std::optional<Cue> operator()(const input::AlertFired& fired) {
    const bool time_for_it = state_.phase == Phase::injecting || state_.phase == Phase::active ||
                             (state_.phase == Phase::recovering && !state_.hurry &&
                              state_.outcome == Outcome::completed);
    if (!state_.has_responder || state_.responder_started || !time_for_it) return std::nullopt;
    state_.responder_started = state_.responder_running = true;
    out_.emplace_back(command::StartResponder{fired.alert});
    return std::nullopt;
  }

  std::optional<Cue> operator()(const input::ResponderExited&) {
    state_.responder_running = false;
    return std::nullopt;
  }

  std::optional<Cue> operator()(const input::ProcessExited& exited) {
    auto& list = state_.phase == Phase::recovering ? state_.rollbacks : state_.processes;
    const auto process = std::ranges::find_if(list, [&](const TrackedProcess& one) {
      return one.name == exited.name && one.stage == TrackedProcess::Stage::running;
    });
    if (process == list.end()) return std::nullopt;
    process->stage = TrackedProcess::Stage::done;
    if (exited.ok) return std::nullopt;
    blame(state_, Outcome::error, fmt::format("'{}' failed: {}", exited.name, exited.detail));
    return Cue::trouble;
  }

  std::optional<Cue> operator()(const input::Halt& halt) {
    return stop(Outcome::aborted, UndoCause::halted,
                fmt::format("halted by {}: {}", halt.who, halt.reason));
  }

  std::optional<Cue> operator()(const input::StopConditionMet& met) {
    const std::string reason = fmt::format("stop condition '{}': {}", met.name, met.detail);
    // Nothing of ours is on by then: what is left to do is to watch the recovery.
    if (state_.phase < Phase::healing) return stop(Outcome::aborted, UndoCause::halted, reason);
    note(state_, reason);
    return std::nullopt;
  }

  std::optional<Cue> operator()(const input::StoreFailed& failed) {
    return stop(Outcome::error, UndoCause::requested,
                "the log cannot be written: " + describe(failed.error));
  }

  std::optional<Cue> operator()(const input::SteadyAgain&) {
    if (state_.phase == Phase::recovering) state_.steady = true;
    return std::nullopt;
  }

  std::optional<Cue> operator()(const input::Tick&) { return std::nullopt; }

 private:
  std::optional<Cue> stop(Outcome outcome, UndoCause cause, std::string reason) {
    if (may_hold_faults(state_.phase)) state_.heal_cause = cause;
    if (state_.phase == Phase::recovering) state_.hurry = true;
    blame(state_, outcome, std::move(reason));
    return Cue::trouble;
  }

  std::optional<Cue> dirty(Tracked& injection, const std::string& reason) {
    injection.stage = Stage::dirty;
    blame(state_, Outcome::error,
          fmt::format("{} is dirty after {}: {}", injection.host, injection.id, reason));
    return Cue::trouble;
  }

  /// Without a commit the host was not touched, and its lease releases what it holds. With one, its
  /// lease or its guardian undoes it, and the host must come back to say so.
  void lose(Tracked& injection) {
    injection.undo_asked = false;
    injection.deadline = now_ + injection.lease + state_.timing.back;
    if (!injection.committed) injection.stage = Stage::ended;
  }

  std::optional<Cue> no_record(Tracked& injection) {
    if (!injection.committed) {
      injection.stage = Stage::ended;
      blame(state_, Outcome::aborted,
            fmt::format("{} no longer has {} prepared", injection.host, injection.id));
      return Cue::trouble;
    }
    return unknown(injection, "it has no record of it");
  }

  std::optional<Cue> unknown(Tracked& injection, std::string_view why) {
    injection.stage = Stage::unknown;
    blame(state_, Outcome::error,
          fmt::format("whether {} undid {} is not known: {}", injection.host, injection.id, why));
    return Cue::trouble;
  }

  /// A status says less than the event that is resent; while nothing is wrong, that is awaited.
  std::optional<Cue> learn(Tracked& injection, const rpc::InjectionStatus& status) {
    if (status.state == InjectionState::dirty) return dirty(injection, status.detail);
    if (status.state == InjectionState::unknown) return unknown(injection, status.detail);
    if (may_hold_faults(state_.phase)) return std::nullopt;
    if (status.state == InjectionState::undone) {
      injection.stage = Stage::ended;
      return std::nullopt;
    }
    // Still on: healing asks for the undo, since it has not been asked of this connection.
    injection.undo_asked = false;
    return std::nullopt;
  }

  State& state_;
  UtcTime now_;
  std::vector<Command>& out_;
};

}  // namespace

bool is_settled(const Tracked& injection) {
  return injection.stage == Stage::ended || injection.stage == Stage::dirty ||
         injection.stage == Stage::unknown;
}

bool is_open(const Tracked& injection) {
  return injection.stage != Stage::planned && !is_settled(injection);
}

void note(State& state, std::string reason) {
  if (std::ranges::find(state.reasons, reason) == state.reasons.end())
    state.reasons.push_back(std::move(reason));
}

void blame(State& state, Outcome outcome, std::string reason) {
  if (outcome <= state.outcome) return note(state, std::move(reason));
  state.outcome = outcome;
  std::erase(state.reasons, reason);
  state.reasons.insert(state.reasons.begin(), std::move(reason));
}

std::optional<Cue> absorb(State& state, const Input& input, UtcTime now,
                          std::vector<Command>& out) {
  if (std::holds_alternative<input::Tick>(input)) return pass_time(state, now, out);
  return std::visit(Absorber(state, now, out), input);
}

}  // namespace firedrill::machine
