// firedrill validate, plan, schema.
#include <memory>

#include <fmt/format.h>

#include "controller/cli/cli.hpp"
#include "controller/runner/runner.hpp"

namespace firedrill::cli {
namespace {

struct Options {
  std::filesystem::path file;
  std::vector<std::string> set;
  std::uint64_t seed = 0;
  bool sham = false;
};

Result<Experiment> load(const Options& options) {
  const auto variables = parse_variables(options.set);
  if (!variables) return std::unexpected(variables.error());
  return load_experiment(options.file, *variables);
}

void validate(const Options& options, Context& context) {
  const auto experiment = load(options);
  if (!experiment) return report_error(context, experiment.error());
  const Json counts = {{"id", experiment->id},
                       {"title", experiment->title},
                       {"faults", experiment->faults.size()},
                       {"probes", experiment->probes.size()},
                       {"expected-detections", experiment->expected.size()},
                       {"steps", experiment->steps.size()}};
  if (context.json) fmt::print("{}\n", counts.dump(2));
  else
    fmt::print("ok: {}: {} faults, {} probes, {} expected detections, {} runbook steps\n",
               experiment->id, experiment->faults.size(), experiment->probes.size(),
               experiment->expected.size(), experiment->steps.size());
}

void show_plan(const Options& options, Context& context) {
  const auto experiment = load(options);
  if (!experiment) return report_error(context, experiment.error());
  auto runner = open_runner(
      context, own_config(context),
      {.event = {}, .progress = [](std::string_view line) { fmt::print(stderr, "{}\n", line); }});
  if (!runner) return report_error(context, runner.error());
  const auto plan =
      (*runner)->plan(*experiment, {.run = "plan", .seed = options.seed, .sham = options.sham});
  if (!plan) return report_error(context, plan.error());
  if (context.json) fmt::print("{}\n", to_json(*plan).dump(2));
  else fmt::print("{}", to_text(*plan));
}

}  // namespace

void add_experiment_commands(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* check = app.add_subcommand("validate", "Check an experiment; contacts no host");
  check->add_option("file", options->file, "experiment (JSON)")->required();
  check->add_option("--set", options->set, "key=value for the experiment's configuration");
  check->footer("Example:\n  firedrill validate experiments/silent-nic-drops.json\n");
  check->callback([options, &context] { validate(*options, context); });

  CLI::App* plan = app.add_subcommand("plan", "Show what a run would do, on which hosts, and when");
  plan->add_option("file", options->file, "experiment (JSON)")->required();
  plan->add_option("--set", options->set, "key=value for the experiment's configuration");
  plan->add_option("--seed", options->seed, "chooses among hosts; the same seed, the same hosts");
  plan->footer("Example:\n  firedrill plan experiments/silent-nic-drops.json --seed 7\n");
  plan->callback([options, &context] { show_plan(*options, context); });

  CLI::App* schema =
      app.add_subcommand("schema", "Print the JSON Schema of experiment files, for editors");
  schema->footer("Example:\n  firedrill schema > experiments/schema.json\n");
  schema->callback([] { fmt::print("{}\n", experiment_schema().dump(2)); });
}

}  // namespace firedrill::cli
