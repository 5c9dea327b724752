// crash_explorer: kills agents in the middle of everything they do, and compares the host
// afterwards. Runs on a host of the lab, as root; see tests/crash/in_lab.sh.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tests/crash/explore.hpp"
#include "tests/crash/random_kills.hpp"

namespace {

using namespace firedrill;
using namespace firedrill::crash;

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kWrongUse = 254;
constexpr int kError = 255;

struct Options {
  std::string agent;
  std::string cases;
  std::string directory = "/run/firedrill-crash";
  std::vector<std::string> faults;
  std::string only_case, point, before, shard = "0/1";
  int pass = 0;
  bool recovery = false;
  RandomOptions random;
  int round = 0;
};

int report(const Error& error) {
  fmt::print(stderr, "crash_explorer: {}\n", describe(error));
  return error.code == ErrorCode::invalid_input ? kWrongUse : kError;
}

Result<std::vector<Case>> chosen_cases(const Options& options) {
  Json more = Json::array();
  if (!options.cases.empty()) {
    std::ifstream in(options.cases);
    auto parsed = parse_json(std::string(std::istreambuf_iterator<char>(in), {}), options.cases);
    if (!parsed) return std::unexpected(parsed.error());
    more = std::move(*parsed);
  }
  auto cases = cases_of(agent::fault_registry(), more);
  if (!cases) return cases;
  std::erase_if(*cases, [&](const Case& one) {
    const bool named = options.faults.empty() ||
                       std::ranges::find(options.faults, one.fault) != options.faults.end();
    return !named || (!options.only_case.empty() && one.name != options.only_case);
  });
  if (cases->empty())
    return fail(ErrorCode::invalid_input, "no such fault or case; see `crash_explorer points`");
  return cases;
}

Result<ExploreOptions> explore_options(const Options& options) {
  ExploreOptions out;
  out.recovery = options.recovery;
  out.before = options.before;
  if (options.pass != 0) out.passes = {static_cast<Pass>(options.pass)};
  if (!options.point.empty()) {
    out.point = parse_point(options.point);
    if (!out.point)
      return fail(ErrorCode::invalid_input,
                  fmt::format("'{}' is no point: apply:7", options.point));
  }
  if (std::sscanf(options.shard.c_str(), "%d/%d", &out.shard.which, &out.shard.of) != 2 ||
      out.shard.of < 1 || out.shard.which < 0)
    return fail(ErrorCode::invalid_input, fmt::format("'{}' is no shard: 0/4", options.shard));
  return out;
}

int list_points(Stage& stage, const std::vector<Case>& cases) {
  int code = kOk;
  for (const Case& each : cases) {
    const auto points = points_of(stage, each);
    if (!points) {
      code = report(points.error());
      continue;
    }
    fmt::print("{}\n", each.name);
    for (const auto& [point, operation] : *points)
      fmt::print("  {:<10} {}\n", to_string(point), operation);
  }
  return code;
}

int explore_all(Stage& stage, const std::vector<Case>& cases, const ExploreOptions& options) {
  int code = kOk;
  std::vector<CaseResult> results;
  Histories explored;
  const auto begin = std::chrono::steady_clock::now();
  for (const Case& each : cases) {
    auto result = explore(stage, each, options, explored);
    const auto passed = std::chrono::steady_clock::now() - begin;
    if (!result) {
      code = std::max(code, report(result.error()));
      continue;
    }
    fmt::print("[{:4d}s] {}: {} kills, {} differences\n",
               std::chrono::duration_cast<std::chrono::seconds>(passed).count(), each.name,
               result->trials, result->failures);
    std::fflush(stdout);
    if (result->failures > 0) code = std::max(code, kFailed);
    results.push_back(std::move(*result));
  }
  print_table(results);
  return code;
}

/// Sets up what all commands need, and calls `body` with it.
template <class Body>
int with_stage(const Options& options, Body body) {
  const auto cases = chosen_cases(options);
  if (!cases) return report(cases.error());
  const auto stage = Stage::set_up(options.agent, options.directory);
  if (!stage) return report(stage.error());
  return body(**stage, *cases);
}

void add_common(CLI::App& command, Options& options) {
  command.add_option("--agent", options.agent, "the program firedrill-agent")->required();
  command.add_option("--cases", options.cases, "more cases than the faults' own (cases.json)");
  command.add_option("--directory", options.directory, "where the agents' state is; emptied");
  command.add_option("--fault", options.faults, "only cases of this fault; repeatable");
  command.add_option("--case", options.only_case, "only the case of this name");
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  int code = kOk;
  CLI::App app{"Kills firedrill-agent in the middle of what it does, and compares the host"};
  app.require_subcommand(1);
  CLI::App* points = app.add_subcommand("points", "Name the points of each case; kills nothing");
  add_common(*points, options);
  points->callback([&] { code = with_stage(options, list_points); });

  CLI::App* explore = app.add_subcommand("explore", "Kill at each point of each case");
  add_common(*explore, options);
  explore->add_option("--pass", options.pass, "1: the agent; 2: agent and guardian")
      ->check(CLI::Range(1, 2));
  explore->add_flag("--recovery", options.recovery,
                    "also at each point of the recovery after agent and guardian were killed");
  explore->add_option("--point", options.point, "only this one, e.g. apply:7");
  explore->add_option(
      "--before", options.before,
      "only before operations of such a name, and tell each one's time, e.g. resume");
  explore->add_option("--shard", options.shard, "K/N: each N-th point, from the K-th on");
  explore->footer(
      "Example: crash_explorer explore --agent /run/crash/firedrill-agent "
      "--case netem --pass 1 --point apply:7");
  explore->callback([&] {
    const auto how = explore_options(options);
    code = how ? with_stage(options,
                            [&](Stage& stage, const auto& cases) {
                              return explore_all(stage, cases, *how);
                            })
               : report(how.error());
  });

  CLI::App* random = app.add_subcommand("random", "Kill at random instants of random mixes");
  add_common(*random, options);
  random->add_option("--kills", options.random.kills, "how often")->check(CLI::Range(1, 1000000));
  random->add_option("--seed", options.random.seed, "what the dice show");
  CLI::Option* round = random->add_option("--round", options.round, "only this round of the seed");
  random->callback([&] {
    if (*round) options.random.round = options.round;
    code = with_stage(options, [&](Stage& stage, const auto& cases) {
      const auto failures = kill_at_random(stage, cases, options.random);
      if (!failures) return report(failures.error());
      return *failures == 0 ? kOk : kFailed;
    });
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kOk : kWrongUse;
  }
  return code;
}
