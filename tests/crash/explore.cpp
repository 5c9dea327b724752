#include "tests/crash/explore.hpp"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace firedrill::crash {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Verdict = Traced::Verdict;

constexpr auto kLongestRun = 60s;
constexpr int kTriesForPoint = 3;

/// Kills a process that takes longer than it may, unless destroyed before.
class Watchdog {
 public:
  Watchdog(pid_t pid, std::chrono::seconds longest)
      : thread_([this, pid, longest] {
          std::unique_lock lock(mutex_);
          if (!ended_.wait_for(lock, longest, [this] { return over_; })) ::kill(pid, SIGKILL);
        }) {}
  Watchdog(const Watchdog&) = delete;
  ~Watchdog() {
    {
      const std::scoped_lock lock(mutex_);
      over_ = true;
    }
    ended_.notify_one();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool over_ = false;
  std::thread thread_;
};

/// A run that ended otherwise than it should.
std::unexpected<Error> misbehaved(const Stage& stage, const Case& what, int code) {
  return fail(ErrorCode::unsupported,
              fmt::format("'{}' cannot be explored: `firedrill-agent {}` ended with {}: {}\n"
                          "Its parameters must hold on the host that tests/crash/world.sh makes.",
                          what.name, fmt::join(what.words(), " "), code, stage.last_words()));
}

struct Trial {
  bool reached = false;
  std::string operation;
  Clock::time_point killed;
};

/// Runs `program` until it comes to the point, and kills it there.
Result<Trial> kill_program_at(Stage& stage, const Case& what, const Program& program, Pass pass,
                              const Point& point) {
  auto traced = Traced::start(program);
  if (!traced) return std::unexpected(traced.error());
  Trial trial;
  PointCounter counter(point.phase == Phase::recovery ? Phase::recovery : Phase::before);
  const pid_t agent = traced->pid();
  const Watchdog watchdog(agent, kLongestRun);
  const auto end = traced->run([&](const Call& call, const std::string& operation) {
    if (counter.next(call) != point) return Verdict::go_on;
    trial.reached = true;
    trial.operation = operation;
    if (pass == Pass::both_killed) stage.kill_guardians(agent);
    trial.killed = Clock::now();
    return Verdict::kill;
  });
  if (!end) return std::unexpected(end.error());
  if (!end->killed && end->exit_code != 0) return misbehaved(stage, what, end->exit_code);
  if (!end->killed) trial.killed = Clock::now();
  return trial;
}

Result<Trial> kill_at(Stage& stage, const Case& what, Pass pass, const Point& point) {
  if (auto fresh = stage.fresh(); !fresh) return std::unexpected(fresh.error());
  const Program injecting = stage.inject(what);
  if (point.phase != Phase::recovery) return kill_program_at(stage, what, injecting, pass, point);
  const auto first =
      kill_program_at(stage, what, injecting, Pass::both_killed, Point{Phase::undo, 1});
  if (!first) return first;
  return kill_program_at(stage, what, stage.undo_all(), Pass::both_killed, point);
}

void print_failure(const Stage& stage, const Case& what, Pass pass, const Point& point,
                   const Trial& trial, const Recovery& recovery) {
  fmt::print("FAILED  --case '{}' --pass {} --point {}: before {}\n  {}\n", what.name,
             static_cast<int>(pass), to_string(point), trial.operation,
             fmt::join(recovery.differences, "\n  "));
  fmt::print("  the programs said: {}\n", stage.last_words());
  std::fflush(stdout);
}

/// One trial, judged. False: there is no such point.
Result<bool> try_point(Stage& stage, const Case& what, Pass pass, const Point& point,
                       CaseResult& result) {
  const auto trial = kill_at(stage, what, pass, point);
  if (!trial) return std::unexpected(trial.error());
  const auto recovery = stage.recover(pass, trial->killed);
  if (!recovery) return std::unexpected(recovery.error());
  if (!recovery->differences.empty()) {
    ++result.failures;
    print_failure(stage, what, pass, point, *trial, *recovery);
    stage.clean_up();
    // What is left must not be taken for the next trial's doing.
    if (auto taken = stage.take_snapshot(); !taken) return std::unexpected(taken.error());
  }
  if (!trial->reached) return false;
  ++result.trials;
  result.slowest = std::max(result.slowest, recovery->took);
  return true;
}

/// False when an earlier case has come to the point in the same way.
using Wanted = std::function<bool(int ordinal)>;

/// From the first point of the phase to the last there is. How much a fault does while it is on may
/// depend on time, so there the end is where a run does not come to the next point any more.
/// @param expected  so many came in the run without a kill
/// @returns the last point that was reached
Result<int> explore_phase(Stage& stage, const Case& what, Pass pass, Phase phase, int expected,
                          const Shard& shard, const Wanted& wanted, CaseResult& result) {
  int last = 0;
  const bool may_go_on = phase == Phase::undo || phase == Phase::recovery;
  const int first = 1 + (shard.which + static_cast<int>(pass)) % shard.of;
  for (int ordinal = first;; ordinal += shard.of) {
    if (ordinal > expected && !may_go_on) return expected;
    if (ordinal <= expected && !wanted(ordinal)) continue;
    const Point point{phase, ordinal};
    bool reached = false;
    for (int tries = 0; tries < kTriesForPoint && !reached; ++tries) {
      const auto tried = try_point(stage, what, pass, point, result);
      if (!tried) return std::unexpected(tried.error());
      reached = *tried;
      if (ordinal > expected) break;
    }
    if (reached) last = ordinal;
    else if (ordinal > expected) return std::max(last, expected);
    else
      fmt::print("note: '{}' did not come to {} in {} runs\n", what.name, to_string(point),
                 kTriesForPoint);
  }
}

/// What no snapshot shows while it is on could not be missed afterwards.
Result<void> check_visible(Stage& stage, const Case& what) {
  const auto trial = kill_at(stage, what, Pass::both_killed, {Phase::undo, 1});
  if (!trial) return std::unexpected(trial.error());
  const bool visible = !stage.changes().empty();
  const auto recovery = stage.recover(Pass::both_killed, trial->killed);
  if (!recovery) return std::unexpected(recovery.error());
  if (visible) return {};
  return fail(ErrorCode::unsupported,
              fmt::format("'{}' cannot be explored: the host looks the same while it is on. Teach "
                          "tests/crash/host_state.cpp to read what it changes.",
                          what.name));
}

Result<void> try_one(Stage& stage, const Case& what, Pass pass, const Point& point,
                     CaseResult& result) {
  const auto tried = try_point(stage, what, pass, point, result);
  if (!tried) return std::unexpected(tried.error());
  if (*tried) return {};
  return fail(ErrorCode::not_found,
              fmt::format("'{}' does not come to {}", what.name, to_string(point)));
}

using Points = std::vector<std::pair<Point, std::string>>;

/// Each point of such a name, and how long the host took to be as it was.
Result<void> explore_named(Stage& stage, const Case& what, Pass pass, const Points& points,
                           const std::string& name, CaseResult& result) {
  std::map<Phase, int> found;
  for (const auto& [point, operation] : points) {
    if (!operation.contains(name)) continue;
    CaseResult one;
    if (auto done = try_one(stage, what, pass, point, one); !done) return done;
    if (one.failures == 0)  // else it has been said what differs
      fmt::print("'{}', pass {}, {}, killed before {}: as before after {} ms\n", what.name,
                 static_cast<int>(pass), to_string(point), operation, one.slowest.count());
    std::fflush(stdout);
    ++found[point.phase];
    result.trials += one.trials;
    result.failures += one.failures;
    result.slowest = std::max(result.slowest, one.slowest);
  }
  if (found.empty())
    return fail(ErrorCode::not_found,
                fmt::format("'{}' has no point before '{}'", what.name, name));
  result.points = std::move(found);  // the same in each pass
  return {};
}

}  // namespace

Result<std::vector<std::pair<Point, std::string>>> points_of(Stage& stage, const Case& what) {
  if (auto fresh = stage.fresh(); !fresh) return std::unexpected(fresh.error());
  if (auto taken = stage.take_snapshot(); !taken) return std::unexpected(taken.error());
  auto traced = Traced::start(stage.inject(what));
  if (!traced) return std::unexpected(traced.error());
  std::vector<std::pair<Point, std::string>> out;
  PointCounter counter;
  const Watchdog watchdog(traced->pid(), kLongestRun);
  const auto end = traced->run([&](const Call& call, const std::string& operation) {
    out.emplace_back(counter.next(call), operation);
    return Verdict::go_on;
  });
  if (!end) return std::unexpected(end.error());
  if (end->exit_code != 0) return misbehaved(stage, what, end->exit_code);
  const auto after = stage.recover(Pass::agent_killed, Clock::now());
  if (!after) return std::unexpected(after.error());
  if (after->differences.empty()) return out;
  return fail(ErrorCode::io_failed,
              fmt::format("'{}' leaves the host different without any kill:\n  {}", what.name,
                          fmt::join(after->differences, "\n  ")));
}

Result<CaseResult> explore(Stage& stage, const Case& what, const ExploreOptions& options,
                           Histories& explored) {
  const auto points = points_of(stage, what);
  if (!points) return std::unexpected(points.error());
  CaseResult result;
  result.name = what.name;
  std::map<Phase, int> expected;
  std::vector<std::string> histories{""};
  for (const auto& [point, operation] : *points) {
    expected[point.phase] = std::max(expected[point.phase], point.ordinal);
    if (point.phase == Phase::before) histories.push_back(histories.back() + "\n" + operation);
  }
  if (expected[Phase::apply] == 0 || expected[Phase::undo] == 0)
    return fail(ErrorCode::internal,
                fmt::format("'{}' shows no points of applying or undoing", what.name));
  if (auto visible = check_visible(stage, what); !visible) return std::unexpected(visible.error());
  const auto is_new = [&](int ordinal) { return !explored.contains(histories[ordinal]); };
  const auto all = [](int) { return true; };
  for (const Pass pass : options.passes) {
    if (options.point) {
      if (auto done = try_one(stage, what, pass, *options.point, result); !done)
        return std::unexpected(done.error());
      continue;
    }
    if (!options.before.empty()) {
      if (auto done = explore_named(stage, what, pass, *points, options.before, result); !done)
        return std::unexpected(done.error());
      continue;
    }
    std::vector<Phase> phases{Phase::before, Phase::apply, Phase::undo};
    if (options.recovery && pass == Pass::both_killed) phases.push_back(Phase::recovery);
    for (const Phase phase : phases) {
      const auto last =
          explore_phase(stage, what, pass, phase, expected[phase], options.shard,
                        phase == Phase::before ? Wanted(is_new) : Wanted(all), result);
      if (!last) return std::unexpected(last.error());
      result.points[phase] = std::max(result.points[phase], *last);
    }
  }
  if (options.point || !options.before.empty()) return result;
  for (std::size_t i = 1; i < histories.size(); ++i)
    if (!explored.insert(histories[i]).second) --result.points[Phase::before];
  return result;
}

void print_table(const std::vector<CaseResult>& results) {
  constexpr auto kRow = "{:<40} {:>7} {:>6} {:>6} {:>9} {:>7} {:>12} {:>9}\n";
  constexpr std::array kPhases{Phase::before, Phase::apply, Phase::undo, Phase::recovery};
  CaseResult sum;
  sum.name = "all";
  const auto print = [&](CaseResult row) {
    fmt::print(kRow, row.name, row.points[kPhases[0]], row.points[kPhases[1]],
               row.points[kPhases[2]], row.points[kPhases[3]], row.trials, row.failures,
               fmt::format("{} ms", row.slowest.count()));
  };
  fmt::print(kRow, "points in", "before", "apply", "undo", "recovery", "trials", "differences",
             "slowest");
  int points = 0;
  for (const CaseResult& each : results) {
    for (const auto& [phase, count] : each.points) {
      sum.points[phase] += count;
      points += count;
    }
    sum.trials += each.trials;
    sum.failures += each.failures;
    sum.slowest = std::max(sum.slowest, each.slowest);
    print(each);
  }
  print(sum);
  fmt::print("{} points, {} kills, {} differences\n", points, sum.trials, sum.failures);
}

}  // namespace firedrill::crash
