// firedrill run: one experiment from file to score. Ctrl-C halts it and undoes everywhere.
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "controller/cli/cli.hpp"
#include "controller/cli/export.hpp"
#include "controller/cli/halt_on_signal.hpp"
#include "controller/cli/local_host.hpp"
#include "controller/cli/step_summary.hpp"
#include "controller/report/report.hpp"
#include "controller/score/floors.hpp"

namespace firedrill::cli {
namespace {

struct Options {
  std::filesystem::path file, folder, summary;
  std::string tag;
  std::vector<std::string> set, fail_under;
  LocalOptions local;
  bool own_port = false;  ///< --port was given, so a local run takes it as well
  std::uint64_t seed = 1;
  bool sham = false, no_responder = false, quiet = false;
  double agent_wait = 20;
};

void print_result(const FinishedRun& run, const Experiment& experiment, const Floored& floored,
                  const std::filesystem::path& folder, const Context& context) {
  if (context.json) {
    Json out = json_report(run.measures, run.card, experiment);
    out["folder"] = folder.string();
    out["floors"] = {{"verdict", to_string(floored.verdict)}, {"lines", floored.lines}};
    fmt::print("{}\n", out.dump(2));
    return;
  }
  fmt::print("\n{}\n", text_report(run.measures, run.card, experiment, isatty(STDOUT_FILENO) == 1));
  fmt::print("report:  {}\n", (folder / "report.html").string());
  fmt::print("again:   firedrill report {}\n", run.run);
}

Result<std::vector<Floor>> floors_of(const Options& options) {
  std::vector<Floor> out;
  for (const std::string& text : options.fail_under) {
    auto floor = parse_floor(text);
    if (!floor) return std::unexpected(floor.error());
    out.push_back(std::move(*floor));
  }
  return out;
}

/// The controller that this run needs, and this machine's agent when nothing else is to be there.
/// Taken down in reverse, so that the agent ends while its controller hears it.
struct Stage {
  std::unique_ptr<LocalHost> local;
  std::unique_ptr<Runner> runner;
  std::optional<HaltOnSignal> halt_on_signal;
  ~Stage() {
    if (local) local->end();
  }
};

Result<void> set_stage(const Options& options, const Experiment& experiment,
                       const Observers& observers, const Context& context, Stage& stage) {
  RunnerConfig config = own_config(context);
  config.agent_wait =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.agent_wait));
  if (!options.local.on) {
    auto runner = open_runner(context, config, observers);
    if (!runner) return std::unexpected(with_busy_hint(runner.error(), context));
    stage.runner = std::move(*runner);
    stage.halt_on_signal.emplace(*stage.runner);
    return {};
  }
  auto local = LocalHost::prepare(options.local, experiment);
  if (!local) return std::unexpected(local.error());
  stage.local = std::move(*local);
  std::error_code error;
  const bool fresh = std::filesystem::create_directories(context.home, error);
  if (fresh && !error)  // logs hold what hosts are made of, as undo records do
    std::filesystem::permissions(context.home, std::filesystem::perms::owner_all, error);
  if (error) return fail_errno(error.value(), context.home.string());
  config.home = stage.local->folder();
  config.store = context.home;
  config.address = "127.0.0.1";
  if (!options.own_port) config.port = 0;
  auto runner = Runner::open(config, observers);
  if (!runner) return std::unexpected(runner.error());
  stage.runner = std::move(*runner);
  stage.halt_on_signal.emplace(*stage.runner);
  return stage.local->start(context.program, *stage.runner, observers.progress);
}

Result<FinishedRun> conduct(const Options& options, const Experiment& experiment,
                            const Context& context) {
  const auto tell = [&, begin = std::chrono::steady_clock::now()](std::string_view line) {
    if (options.quiet || line.empty()) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    fmt::print(stderr, "{:7.1f}s  {}\n", elapsed.count(), line);
  };
  Stage stage;
  const Observers observers{.event = [&](const Event& event) { tell(progress_line(event)); },
                            .progress = tell,
                            .notice = tell};
  if (auto set = set_stage(options, experiment, observers, context, stage); !set)
    return std::unexpected(set.error());
  const char* user = std::getenv("USER");
  auto finished = stage.runner->run({.experiment = &experiment,
                                     .sham = options.sham,
                                     .responder = !options.no_responder,
                                     .seed = options.seed,
                                     .started_by = user != nullptr ? user : "",
                                     .by = local_commander(),
                                     .tag = options.tag});
  if (!finished && stage.local && !stage.local->why().empty())
    return fail(ErrorCode::unavailable, "this machine's agent: " + stage.local->why());
  return finished;
}

void run_experiment(const Options& options, Context& context) {
  const auto variables = parse_variables(options.set);
  if (!variables) return report_error(context, variables.error(), kUsage);
  const auto floors = floors_of(options);
  if (!floors) return report_error(context, floors.error(), kUsage);
  const auto experiment = load_experiment(options.file, *variables);
  if (!experiment) return report_error(context, experiment.error());
  HaltOnSignal::block();  // before any thread starts, so that all inherit it
  const auto finished = conduct(options, *experiment, context);
  if (!finished) return report_error(context, finished.error());
  const std::filesystem::path folder =
      options.folder.empty() ? context.home / "runs" / finished->run : options.folder;
  if (auto written = export_run(*finished, *experiment, folder); !written)
    return report_error(context, written.error());
  const Floored floored = hold_to_floors(finished->card, *floors);
  print_result(*finished, *experiment, floored, folder, context);
  for (const std::string& line : floored.lines)
    fmt::print(stderr, "firedrill: --fail-under: {}\n", line);
  context.exit_code = exit_code(floored.verdict);
  const std::string summary =
      markdown_report(finished->measures, finished->card, *experiment, floored.lines);
  const auto added = add_step_summary(options.summary, summary);
  if (added) return;
  fmt::print(stderr, "firedrill: {}\n", describe(added.error()));
  if (context.exit_code == 0) context.exit_code = kError;
}

void add_local_options(CLI::App& run, LocalOptions& local) {
  CLI::Option* on = run.add_flag("--local", local.on,
                                 "this machine alone, with its own agent started for this run");
  const auto of_local = [&](CLI::Option* option) { option->needs(on)->group("With --local"); };
  of_local(run.add_option("--tags", local.tags,
                          "what this machine is, as role=db (default: as its agent.json says, or "
                          "all that the experiment's targets ask for)")
               ->allow_extra_args(false));
  of_local(run.add_option("--name", local.name, "what it is called (default: its host name)"));
  of_local(run.add_option("--agent-config", local.agent_config,
                          "policy and state directory of its owner (default: "
                          "/etc/firedrill/agent.json, if there is one)"));
}

}  // namespace

void add_run_command(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* run = app.add_subcommand("run", "Run an experiment: inject, measure, undo, score");
  run->add_option("file", options->file, "experiment (JSON)")->required();
  run->add_option("--set", options->set, "key=value for the experiment's configuration");
  run->add_option("--seed", options->seed, "chooses among hosts; the same seed, the same hosts")
      ->capture_default_str();
  run->add_flag("--sham", options->sham, "the same run with nothing injected: who cries wolf?");
  run->add_flag("--no-responder", options->no_responder,
                "leave the runbook to people: 'firedrill ack', 'firedrill step done ID'");
  run->add_option("--export", options->folder, "folder for the reports (default HOME/runs/RUN)");
  run->add_option("--fail-under", options->fail_under,
                  "exit code 1 when a score is below: 80 (each of them) or detection=80")
      ->allow_extra_args(false);
  run->add_option("--summary", options->summary,
                  "append a summary in Markdown (default: $GITHUB_STEP_SUMMARY, when set)");
  run->add_option("--tag", options->tag, "a name for sets of runs, for 'firedrill compare'");
  run->add_option("--agent-wait", options->agent_wait, "seconds to wait for agents")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  run->add_flag("--quiet,-q", options->quiet, "no progress lines");
  add_local_options(*run, options->local);
  run->footer(
      "Examples:\n"
      "  firedrill run experiments/silent-nic-drops.json\n"
      "  firedrill run experiments/silent-nic-drops.json --set loss=10% --json > result.json\n"
      "  firedrill run experiments/silent-nic-drops.json --sham\n"
      "  sudo firedrill run my.json --local --fail-under 80 --fail-under detection=100\n"
      "\n"
      "--local starts this machine's agent for this run, with certificates of its own, and ends "
      "it\n"
      "after it, also after Ctrl-C and when this command is killed. The host's policy holds, and\n"
      "its journal is where it always is (/var/lib/firedrill), so that 'firedrill-agent recover'\n"
      "finds what is left if everything is killed at once.\n");
  run->callback([options, &app, &context] {
    options->own_port = app.get_option("--port")->count() > 0;
    run_experiment(*options, context);
  });
}

}  // namespace firedrill::cli
