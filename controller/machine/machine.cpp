// The table of phases, and what entering each of them asks for.
#include "controller/machine/machine.hpp"

#include <algorithm>
#include <array>

#include "controller/machine/transition.hpp"

namespace firedrill::machine {
namespace {

struct Edge {
  Phase from;
  Cue cue;
  Phase to;
};

// A cue without an edge changes no phase: a surprise is an event, not a crash.
constexpr Edge kEdges[] = {
    {Phase::idle, Cue::start, Phase::preflight},
    {Phase::idle, Cue::trouble, Phase::finished},
    {Phase::preflight, Cue::preflight_ok, Phase::baseline},
    {Phase::preflight, Cue::trouble, Phase::finished},
    {Phase::baseline, Cue::baseline_ok, Phase::preparing},
    {Phase::baseline, Cue::trouble, Phase::finished},
    {Phase::preparing, Cue::all_prepared, Phase::injecting},
    {Phase::preparing, Cue::trouble, Phase::healing},  // release what is prepared
    {Phase::injecting, Cue::confirmed, Phase::active},
    {Phase::injecting, Cue::all_ended, Phase::recovering},
    {Phase::injecting, Cue::trouble, Phase::healing},  // undo what did land
    {Phase::active, Cue::all_ended, Phase::recovering},
    {Phase::active, Cue::trouble, Phase::healing},
    {Phase::healing, Cue::untouched, Phase::finished},
    {Phase::healing, Cue::all_ended, Phase::recovering},
    {Phase::recovering, Cue::recovered, Phase::finished},
};

const Edge* find_edge(Phase from, Cue cue) {
  const auto* const found = std::ranges::find_if(
      kEdges, [&](const Edge& edge) { return edge.from == from && edge.cue == cue; });
  return found == std::end(kEdges) ? nullptr : found;
}

void enter_preparing(State& state, UtcTime now, std::vector<Command>& out) {
  command::Prepare prepare;
  for (Tracked& injection : state.injections) {
    if (state.sham) continue;
    injection.stage = Stage::preparing;
    injection.deadline = now + state.timing.prepare;
    prepare.injections.push_back(injection.id);
  }
  if (!prepare.injections.empty()) out.emplace_back(std::move(prepare));
}

void enter_injecting(State& state, UtcTime now, std::vector<Command>& out) {
  state.t0 = now + state.timing.margin;
  state.committed = true;
  command::Commit commit{.t0 = state.t0, .injections = {}};
  for (Tracked& injection : state.injections) {
    const UtcTime at = state.t0 + injection.offset;
    injection.stage = Stage::committed;
    injection.deadline = state.sham ? at : at + state.timing.grace;
    injection.committed = !state.sham;
    if (!state.sham) commit.injections.push_back({injection.id, injection.host, at});
  }
  for (TrackedProcess& process : state.processes) process.deadline = state.t0 + process.offset;
  out.emplace_back(std::move(commit));
}

void enter_healing(State& state, std::vector<Command>& out) {
  bool running = false;
  for (TrackedProcess& process : state.processes) {
    running = running || process.stage == TrackedProcess::Stage::running;
    process.stage = TrackedProcess::Stage::done;
  }
  if (running && !state.sham) out.emplace_back(command::StopProcesses{});
  for (Tracked& injection : state.injections)
    if (state.sham) injection.stage = Stage::ended;
}

void enter_finished(State& state, bool watching, std::vector<Command>& out) {
  if (state.responder_running) out.emplace_back(command::StopResponder{});
  state.responder_running = false;
  if (watching) out.emplace_back(command::StopWatching{});
  out.emplace_back(command::Finish{state.outcome, state.reasons});
}

void enter(State& state, Phase phase, UtcTime now, std::vector<Command>& out) {
  const bool watching = state.phase > Phase::preflight;
  state.phase = phase;
  state.deadline = std::nullopt;
  out.emplace_back(command::EnterPhase{phase});
  switch (phase) {
    case Phase::preflight:
      out.emplace_back(command::RunPreflight{});
      state.deadline = now + state.timing.preflight;
      return;
    case Phase::baseline:
      out.emplace_back(command::StartWatching{});
      state.deadline = now + state.phases.baseline;
      return;
    case Phase::preparing:
      return enter_preparing(state, now, out);
    case Phase::injecting:
      return enter_injecting(state, now, out);
    case Phase::healing:
      return enter_healing(state, out);
    case Phase::recovering:
      out.emplace_back(command::CheckSteadyAfter{});
      state.deadline = now + state.phases.recovery;
      return;
    case Phase::finished:
      return enter_finished(state, watching, out);
    case Phase::idle:
    case Phase::active:
      return;
  }
}

/// Healing asks every host that can hear for every undo that it has not been asked for yet.
void ask_undo(State& state, UtcTime now, std::vector<Command>& out) {
  command::Undo undo{.injections = {}, .cause = state.heal_cause};
  for (Tracked& injection : state.injections) {
    if (!is_open(injection) || injection.undo_asked || state.lost.contains(injection.host))
      continue;
    injection.undo_asked = true;
    injection.deadline = now + state.timing.grace;
    undo.injections.push_back(injection.id);
  }
  if (!undo.injections.empty()) out.emplace_back(std::move(undo));
}

/// Rollbacks run one after another; one that fails does not keep the next from its turn.
bool advance_rollbacks(State& state, UtcTime now, std::vector<Command>& out) {
  for (TrackedProcess& process : state.rollbacks) {
    if (process.stage == TrackedProcess::Stage::running) return false;
    if (process.stage == TrackedProcess::Stage::done) continue;
    process.stage = TrackedProcess::Stage::running;
    process.deadline = now + process.timeout + state.timing.grace;
    out.emplace_back(command::StartProcess{process.name, true});
    return false;
  }
  return true;
}

bool all_processes_done(const State& state) {
  return std::ranges::all_of(state.processes, [](const TrackedProcess& process) {
    return process.stage == TrackedProcess::Stage::done;
  });
}

bool is_not_active(const Tracked& injection) { return injection.stage != Stage::active; }

/// What the sum of all that is known now means for the phase.
std::optional<Cue> settle(State& state, UtcTime now, std::vector<Command>& out) {
  const auto all = [&state](auto rule) { return std::ranges::all_of(state.injections, rule); };
  switch (state.phase) {
    case Phase::preparing:
      if (state.sham || all([](const Tracked& i) { return i.stage == Stage::prepared; }))
        return Cue::all_prepared;
      return std::nullopt;
    case Phase::injecting:
      if (state.injections.empty() ? now >= state.t0 : !all(is_not_active)) return Cue::confirmed;
      if (state.injections.empty()) return std::nullopt;
      [[fallthrough]];
    case Phase::active:
      if (all(is_settled) && all_processes_done(state)) return Cue::all_ended;
      return std::nullopt;
    case Phase::healing:
      ask_undo(state, now, out);
      if (!std::ranges::none_of(state.injections, is_open)) return std::nullopt;
      return state.committed ? Cue::all_ended : Cue::untouched;
    case Phase::recovering:
      if (!advance_rollbacks(state, now, out)) return std::nullopt;
      if (state.hurry || (state.steady && !state.responder_running)) return Cue::recovered;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

template <class T, std::size_t N>
std::string_view word_of(const std::array<std::string_view, N>& words, T value) {
  return words.at(static_cast<std::size_t>(value));
}

}  // namespace

std::string_view to_string(Phase phase) {
  static constexpr std::array<std::string_view, 9> kWords{"idle",      "preflight",  "baseline",
                                                          "preparing", "injecting",  "active",
                                                          "healing",   "recovering", "finished"};
  return word_of(kWords, phase);
}

std::string_view to_string(Outcome outcome) {
  static constexpr std::array<std::string_view, 4> kWords{"completed", "not-started", "aborted",
                                                          "error"};
  return word_of(kWords, outcome);
}

State initial_state(const Plan& plan, const Timing& timing) {
  State state;
  state.timing = timing;
  state.phases = plan.phases;
  state.sham = plan.sham;
  state.has_responder = plan.has_responder;
  for (const PlannedInjection& one : plan.injections)
    state.injections.push_back({.id = one.id,
                                .host = one.host,
                                .offset = one.start,
                                .duration = one.request.duration,
                                .lease = one.request.lease.value_or(kDefaultLease)});
  for (const PlannedProcess& one : plan.processes)
    state.processes.push_back(
        {.name = one.action.name, .offset = one.start, .timeout = one.action.timeout});
  // A sham run touches nothing, so there is nothing to roll back.
  if (!plan.sham)
    for (const ProcessAction& one : plan.rollbacks)
      state.rollbacks.push_back({.name = one.name, .offset = {}, .timeout = one.timeout});
  for (const Inject& one : plan.injects) state.injects.push_back({.id = one.id, .at = one.at});
  for (std::string& host : plan.hosts()) state.hosts.insert(std::move(host));
  return state;
}

std::pair<State, std::vector<Command>> step(State state, const Input& input, UtcTime now) {
  std::vector<Command> out;
  if (state.phase == Phase::finished) return {std::move(state), std::move(out)};
  std::optional<Cue> cue = absorb(state, input, now, out);
  for (;;) {
    const Edge* edge = cue ? find_edge(state.phase, *cue) : nullptr;
    if (edge != nullptr) enter(state, edge->to, now, out);
    cue = settle(state, now, out);
    if (!cue || find_edge(state.phase, *cue) == nullptr) break;
  }
  return {std::move(state), std::move(out)};
}

}  // namespace firedrill::machine
