#include "tests/crash/random_kills.hpp"

#include <algorithm>
#include <csignal>
#include <map>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>

#include "agent/control.hpp"
#include "agent/executor/clock.hpp"
#include "firedrill/rpc.hpp"

namespace firedrill::crash {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kMostInjections = 5;
constexpr milliseconds kLongestInjection = 2s;
constexpr milliseconds kLongestPause = 200ms;
constexpr milliseconds kStart = 500ms;  ///< more or less what an agent takes to start
constexpr milliseconds kEnd = 200ms;    ///< and to undo at the end
constexpr milliseconds kLongestStart = 30s;

struct Tally {
  int applied = 0;  ///< injections that were on or being put on
  int refused = 0;
  int too_late = 0;  ///< kills that found the agent gone already
  int failures = 0;
  milliseconds slowest{};
  std::vector<milliseconds> recoveries;
};

/// Prepares and commits; false when the agent is not there (any more).
bool ask(const Stage& stage, const FaultRequest& request, Tally& tally) {
  const auto& where = stage.state_directory();
  const auto prepared = agent::control_call(where, rpc::method::prepare, to_json(request));
  if (!prepared) {
    const ErrorCode code = prepared.error().code;
    const bool gone = code == ErrorCode::unavailable || code == ErrorCode::timed_out ||
                      code == ErrorCode::io_failed;
    if (!gone) ++tally.refused;
    return !gone;
  }
  ++tally.applied;
  const Json commit{{"injections", {request.id}}, {"at_us", to_micros(agent::SystemClock{}.utc())}};
  return agent::control_call(where, rpc::method::commit, commit).has_value();
}

/// False when there is none after `until`.
bool wait_for_agent(const Stage& stage, Clock::time_point until) {
  while (Clock::now() < until) {
    if (agent::control_call(stage.state_directory(), rpc::method::list, Json::object()))
      return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

Case case_of(const std::vector<Case>& cases, const Round::Injection& injection) {
  Case out = cases[injection.which];
  out.duration = fmt::format("{}ms", injection.duration.count());
  return out;
}

/// Asks for all but the first, which the agent was started with.
void inject_the_rest(const Stage& stage, const std::vector<Case>& cases, const Round& round,
                     Clock::time_point kill_at, Tally& tally) {
  for (std::size_t i = 1; i < round.injections.size(); ++i) {
    std::this_thread::sleep_for(round.injections[i].pause);
    if (Clock::now() >= kill_at) return;
    const auto request = case_of(cases, round.injections[i]).request(fmt::format("mix-{}", i));
    if (!request || !ask(stage, *request, tally)) return;
  }
}

/// @returns when the agent was killed
Clock::time_point kill_agent(const Stage& stage, pid_t agent, Pass pass, Tally& tally) {
  if (pass == Pass::both_killed) {
    ::kill(agent, SIGSTOP);  // or it would start another guardian
    stage.kill_guardians(agent);
  }
  const auto now = Clock::now();
  ::kill(agent, SIGKILL);
  int status = 0;
  ::waitpid(agent, &status, 0);
  if (!WIFSIGNALED(status)) ++tally.too_late;
  return now;
}

std::string to_text(const std::vector<Case>& cases, const Round& round) {
  std::vector<std::string> names;
  for (const Round::Injection& each : round.injections)
    names.push_back(fmt::format("{} for {} ms", cases[each.which].name, each.duration.count()));
  return fmt::format("{} killed after {} ms of {}: {}",
                     round.pass == Pass::agent_killed ? "agent" : "agent and guardian",
                     round.kill_after.count(), round.early ? "starting" : "answering",
                     fmt::join(names, ", "));
}

Result<void> play(Stage& stage, const std::vector<Case>& cases, const Round& round,
                  const std::string& label, Tally& tally) {
  if (auto fresh = stage.fresh(); !fresh) return fresh;
  auto begin = Clock::now();
  const auto agent = start_program(stage.inject(case_of(cases, round.injections.front())));
  if (!agent) return std::unexpected(agent.error());
  ++tally.applied;
  Clock::time_point killed;
  {
    const bool answers = !round.early && wait_for_agent(stage, begin + kLongestStart);
    if (answers) begin = Clock::now();
    const auto kill_at = begin + round.kill_after;
    const std::jthread asking([&] {
      if (answers || wait_for_agent(stage, kill_at))
        inject_the_rest(stage, cases, round, kill_at, tally);
    });
    std::this_thread::sleep_until(kill_at);
    killed = kill_agent(stage, *agent, round.pass, tally);
  }
  const auto recovery = stage.recover(round.pass, killed);
  if (!recovery) return std::unexpected(recovery.error());
  tally.slowest = std::max(tally.slowest, recovery->took);
  tally.recoveries.push_back(recovery->took);
  if (recovery->differences.empty()) return {};
  ++tally.failures;
  fmt::print("FAILED  {}: {}\n  {}\n  the programs said: {}\n", label, to_text(cases, round),
             fmt::join(recovery->differences, "\n  "), stage.last_words());
  stage.clean_up();
  return stage.take_snapshot();
}

}  // namespace

Round plan_round(std::uint64_t seed, int number, std::size_t cases) {
  std::mt19937_64 random(seed * 1'000'003 + static_cast<std::uint64_t>(number));
  const auto up_to = [&](std::int64_t most) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most + 1));
  };
  Round round;
  const auto count = 1 + up_to(kMostInjections - 1);
  for (std::int64_t i = 0; i < count; ++i) {
    Round::Injection each;
    each.which = static_cast<std::size_t>(up_to(static_cast<std::int64_t>(cases) - 1));
    each.duration = 100ms + milliseconds(up_to(kLongestInjection.count() - 100));
    each.pause = milliseconds(up_to(kLongestPause.count()));
    round.injections.push_back(each);
  }
  const auto longest = std::ranges::max(round.injections, {}, &Round::Injection::duration).duration;
  round.early = up_to(3) == 0;
  round.kill_after = milliseconds(up_to(round.early ? kStart.count() : (longest + kEnd).count()));
  round.pass = up_to(2) == 0 ? Pass::both_killed : Pass::agent_killed;
  return round;
}

Result<int> kill_at_random(Stage& stage, const std::vector<Case>& cases,
                           const RandomOptions& options) {
  if (auto taken = stage.take_snapshot(); !taken) return std::unexpected(taken.error());
  Tally tally;
  const int first = options.round.value_or(1);
  const int last = options.round.value_or(options.kills);
  for (int number = first; number <= last; ++number) {
    const Round round = plan_round(options.seed, number, cases.size());
    const std::string label = fmt::format("--seed {} --round {}", options.seed, number);
    if (auto done = play(stage, cases, round, label, tally); !done)
      return std::unexpected(done.error());
    if (number % 25 != 0 && number != last) continue;
    fmt::print("{} of {} kills, {} left something\n", number, last, tally.failures);
    std::fflush(stdout);
  }
  std::ranges::sort(tally.recoveries);
  const auto at = [&](double share) {
    const auto index = static_cast<std::size_t>(share * double(tally.recoveries.size() - 1));
    return tally.recoveries[index].count();
  };
  fmt::print(
      "seed {}: {} kills ({} after the end), {} injections ({} more refused), "
      "{} left something; recovery p50 {} ms, p99 {} ms, slowest {} ms\n",
      options.seed, last - first + 1, tally.too_late, tally.applied, tally.refused, tally.failures,
      at(0.5), at(0.99), tally.slowest.count());
  return tally.failures;
}

}  // namespace firedrill::crash
