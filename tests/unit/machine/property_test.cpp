// What holds whatever happens: random walks through every input.
#include <map>
#include <random>
#include <set>

#include "tests/unit/machine/fixture.hpp"

namespace firedrill::machine {
namespace {

class Walk {
 public:
  explicit Walk(std::uint32_t seed) : random_(seed) {}

  Plan plan() {
    Plan out = plan_of_two(chance(8));
    if (chance(2)) out = with_processes(std::move(out));
    if (chance(10)) out.injections.clear();
    return out;
  }

  /// Mostly what the phase waits for, so that every phase is seen often; else anything at all.
  Input input(const State& state) { return chance(4) ? anything() : awaited(state); }

  Input anything() {
    const Error error{ErrorCode::io_failed, 0, "failed", {}};
    switch (below(14)) {
      case 0:
        return input::Start{};
      case 1:
        return input::PreflightDone{!chance(20), {"p"}};
      case 2:
        return input::BaselineDone{!chance(20), !chance(20), {"b"}};
      case 3:
        return input::Prepared{id()};
      case 4:
        return input::Applied{id()};
      case 5:
        return input::Undone{id(), static_cast<UndoCause>(below(7)), !chance(10)};
      case 6:
        return input::SteadyAgain{};
      case 7:
        return input::AlertFired{Json::object()};
      case 8:
        return input::ResponderExited{};
      case 9:
        return input::ProcessExited{pick({"load", "tidy", "tidy-more"}), !chance(5), "x"};
      case 10:
        return back();
      case 11:
        return trouble(error);
      default:
        return input::Tick{};
    }
  }

  bool chance(int of) { return below(of) == 0; }
  int below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }

 private:
  Input awaited(const State& state) {
    switch (state.phase) {
      case Phase::idle:
        return input::Start{};
      case Phase::preflight:
        return input::PreflightDone{!chance(10), {"p"}};
      case Phase::baseline:
        if (!state.baseline_asked) return input::Tick{};
        return input::BaselineDone{!chance(10), !chance(10), {"b"}};
      case Phase::preparing:
        return input::Prepared{id()};
      case Phase::injecting:
        return chance(2) ? Input{input::Applied{id()}} : Input{input::Tick{}};
      case Phase::active:
        if (chance(3)) return input::Applied{id()};
        if (chance(2)) return input::ProcessExited{"load", !chance(10), "x"};
        return chance(2) ? Input{input::Tick{}}
                         : Input{input::Undone{id(), pick_end(), !chance(20)}};
      case Phase::healing:
        return chance(2) ? back() : Input{input::Undone{id(), UndoCause::requested, !chance(20)}};
      default:
        if (chance(3)) return input::ProcessExited{pick({"tidy", "tidy-more"}), !chance(10), "x"};
        return chance(2) ? Input{input::SteadyAgain{}} : Input{input::ResponderExited{}};
    }
  }

  UndoCause pick_end() { return chance(2) ? UndoCause::time_up : UndoCause::cured; }
  std::string pick(std::vector<std::string> from) {
    return from[static_cast<std::size_t>(below(static_cast<int>(from.size())))];
  }
  std::string id() { return pick({"r.1", "r.2", "r.1", "r.2", "r.9"}); }
  std::string host() { return pick({"db-1", "db-2", "client-1", "stranger"}); }

  Input back() {
    input::AgentBack out{host(), {}};
    for (const char* one : {"r.1", "r.2"}) {
      rpc::InjectionStatus status;
      status.id = one;
      status.state = static_cast<InjectionState>(below(7));
      if (!chance(4)) out.injections.push_back(status);
    }
    return out;
  }

  Input trouble(const Error& error) {
    switch (below(8)) {
      case 0:
        return input::PrepareFailed{id(), error};
      case 1:
        return input::ApplyFailed{id(), error};
      case 2:
        return input::Dirty{id(), "differs"};
      case 3:
      case 4:
        return input::AgentLost{host(), "reset"};
      case 5:
        return input::Halt{"ann", "stop"};
      case 6:
        return input::StopConditionMet{"s", "d"};
      default:
        return input::StoreFailed{error};
    }
  }

  std::mt19937 random_;
};

/// What a watcher beside the machine knows of one run.
struct Seen {
  std::set<std::string> prepared, committed, undone;
  int finishes = 0, commits = 0, responders = 0;
  bool commit_after_failure = false;
};

void watch(Seen& seen, const Input& input, const std::vector<Command>& commands) {
  if (const auto* one = std::get_if<input::Prepared>(&input)) seen.prepared.insert(one->injection);
  if (const auto* one = std::get_if<input::Undone>(&input); one != nullptr && one->clean)
    seen.undone.insert(one->injection);
  if (const auto* one = std::get_if<input::AgentBack>(&input))
    for (const auto& status : one->injections)
      if (status.state == InjectionState::undone) seen.undone.insert(status.id);
  for (const Command& command : commands) {
    EXPECT_EQ(seen.finishes, 0) << "a command after Finish";
    if (std::holds_alternative<command::Finish>(command)) ++seen.finishes;
    if (std::holds_alternative<command::StartResponder>(command)) ++seen.responders;
    const auto* commit = std::get_if<command::Commit>(&command);
    if (commit == nullptr) continue;
    ++seen.commits;
    for (const auto& at : commit->injections) {
      seen.committed.insert(at.injection);
      EXPECT_TRUE(seen.prepared.contains(at.injection)) << "committed, never prepared";
    }
  }
}

/// Ticks alone must bring any state to its end, and never twice at the same instant without effect.
void expect_ends_by_itself(State state, UtcTime now) {
  if (state.phase == Phase::idle) return;
  int ticks = 0;
  while (state.phase != Phase::finished) {
    const auto due = next_deadline(state);
    ASSERT_TRUE(due) << "stuck in " << to_string(state.phase);
    now = std::max(now, *due);
    state = step(std::move(state), input::Tick{}, now).first;
    ASSERT_LT(++ticks, 60) << "no end in " << to_string(state.phase);
  }
}

void expect_honest_end(const State& state, const Seen& seen) {
  EXPECT_EQ(seen.finishes, 1);
  EXPECT_LE(seen.commits, 1);
  EXPECT_LE(seen.responders, 1);
  for (const std::string& id : seen.committed)
    EXPECT_TRUE(state.outcome == Outcome::error || seen.undone.contains(id))
        << id << " was committed and its end is not known, yet the outcome is "
        << to_string(state.outcome);
  EXPECT_TRUE(state.outcome != Outcome::completed || seen.commits == 1);
  EXPECT_TRUE(state.outcome == Outcome::completed || !state.reasons.empty());
}

TEST(Property, RandomWalksNeverGetStuckAndEndHonestly) {
  constexpr int kSteps = 100'000;
  std::map<Phase, int> visited;
  std::map<Outcome, int> outcomes;
  std::uint32_t seed = 1;
  for (int steps = 0; steps < kSteps; ++seed) {
    Walk walk(seed);
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    State state = initial_state(walk.plan());
    UtcTime now{std::chrono::seconds{1'000'000}};
    Seen seen;
    while (state.phase != Phase::finished && steps < kSteps * 2) {
      const Input input = walk.input(state);
      now += Duration(walk.below(3'000'000));
      // Sometimes a tick comes early, or so late that several deadlines have passed.
      if (std::holds_alternative<input::Tick>(input) && !walk.chance(4))
        now = std::max(now, next_deadline(state).value_or(now));
      auto [next, commands] = step(state, input, now);
      ASSERT_GE(next.phase, state.phase) << "a run never goes back";
      ASSERT_GE(next.outcome, state.outcome) << "an outcome never gets better";
      watch(seen, input, commands);
      state = std::move(next);
      ++visited[state.phase];
      ++steps;
      if (steps % 7 == 0) expect_ends_by_itself(state, now);
    }
    expect_honest_end(state, seen);
    ++outcomes[state.outcome];
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(visited.size(), 9U) << "some phase was never reached";
  EXPECT_EQ(outcomes.size(), 4U) << "some outcome was never reached";
  for (const auto& [phase, count] : visited) EXPECT_GT(count, 500) << to_string(phase);
  for (const auto& [outcome, count] : outcomes) EXPECT_GT(count, 50) << to_string(outcome);
}

/// A state of every phase, reached by the shortest way.
std::vector<Drive> one_of_each_phase() {
  std::vector<Drive> out(8, Drive(with_processes(plan_of_two())));
  out[1].feed(input::Start{});
  out[2] = out[1];
  out[2].feed(input::PreflightDone{true, {}});
  out[3].to_preparing();
  out[4].to_injecting();
  out[5].to_active();
  out[6].to_active();
  out[6].feed(input::Halt{"ann", "stop"});
  out[7] = Drive(plan_of_two());
  out[7].to_recovering();
  return out;
}

TEST(Edges, EveryActivePhaseLeadsToHealing) {
  const Error error{ErrorCode::io_failed, 0, "failed", {}};
  const std::vector<Input> troubles = {
      input::Halt{"ann", "stop"}, input::StopConditionMet{"s", "d"}, input::StoreFailed{error},
      input::AgentLost{"db-1", "reset"}, input::AgentLost{"client-1", "reset"}};
  for (Drive& drive : one_of_each_phase()) {
    const Phase from = drive.state.phase;
    const bool holds =
        from == Phase::preparing || from == Phase::injecting || from == Phase::active;
    const bool early = from < Phase::preparing;
    for (const Input& trouble : troubles) {
      Drive next = drive;
      next.feed(trouble);
      if (holds) EXPECT_EQ(next.state.phase, Phase::healing) << to_string(from);
      else if (early) EXPECT_EQ(next.state.phase, Phase::finished) << to_string(from);
      else EXPECT_GE(next.state.phase, from);
      EXPECT_FALSE(next.state.reasons.empty());
    }
  }
}

TEST(Edges, InputsOfAnotherPhaseChangeNothing) {
  for (Drive& drive : one_of_each_phase()) {
    const Phase phase = drive.state.phase;
    std::vector<Input> strangers;
    if (phase != Phase::idle) strangers.emplace_back(input::Start{});
    if (phase != Phase::preflight) strangers.emplace_back(input::PreflightDone{true, {}});
    if (phase != Phase::baseline) strangers.emplace_back(input::BaselineDone{true, true, {}});
    if (phase != Phase::preparing) strangers.emplace_back(input::Prepared{"r.1"});
    if (phase != Phase::recovering) strangers.emplace_back(input::SteadyAgain{});
    strangers.emplace_back(input::Applied{"r.404"});
    strangers.emplace_back(input::ProcessExited{"nobody", false, {}});
    strangers.emplace_back(input::AgentBack{"stranger", {}});
    for (const Input& stranger : strangers) {
      Drive next = drive;
      next.feed(stranger);
      EXPECT_EQ(next.state.phase, phase) << "input " << stranger.index();
      EXPECT_TRUE(next.last.empty()) << to_string(phase) << ", input " << stranger.index();
      EXPECT_EQ(next.state.outcome, drive.state.outcome);
    }
  }
}

TEST(Edges, NothingHappensAfterTheEnd) {
  Drive drive(plan_of_two());
  drive.feed(input::Start{});
  drive.feed(input::Halt{"ann", "stop"});
  ASSERT_EQ(drive.state.phase, Phase::finished);
  EXPECT_FALSE(next_deadline(drive.state));
  Walk walk(7);
  for (int i = 0; i < 200; ++i) {
    drive.feed(walk.anything());
    EXPECT_TRUE(drive.last.empty());
  }
}

}  // namespace
}  // namespace firedrill::machine
