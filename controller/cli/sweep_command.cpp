// firedrill sweep: the same fault from mild to strong, to find the gray zone.
#include <memory>

#include <fmt/format.h>

#include "controller/cli/cli.hpp"
#include "controller/cli/conduct.hpp"
#include "controller/report/study.hpp"

namespace firedrill::cli {
namespace {

struct Options : SessionOptions {
  std::string vary, precision = "10%";
  std::size_t steps = 8;
  bool bisect = false;
  std::vector<std::string> reports;
};

void print_sweeps(std::span<const Sweep> sweeps, const Options& options, const Context& context) {
  if (options.format == "html") {
    fmt::print("{}", sweep_html(sweeps));
  } else if (context.json || options.format == "json") {
    Json list = Json::array();
    for (const Sweep& sweep : sweeps) list.push_back(to_json(sweep));
    fmt::print("{}\n", Json{{"sweeps", std::move(list)}}.dump(2));
  } else {
    fmt::print("{}", sweep_text(sweeps));
  }
}

void report(const Options& options, Context& context) {
  const auto store = Store::open(context.home / "runs.db");
  if (!store) return report_error(context, store.error());
  std::vector<Sweep> sweeps;
  for (const std::string& name : options.reports) {
    const auto runs = session_runs(**store, SessionKind::sweep, name);
    if (!runs) return report_error(context, runs.error());
    auto sweep = summarize_sweep(*runs);
    if (!sweep) return report_error(context, sweep.error());
    sweeps.push_back(std::move(*sweep));
  }
  print_sweeps(sweeps, options, context);
}

Result<SweepPlan> plan_of(const Options& options) {
  if (options.vary.empty())
    return fail(ErrorCode::invalid_input,
                "--vary is missing: say what grows, as --vary netem.loss=0.1%..30%");
  SweepPlan plan{.vary = options.vary, .steps = options.steps, .precision = {}};
  if (!options.bisect) return plan;
  const auto precision = parse_ratio(options.precision);
  if (!precision || precision->value < 0.001)
    return fail(ErrorCode::invalid_input,
                fmt::format("--precision '{}': a share of at least 0.1%, as 10%: how far apart the "
                            "two ends of a threshold may be",
                            options.precision));
  plan.precision = precision->value;
  return plan;
}

Result<Experiment> at_value(const SessionFile& file, const Session& session, const Vary& vary,
                            double value) {
  auto json = with_value(file.raw, vary, value);
  if (!json) return std::unexpected(json.error());
  auto experiment =
      parse_experiment(*json, file.experiment.id, file.experiment.directory, session.set);
  if (!experiment) return with_context(experiment.error(), "with " + value_text(vary, value));
  return experiment;
}

/// Refuses a file that has changed, and an end that the experiment cannot have.
Result<void> check_file(const Begun& begun, const SessionFile& file, const Vary& vary) {
  for (const double end : {vary.from, vary.to})
    if (auto fits = at_value(file, begun.session, vary, end); !fits)
      return std::unexpected(fits.error());
  if (begun.runs.empty()) return {};
  const StudiedRun& first = begun.runs.front();
  const auto same = at_value(file, begun.session, vary, first.tag->value);
  if (!same || same->source != first.source)
    return fail(ErrorCode::conflict,
                fmt::format("'{}' is not what it was when the sweep began; begin a new one",
                            begun.session.file));
  return {};
}

/// The runs so far as a sweep; before the first run there is only what is varied.
Result<Sweep> so_far(std::span<const StudiedRun> runs, const Vary& vary) {
  if (!runs.empty()) return summarize_sweep(runs);
  Sweep none;
  none.vary = vary;
  return none;
}

void sweep(const Options& options, Context& context) {
  if (!options.reports.empty()) return report(options, context);
  auto begun = begin_session(options, SessionKind::sweep, context);
  if (!begun) return report_error(context, begun.error());
  if (!begun->session.sweep) {
    auto plan = plan_of(options);
    if (!plan) return report_error(context, plan.error(), kUsage);
    begun->session.sweep = std::move(*plan);
  }
  const auto vary = parse_vary(begun->session.sweep->vary);
  if (!vary) return report_error(context, vary.error(), kUsage);
  const auto file = read_session_file(begun->session);
  if (!file) return report_error(context, file.error());
  if (auto good = check_file(*begun, *file, *vary); !good)
    return report_error(context, good.error());
  const Session session = begun->session;
  const auto next = [&](std::span<const StudiedRun> runs) -> Result<std::optional<SessionStep>> {
    const auto known = so_far(runs, *vary);
    if (!known) return std::unexpected(known.error());
    const auto value = next_intensity(*session.sweep, *known);
    if (!value) return std::nullopt;
    auto experiment = at_value(*file, session, *vary, *value);
    if (!experiment) return std::unexpected(experiment.error());
    return SessionStep{.experiment = std::move(*experiment),
                       .tag = {.session = session, .index = 0, .value = *value},
                       .sham = false,
                       .label = fmt::format("{}.{} = {}", vary->subject, vary->parameter,
                                            value_text(*vary, *value))};
  };
  fmt::print(stderr, "session  {}\n", session.id);
  const auto outcome = conduct(options, false, std::move(begun->runs), next, context);
  if (!outcome) return report_error(context, outcome.error());
  const auto found = so_far(outcome->runs, *vary);
  if (!found) return report_error(context, found.error());
  const std::span<const Sweep> one(&*found, 1);
  if (auto kept = keep_report(context, session.id, sweep_html(one), to_json(*found)); !kept)
    return report_error(context, kept.error());
  print_sweeps(one, options, context);
  context.exit_code = say_end(*outcome, session.id, "sweep");
}

}  // namespace

void add_sweep_command(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "sweep", "Run a fault from mild to strong: where users are hurt, where anyone notices");
  add_session_options(*command, *options);
  command->add_option("--vary", options->vary, "FAULT.PARAMETER=FROM..TO, from mild to strong");
  command->add_option("--steps", options->steps, "intensities, at equal ratios")
      ->check(CLI::Range(2, 1000))
      ->capture_default_str();
  command->add_flag("--bisect", options->bisect, "halve towards the thresholds instead");
  command
      ->add_option("--precision", options->precision, "of --bisect: ends of a threshold so close")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "chooses among hosts; the same seed, the same hosts")
      ->capture_default_str();
  command->add_option("--report", options->reports,
                      "only draw these sessions; several make one map of blind spots");
  command->footer(
      "Examples:\n"
      "  firedrill sweep experiments/silent-nic-drops.json --vary netem.loss=0.1%..30%\n"
      "  firedrill sweep my.json --vary lose.loss=0.1%..30% --bisect --precision 10%\n"
      "  firedrill sweep --report last --format html > gray-zone.html\n"
      "\n"
      "Exit codes: 0 done, 2 ended early, 3 halted, 254 usage, 255 error.\n");
  command->callback([options, &context] { sweep(*options, context); });
}

}  // namespace firedrill::cli
