// firedrill run: one experiment from file to score. Ctrl-C halts it and undoes everywhere.
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "controller/cli/cli.hpp"
#include "controller/cli/export.hpp"
#include "controller/cli/halt_on_signal.hpp"
#include "controller/report/report.hpp"

namespace firedrill::cli {
namespace {

struct Options {
  std::filesystem::path file, folder;
  std::string tag;
  std::vector<std::string> set;
  std::uint64_t seed = 1;
  bool sham = false, no_responder = false, quiet = false;
  double agent_wait = 20;
};

void print_result(const FinishedRun& run, const Experiment& experiment,
                  const std::filesystem::path& folder, const Context& context) {
  if (context.json) {
    Json out = json_report(run.measures, run.card, experiment);
    out["folder"] = folder.string();
    fmt::print("{}\n", out.dump(2));
    return;
  }
  fmt::print("\n{}\n", text_report(run.measures, run.card, experiment, isatty(STDOUT_FILENO) == 1));
  fmt::print("report:  {}\n", (folder / "report.html").string());
  fmt::print("again:   firedrill report {}\n", run.run);
}

void run_experiment(const Options& options, Context& context) {
  const auto variables = parse_variables(options.set);
  if (!variables) return report_error(context, variables.error(), kUsage);
  const auto experiment = load_experiment(options.file, *variables);
  if (!experiment) return report_error(context, experiment.error());
  HaltOnSignal::block();  // before any thread starts, so that all inherit it
  const auto begin = std::chrono::steady_clock::now();
  const auto tell = [&](std::string_view line) {
    if (options.quiet || line.empty()) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    fmt::print(stderr, "{:7.1f}s  {}\n", elapsed.count(), line);
  };
  RunnerConfig config = own_config(context);
  config.agent_wait =
      std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.agent_wait));
  auto runner = open_runner(context, config,
                            {.event = [&](const Event& event) { tell(progress_line(event)); },
                             .progress = tell,
                             .notice = tell});
  if (!runner) return report_error(context, with_busy_hint(runner.error(), context));
  const HaltOnSignal halt_on_signal(**runner);
  const char* user = std::getenv("USER");
  const auto finished = (*runner)->run({.experiment = &*experiment,
                                        .sham = options.sham,
                                        .responder = !options.no_responder,
                                        .seed = options.seed,
                                        .started_by = user != nullptr ? user : "",
                                        .by = local_commander(),
                                        .tag = options.tag});
  if (!finished) return report_error(context, finished.error());
  const std::filesystem::path folder =
      options.folder.empty() ? context.home / "runs" / finished->run : options.folder;
  if (auto written = export_run(*finished, *experiment, folder); !written)
    return report_error(context, written.error());
  print_result(*finished, *experiment, folder, context);
  context.exit_code = exit_code(finished->card.verdict);
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
  run->add_option("--tag", options->tag, "a name for sets of runs, for 'firedrill compare'");
  run->add_option("--agent-wait", options->agent_wait, "seconds to wait for agents")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  run->add_flag("--quiet,-q", options->quiet, "no progress lines");
  run->footer(
      "Examples:\n"
      "  firedrill run experiments/silent-nic-drops.json\n"
      "  firedrill run experiments/silent-nic-drops.json --set loss=10% --json > result.json\n"
      "  firedrill run experiments/silent-nic-drops.json --sham\n");
  run->callback([options, &context] { run_experiment(*options, context); });
}

}  // namespace firedrill::cli
