#include "controller/cli/cli.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>

#include <fmt/format.h>

namespace firedrill::cli {
namespace {

std::filesystem::path default_home() {
  if (const char* home = std::getenv("FIREDRILL_HOME"); home != nullptr && *home != '\0')
    return home;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::filesystem::path(home) / ".firedrill";
  return ".firedrill";
}

constexpr std::string_view kFooter =
    "Examples:\n"
    "  firedrill pki init                                 make certificates, once\n"
    "  firedrill validate experiments/silent-nic-drops.json\n"
    "  firedrill run experiments/silent-nic-drops.json    the game day\n"
    "  firedrill halt                                     stop it, undo everywhere\n"
    "  firedrill report last                              the score again, from the log\n"
    "  firedrill review last                              draft of the after-action review\n"
    "\n"
    "Exit codes: 0 pass, 1 fail, 2 inconclusive, 3 aborted, 254 usage, 255 error.\n";

}  // namespace

void report_error(Context& context, const Error& error, int exit_code) {
  if (context.json)
    fmt::print(
        "{}\n",
        Json{{"error",
              {{"code", to_string(error.code)}, {"what", error.what}, {"pointer", error.pointer}}}}
            .dump(2, ' ', false, Json::error_handler_t::replace));
  else fmt::print(stderr, "firedrill: {}\n", describe(error));
  context.exit_code = exit_code;
}

Result<Variables> parse_variables(const std::vector<std::string>& pairs) {
  Variables variables;
  for (const std::string& pair : pairs) {
    const std::size_t at = pair.find('=');
    if (at == std::string::npos || at == 0)
      return fail(ErrorCode::invalid_input, fmt::format("--set '{}': write it as key=value", pair));
    variables[pair.substr(0, at)] = pair.substr(at + 1);
  }
  return variables;
}

int run(int argc, char** argv) {
  Context context;
  context.home = default_home();
  std::error_code ignored;
  context.program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  CLI::App app{
      "Firedrill runs game days: it injects real faults on Linux hosts, measures how long "
      "monitoring and people take to notice, and scores how the runbook was carried out."};
  app.name("firedrill");
  app.footer(std::string(kFooter));
  app.set_version_flag("--version", std::string("firedrill ") + FIREDRILL_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--home", context.home, "certificates, runs and reports (env FIREDRILL_HOME)")
      ->capture_default_str();
  app.add_option("--listen", context.address, "address to listen on for agents")
      ->capture_default_str();
  app.add_option("--port", context.port, "the controller's one port (env FIREDRILL_PORT)")
      ->envname("FIREDRILL_PORT")
      ->capture_default_str();
  app.add_flag("--json", context.json, "print JSON for programs on standard output");
  add_experiment_commands(app, context);
  add_run_command(app, context);
  add_trials_command(app, context);
  add_sweep_command(app, context);
  add_compare_command(app, context);
  add_report_commands(app, context);
  add_review_command(app, context);
  add_live_commands(app, context);
  add_pki_command(app, context);
  add_audit_command(app, context);
  add_serve_command(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);  // prints help, or the complaint
    return code == 0 ? 0 : kUsage;
  } catch (const std::exception& error) {
    report_error(context, {ErrorCode::internal, 0, error.what(), {}});
  }
  std::fflush(stdout);
  return context.exit_code;
}

}  // namespace firedrill::cli
