// firedrill compare: did detection, response or recovery get worse, and where in the chain?
#include <memory>

#include <fmt/format.h>

#include "controller/cli/cli.hpp"
#include "controller/report/study.hpp"
#include "controller/runner/stored_runs.hpp"

namespace firedrill::cli {
namespace {

struct Options {
  std::vector<std::string> runs, fail_on;
  std::string baseline, format = "text";
  double alpha = 0;
};

Result<std::vector<Gate>> gates_of(const Options& options) {
  std::vector<Gate> gates;
  for (const std::string& text : options.fail_on) {
    auto gate = parse_gate(text);
    if (!gate) return std::unexpected(gate.error());
    gates.push_back(std::move(*gate));
  }
  return gates;
}

/// Several names as one group.
Result<RunGroup> group_of(Store& store, std::span<const std::string> names) {
  RunGroup out{.name = fmt::format("{}", fmt::join(names, ", ")), .runs = {}};
  for (const std::string& name : names) {
    auto part = named_runs(store, name);
    if (!part) return std::unexpected(part.error());
    for (StudiedRun& run : part->runs) out.runs.push_back(std::move(run));
  }
  return out;
}

void compare_runs(const Options& options, Context& context) {
  const auto gates = gates_of(options);
  if (!gates) return report_error(context, gates.error(), kUsage);
  std::span<const std::string> names(options.runs);
  std::string baseline = options.baseline;
  if (baseline.empty()) {
    if (names.size() < 2)
      return report_error(context,
                          {ErrorCode::invalid_input,
                           0,
                           "nothing to compare with: name a second run, or give --baseline",
                           {}},
                          kUsage);
    baseline = names.front();
    names = names.subspan(1);
  }
  const auto store = Store::open(context.home / "runs.db");
  if (!store) return report_error(context, store.error());
  const auto before = named_runs(**store, baseline);
  if (!before) return report_error(context, before.error());
  const auto after = group_of(**store, names);
  if (!after) return report_error(context, after.error());
  const std::optional<double> alpha =
      options.alpha > 0 ? std::optional(options.alpha) : std::nullopt;
  const Comparison comparison = compare(*before, *after, *gates, alpha);
  if (context.json || options.format == "json") fmt::print("{}\n", to_json(comparison).dump(2));
  else if (options.format == "markdown") fmt::print("{}", comparison_markdown(comparison));
  else fmt::print("{}", comparison_text(comparison));
  context.exit_code = exit_code(comparison.verdict);
}

}  // namespace

void add_compare_command(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("compare", "Compare runs with a baseline; fails on a regression");
  command
      ->add_option("runs", options->runs,
                   "runs, sessions or tags; without --baseline the first "
                   "is the baseline")
      ->required();
  command->add_option("--baseline", options->baseline, "a tag, session or run to compare with");
  command->add_option("--fail-on", options->fail_on,
                      "what is a regression: ttd:+20%, tta:+10s, detection:-10%, … (default: "
                      "ttd:+20% and detection:-10%)");
  command->add_option("--alpha", options->alpha, "count a change only when p is at most this")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--format", options->format, "text, markdown or json")
      ->check(CLI::IsMember({"text", "markdown", "json"}))
      ->capture_default_str();
  command->footer(
      "Examples:\n"
      "  firedrill compare 20260301-120000 last\n"
      "  firedrill compare last --baseline v1.4 --fail-on ttd:+20% --fail-on steps:-10%\n"
      "  firedrill compare trials-20260301 trials-20260401 --alpha 0.05 --format markdown\n"
      "\n"
      "Exit codes: 0 no regression, 1 regression, 2 cannot be told, 254 usage, 255 error.\n");
  command->callback([options, &context] { compare_runs(*options, context); });
}

}  // namespace firedrill::cli
