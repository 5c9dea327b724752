// firedrill report, runs: from the stored log, recomputed each time.
#include <memory>

#include <fmt/format.h>
#include <unistd.h>

#include "controller/cli/cli.hpp"
#include "controller/cli/export.hpp"
#include "controller/report/report.hpp"

namespace firedrill::cli {

Result<std::unique_ptr<Store>> open_store(const Context& context) {
  const auto file = context.home / "runs.db";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored))
    return fail(ErrorCode::not_found,
                fmt::format("no runs are kept in '{}': name their folder with --home or "
                            "FIREDRILL_HOME, or run an experiment first",
                            context.home.string()));
  return Store::open(file);
}

namespace {

struct Options {
  std::string run = "last", format = "text";
  std::filesystem::path folder;
  std::size_t limit = 20;
};

void report(const Options& options, Context& context) {
  const auto store = open_store(context);
  if (!store) return report_error(context, store.error());
  const auto row = (*store)->find_run(options.run);
  if (!row) return report_error(context, row.error());
  const auto run = recompute(**store, row->id);
  if (!run) return report_error(context, run.error());
  const auto experiment = experiment_of(*run);
  if (!experiment) return report_error(context, experiment.error());
  if (!options.folder.empty()) {
    if (auto done = export_run(*run, *experiment, options.folder); !done)
      return report_error(context, done.error());
    fmt::print(stderr, "written to {}\n", options.folder.string());
    return;
  }
  const std::string format = context.json ? "json" : options.format;
  if (format == "json")
    fmt::print("{}\n", json_report(run->measures, run->card, *experiment).dump(2));
  else if (format == "junit") fmt::print("{}", junit_report(run->measures, run->card, *experiment));
  else if (format == "html")
    fmt::print("{}", html_report(run->measures, run->card, *experiment, run->events));
  else if (format == "markdown")
    fmt::print("{}", markdown_report(run->measures, run->card, *experiment));
  else if (format == "events")
    for (const Event& event : run->events) fmt::print("{}\n", to_json(event).dump());
  else
    fmt::print("{}",
               text_report(run->measures, run->card, *experiment, isatty(STDOUT_FILENO) == 1));
}

void runs(const Options& options, Context& context) {
  const auto store = open_store(context);
  if (!store) return report_error(context, store.error());
  const auto rows = (*store)->runs(options.limit);
  if (!rows) return report_error(context, rows.error());
  Json list = Json::array();
  for (const RunRow& row : *rows)
    list.push_back({{"id", row.id},
                    {"title", row.title},
                    {"experiment", row.experiment},
                    {"started", to_rfc3339(row.started)},
                    {"state", row.state},
                    {"verdict", row.verdict}});
  if (context.json) return fmt::print("{}\n", list.dump(2));
  if (rows->empty()) return fmt::print("no runs yet: firedrill run EXPERIMENT\n");
  fmt::print("{:<52} {:<20} {:<13} {}\n", "RUN", "STARTED", "VERDICT", "TITLE");
  for (const RunRow& row : *rows)
    fmt::print("{:<52} {:<20} {:<13} {}\n", row.id, to_rfc3339(row.started).substr(0, 19),
               row.verdict.empty() ? row.state : row.verdict, row.title);
}

}  // namespace

void add_report_commands(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* report_command =
      app.add_subcommand("report", "Recompute a run's measures and score from its log");
  report_command->add_option("run", options->run, "run id, its beginning, or 'last'")
      ->capture_default_str();
  report_command
      ->add_option("--format", options->format, "text, json, junit, markdown, html or events")
      ->check(CLI::IsMember({"text", "json", "junit", "markdown", "html", "events"}))
      ->capture_default_str();
  report_command->add_option("--export", options->folder, "write all of them into this folder");
  report_command->footer(
      "Examples:\n"
      "  firedrill report last\n"
      "  firedrill report last --format html > report.html\n"
      "  firedrill report last --format markdown >> \"$GITHUB_STEP_SUMMARY\"\n"
      "  firedrill report 20260301-12 --export ./game-day\n");
  report_command->callback([options, &context] { report(*options, context); });

  CLI::App* runs_command = app.add_subcommand("runs", "The runs in the store, newest first");
  runs_command->add_option("--limit", options->limit, "at most so many")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  runs_command->footer("Example:\n  firedrill runs --json\n");
  runs_command->callback([options, &context] { runs(*options, context); });
}

}  // namespace firedrill::cli
