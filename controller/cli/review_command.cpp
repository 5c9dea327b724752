// firedrill review: drafts the after-action document of a run from its log.
#include <cmath>
#include <memory>

#include <fmt/format.h>

#include "controller/cli/cli.hpp"
#include "controller/cli/export.hpp"
#include "controller/report/review_report.hpp"

namespace firedrill::cli {
namespace {

struct Options {
  std::string run = "last", user_share;
  std::filesystem::path output;
  std::optional<double> faults_per_year;
};

Result<GapRates> rates_of(const Options& options) {
  GapRates out{.faults_per_year = options.faults_per_year, .user_share = {}};
  if (out.faults_per_year && !(std::isfinite(*out.faults_per_year) && *out.faults_per_year > 0 &&
                               *out.faults_per_year <= 1e6))
    return fail(ErrorCode::invalid_input,
                "--faults-per-year: a number above 0, at most 1000000, such as 6 or 0.5");
  if (options.user_share.empty()) return out;
  const auto share = parse_ratio(options.user_share);
  if (!share) return with_context(share.error(), "--user-share");
  out.user_share = share->value;
  return out;
}

void review_run(const Options& options, Context& context) {
  const auto rates = rates_of(options);
  if (!rates) return report_error(context, rates.error(), kUsage);
  const auto store = open_store(context);
  if (!store) return report_error(context, store.error());
  const auto row = (*store)->find_run(options.run);
  if (!row) return report_error(context, row.error());
  const auto run = recompute(**store, row->id);
  if (!run) return report_error(context, run.error());
  const auto experiment = experiment_of(*run);
  if (!experiment) return report_error(context, experiment.error());
  const Review draft = review(run->measures, run->card, *experiment, run->events, *rates);
  std::string text;
  if (context.json) {
    Json out = to_json(draft);
    out["run"] = run->run;
    out["verdict"] = to_string(run->card.verdict);
    text = out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  } else {
    text = review_markdown(draft, run->measures, run->card, *experiment);
  }
  if (options.output.empty()) return fmt::print("{}", text);
  if (auto written = write_file(options.output, text); !written)
    return report_error(context, written.error());
  fmt::print(stderr, "written to {}\n", options.output.string());
}

}  // namespace

void add_review_command(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("review", "Draft a blame-free after-action review from a run's log");
  command->add_option("run", options->run, "run id, its beginning, or 'last'")
      ->capture_default_str();
  command->add_option("--output", options->output, "write it to this file, not to the terminal");
  command->add_option("--faults-per-year", options->faults_per_year,
                      "how often such a fault comes by itself: for the cost of the gap");
  command->add_option("--user-share", options->user_share, "whom it hurts, such as 30%");
  command->footer(
      "Examples:\n"
      "  firedrill review last --output review.md\n"
      "  firedrill review last --faults-per-year 6 --user-share 30%\n"
      "  firedrill review 20260301-12 --json\n");
  command->callback([options, &context] { review_run(*options, context); });
}

}  // namespace firedrill::cli
