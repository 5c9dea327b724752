// firedrill trials: the same experiment many times, real and sham, nobody told which.
#include <memory>

#include <fmt/format.h>

#include "controller/cli/cli.hpp"
#include "controller/cli/conduct.hpp"
#include "controller/report/study.hpp"

namespace firedrill::cli {
namespace {

struct Options : SessionOptions {
  std::size_t repeat = 20;
  double sham_ratio = 0.3;
};

void print_summary(const TrialsSummary& summary, const Options& options, const Context& context) {
  if (context.json || options.format == "json") fmt::print("{}\n", to_json(summary).dump(2));
  else if (options.format == "html") fmt::print("{}", trials_html(summary));
  else fmt::print("{}", trials_text(summary));
}

void report(const Options& options, Context& context) {
  const auto store = Store::open(context.home / "runs.db");
  if (!store) return report_error(context, store.error());
  const auto runs = session_runs(**store, SessionKind::trials, options.report);
  if (!runs) return report_error(context, runs.error());
  print_summary(summarize_trials(*runs), options, context);
}

/// The experiment, checked to be the one that the session's runs had.
Result<Experiment> session_experiment(const Begun& begun) {
  auto file = read_session_file(begun.session);
  if (!file) return std::unexpected(file.error());
  if (!begun.runs.empty() && begun.runs.front().source != file->experiment.source)
    return fail(ErrorCode::conflict,
                fmt::format("'{}' is not what it was when the session began: trials of two "
                            "experiments cannot be counted together; begin a new session",
                            begun.session.file));
  return std::move(file->experiment);
}

void trials(const Options& options, Context& context) {
  if (!options.report.empty()) return report(options, context);
  auto begun = begin_session(options, SessionKind::trials, context);
  if (!begun) return report_error(context, begun.error());
  if (!begun->session.trials)
    begun->session.trials = TrialsPlan{.count = options.repeat, .sham_ratio = options.sham_ratio};
  const auto experiment = session_experiment(*begun);
  if (!experiment) return report_error(context, experiment.error());
  const Session session = begun->session;
  const TrialsPlan plan = *session.trials;
  const std::vector<bool> shams = sham_order(plan, session.seed);
  const auto next = [&](std::span<const StudiedRun> runs) -> Result<std::optional<SessionStep>> {
    const auto index = next_trial(plan, runs);
    if (!index) return std::nullopt;
    return SessionStep{.experiment = *experiment,
                       .tag = {.session = session, .index = *index, .value = 0},
                       .sham = shams[*index],
                       .label = fmt::format("trial {} of {}", *index + 1, plan.count)};
  };
  fmt::print(stderr, "session  {}\n", session.id);
  const auto outcome = conduct(options, true, std::move(begun->runs), next, context);
  if (!outcome) return report_error(context, outcome.error());
  const TrialsSummary summary = summarize_trials(outcome->runs);
  if (auto kept = keep_report(context, session.id, trials_html(summary), to_json(summary)); !kept)
    return report_error(context, kept.error());
  print_summary(summary, options, context);
  context.exit_code = say_end(*outcome, session.id, "trials");
  if (outcome->done && summary.noticed.count == 0)
    context.exit_code = exit_code(Verdict::inconclusive);
}

}  // namespace

void add_trials_command(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "trials", "Run an experiment many times, real and sham, nobody told which");
  add_session_options(*command, *options);
  command->add_option("--repeat", options->repeat, "runs in all, sham ones included")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->add_option("--sham-ratio", options->sham_ratio, "share of sham runs")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "order and hosts; the same seed, the same order")
      ->capture_default_str();
  command->add_option("--report", options->report, "only recompute this session, or 'last'");
  command->footer(
      "Examples:\n"
      "  firedrill trials experiments/silent-nic-drops.json --repeat 20 --sham-ratio 0.3 --seed 7\n"
      "  firedrill trials --continue last\n"
      "  firedrill trials --report last --format html > trials.html\n"
      "\n"
      "Exit codes: 0 done, 2 nothing to tell by or ended early, 3 halted, 254 usage, 255 error.\n");
  command->callback([options, &context] { trials(*options, context); });
}

}  // namespace firedrill::cli
