// The run as a state machine. Takes (state, input, now), gives (state, commands); the runner
// carries the commands out and decides nothing. Must not read a clock, a file or a socket.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/machine/command.hpp"
#include "controller/machine/input.hpp"
#include "controller/plan/plan.hpp"

namespace firedrill::machine {

/// How long the machine waits for each answer.
struct Timing {
  Duration preflight{60'000'000};
  Duration baseline_answer{10'000'000};  ///< to BaselineDone, once phases.baseline_within passed
  Duration prepare{10'000'000};
  Duration margin{500'000};    ///< from the Commit command to t0
  Duration grace{10'000'000};  ///< for each confirmation: applied, ended, undone, process exited
  Duration back{30'000'000};   ///< for a lost agent to return, once its leases have passed
};

/// What is known of one injection. `ended` covers released, time up, cured and undone.
enum class Stage : std::uint8_t {
  planned,
  preparing,
  prepared,
  committed,
  active,
  ended,
  dirty,    ///< the host differs from its snapshot
  unknown,  ///< the end was not confirmed in time, or the host has lost the record
};

struct Tracked {
  std::string id, host;
  Duration offset{}, duration{}, lease{};
  Stage stage = Stage::planned;
  bool committed = false;   ///< the commit was sent, so the host may have been touched
  bool undo_asked = false;  ///< and since then the host has not been lost
  UtcTime deadline{};       ///< when the next word about it is due; from `preparing` on
};

struct TrackedProcess {
  std::string name;
  Duration offset{}, timeout{};
  enum class Stage : std::uint8_t { waiting, running, done } stage = Stage::waiting;
  UtcTime deadline{};  ///< when it starts, or by when it must have exited
};

struct TrackedInject {
  std::string id;
  Duration at{};
  bool sent = false;
};

/// A plain value; copy it, print it, compare runs of it. Only step() changes it.
struct State {
  Phase phase = Phase::idle;
  Timing timing;
  Phases phases;
  bool sham = false;
  std::vector<Tracked> injections;
  std::vector<TrackedProcess> processes, rollbacks;
  std::vector<TrackedInject> injects;
  std::set<std::string> hosts, lost;
  UtcTime t0{};                     ///< once committed
  std::optional<UtcTime> deadline;  ///< of the phase itself
  bool committed = false;
  bool baseline_asked = false, steady = false, hurry = false;
  bool has_responder = false, responder_started = false, responder_running = false;
  UndoCause heal_cause = UndoCause::requested;
  Outcome outcome = Outcome::completed;
  std::vector<std::string> reasons;  ///< those of the worst outcome first
};

[[nodiscard]] State initial_state(const Plan& plan, const Timing& timing = {});

/// One step. Any input is allowed in any state: one that means nothing there changes nothing.
///
/// Two phases: all injections are prepared, or all are released and no host is touched. After the
/// commit each agent ends its own injections when their time is up; the machine waits for the word
/// of each, asks for an undo when it is overdue, and reports an error when that is not confirmed.
/// Halt, a stop condition, a lost agent, a failed store or any surprise undoes everything first.
/// Once nothing is on, rollbacks run, the steady state is awaited for phases.recovery, and Finish
/// comes. Outcome `completed` means: every injection was confirmed ended and nothing else went
/// wrong.
[[nodiscard]] std::pair<State, std::vector<Command>> step(State state, const Input& input,
                                                          UtcTime now);

/// When to send the next Tick; none in idle and finished only.
[[nodiscard]] std::optional<UtcTime> next_deadline(const State& state);

}  // namespace firedrill::machine
