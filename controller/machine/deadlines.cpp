// What the passing of time means: what starts, what is overdue, and when to look again.
#include <algorithm>

#include <fmt/format.h>

#include "controller/machine/transition.hpp"

namespace firedrill::machine {
namespace {

using ProcessStage = TrackedProcess::Stage;

std::optional<Cue> overdue(State& state, Outcome outcome, std::string reason) {
  blame(state, outcome, std::move(reason));
  return Cue::trouble;
}

std::optional<Cue> pass_baseline(State& state, UtcTime now, std::vector<Command>& out) {
  if (now < *state.deadline) return std::nullopt;
  if (state.baseline_asked)
    return overdue(state, Outcome::not_started, "the baseline was not judged in time");
  state.baseline_asked = true;
  const Duration wait = state.phases.baseline_within - state.phases.baseline;
  state.deadline = now + std::max(wait, Duration{}) + state.timing.baseline_answer;
  out.emplace_back(command::CheckBaseline{});
  return std::nullopt;
}

std::optional<Cue> pass_preparing(State& state, UtcTime now) {
  std::optional<Cue> cue;
  for (const Tracked& injection : state.injections)
    if (injection.stage == Stage::preparing && now >= injection.deadline)
      cue = overdue(state, Outcome::error,
                    fmt::format("{} did not prepare {} within {}", injection.host, injection.id,
                                firedrill::to_string(state.timing.prepare)));
  return cue;
}

/// Nothing happens in a sham run, but at the same instants.
void pass_sham(State& state, Tracked& injection, UtcTime now) {
  const UtcTime end = state.t0 + injection.offset + injection.duration;
  if (injection.stage == Stage::committed && now >= injection.deadline) {
    injection.stage = Stage::active;
    injection.deadline = end;
  }
  if (injection.stage == Stage::active && now >= end) injection.stage = Stage::ended;
}

std::optional<Cue> pass_injection(State& state, Tracked& injection, UtcTime now) {
  if (!is_open(injection)) return std::nullopt;
  if (state.sham) {
    pass_sham(state, injection, now);
    return std::nullopt;
  }
  if (now < injection.deadline) return std::nullopt;
  return overdue(
      state, Outcome::error,
      fmt::format("{} did not confirm that {} {} within {}", injection.host, injection.id,
                  injection.stage == Stage::active ? "ended" : "was applied",
                  firedrill::to_string(state.timing.grace)));
}

std::optional<Cue> pass_process(State& state, TrackedProcess& process, UtcTime now,
                                std::vector<Command>& out) {
  if (process.stage == ProcessStage::done || now < process.deadline) return std::nullopt;
  if (process.stage == ProcessStage::waiting) {
    process.stage = ProcessStage::running;
    process.deadline = now + process.timeout;
    if (state.sham) return std::nullopt;
    process.deadline += state.timing.grace;  // the runner stops it at its time-out and says so
    out.emplace_back(command::StartProcess{process.name, false});
    return std::nullopt;
  }
  process.stage = ProcessStage::done;
  if (state.sham) return std::nullopt;
  return overdue(state, Outcome::error, fmt::format("'{}' did not end in time", process.name));
}

bool injects_go_out(const State& state) {
  return state.phase == Phase::injecting || state.phase == Phase::active ||
         (state.phase == Phase::recovering && state.outcome == Outcome::completed && !state.hurry);
}

void pass_injects(State& state, UtcTime now, std::vector<Command>& out) {
  for (TrackedInject& inject : state.injects) {
    if (inject.sent || now < state.t0 + inject.at) continue;
    inject.sent = true;
    out.emplace_back(command::SendInject{inject.id});
  }
}

std::optional<Cue> pass_faults(State& state, UtcTime now, std::vector<Command>& out) {
  std::optional<Cue> cue;
  for (TrackedProcess& process : state.processes)
    if (const auto one = pass_process(state, process, now, out)) cue = one;
  for (Tracked& injection : state.injections)
    if (const auto one = pass_injection(state, injection, now)) cue = one;
  return cue;
}

void pass_healing(State& state, UtcTime now) {
  for (Tracked& injection : state.injections) {
    if (!is_open(injection) || now < injection.deadline) continue;
    const bool lost = state.lost.contains(injection.host);
    const Duration waited = lost ? injection.lease + state.timing.back : state.timing.grace;
    blame(state, Outcome::error,
          fmt::format("{}: undo not confirmed for {} within {}{}{}", injection.host, injection.id,
                      firedrill::to_string(waited), lost ? "; its agent did not come back" : "",
                      injection.committed ? "" : " (never committed: the host was not touched)"));
    injection.stage = Stage::unknown;
  }
}

void pass_recovering(State& state, UtcTime now) {
  for (TrackedProcess& process : state.rollbacks) {
    if (process.stage != ProcessStage::running || now < process.deadline) continue;
    process.stage = ProcessStage::done;
    blame(state, Outcome::error, fmt::format("rollback '{}' did not end in time", process.name));
  }
  if (!state.deadline || now < *state.deadline) return;
  state.deadline = std::nullopt;
  state.hurry = true;
  note(state, state.steady ? "the responder had not ended"
                           : fmt::format("the steady state was not met again within {}",
                                         firedrill::to_string(state.phases.recovery)));
}

/// Everything that waits for an instant in this phase.
std::vector<UtcTime> instants(const State& state) {
  std::vector<UtcTime> out;
  if (state.deadline) out.push_back(*state.deadline);
  const bool faults = state.phase == Phase::injecting || state.phase == Phase::active;
  // What is prepared waits for the others, not for an instant of its own.
  for (const Tracked& injection : state.injections)
    if (is_open(injection) && (injection.stage != Stage::prepared || state.phase == Phase::healing))
      out.push_back(injection.deadline);
  for (const TrackedProcess& process : state.processes)
    if (faults && process.stage != ProcessStage::done) out.push_back(process.deadline);
  for (const TrackedProcess& process : state.rollbacks)
    if (process.stage == ProcessStage::running) out.push_back(process.deadline);
  for (const TrackedInject& inject : state.injects)
    if (!inject.sent && injects_go_out(state)) out.push_back(state.t0 + inject.at);
  if (state.phase == Phase::injecting && state.injections.empty()) out.push_back(state.t0);
  return out;
}

}  // namespace

std::optional<Cue> pass_time(State& state, UtcTime now, std::vector<Command>& out) {
  if (injects_go_out(state)) pass_injects(state, now, out);
  switch (state.phase) {
    case Phase::preflight:
      if (now < *state.deadline) return std::nullopt;
      return overdue(state, Outcome::not_started, "preflight gave no answer in time");
    case Phase::baseline:
      return pass_baseline(state, now, out);
    case Phase::preparing:
      return pass_preparing(state, now);
    case Phase::injecting:
    case Phase::active:
      return pass_faults(state, now, out);
    case Phase::healing:
      pass_healing(state, now);
      return std::nullopt;
    case Phase::recovering:
      pass_recovering(state, now);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::optional<UtcTime> next_deadline(const State& state) {
  const std::vector<UtcTime> all = instants(state);
  if (state.phase == Phase::idle || state.phase == Phase::finished || all.empty())
    return std::nullopt;
  return std::ranges::min(all);
}

}  // namespace firedrill::machine
