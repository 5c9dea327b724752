// The command line of `firedrill`: parse, one call, print, exit code. The only room that prints.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "controller/experiment/experiment.hpp"
#include "controller/runner/runner.hpp"
#include "firedrill/commander.hpp"
#include "firedrill/event.hpp"
#include "firedrill/result.hpp"

namespace firedrill::cli {

inline constexpr int kUsage = 254;
inline constexpr int kError = 255;

/// What every command shares.
struct Context {
  std::filesystem::path home;     ///< pki/, runs.db, runs/
  std::filesystem::path program;  ///< this program's own file
  std::string address = "0.0.0.0";
  std::uint16_t port = 7443;
  bool json = false;
  int exit_code = 0;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
};

/// Runs one command. Never throws. Returns the exit code (README lists them).
[[nodiscard]] int run(int argc, char** argv);

// Each adds its subcommands.
void add_experiment_commands(CLI::App& app, Context& context);  // validate, plan, schema
void add_run_command(CLI::App& app, Context& context);
void add_report_commands(CLI::App& app, Context& context);  // report, runs
void add_review_command(CLI::App& app, Context& context);
void add_pki_command(CLI::App& app, Context& context);
void add_audit_command(CLI::App& app, Context& context);
void add_serve_command(CLI::App& app, Context& context);
void add_trials_command(CLI::App& app, Context& context);
void add_sweep_command(CLI::App& app, Context& context);
void add_compare_command(CLI::App& app, Context& context);
void add_live_commands(CLI::App& app, Context& context);  // agents, halt, step, detected, ack, note

/// One line on standard error (or JSON on standard output): what, where, how to mend it.
void report_error(Context& context, const Error& error, int exit_code = kError);
/// "--set key=value" pairs. @errors invalid_input without '='
[[nodiscard]] Result<Variables> parse_variables(const std::vector<std::string>& pairs);
/// An event as a progress line, or empty when it is not worth one.
[[nodiscard]] std::string progress_line(const Event& event);

/// The runs of before. A store that is not there is not made: whoever asks meant another folder.
[[nodiscard]] Result<std::unique_ptr<Store>> open_store(const Context& context);
/// What this command line says of the controller.
[[nodiscard]] RunnerConfig own_config(const Context& context);
/// Opens a controller of our own, for one command. A `firedrill serve` that has the port is asked
/// for it. @errors as Runner::open
[[nodiscard]] Result<std::unique_ptr<Runner>> open_runner(const Context& context,
                                                          const RunnerConfig& config,
                                                          const Observers& observers);
/// Says something of which the instant matters: the controller's clock is asked first, and `body`
/// says when the command began by that clock (said_us), give or take half a round trip (error_us).
/// This machine's own clock has no part in it. Errors as call_api().
[[nodiscard]] Result<Json> tell_api(const Context& context, std::string_view path, Json body);

/// Calls the API of the controller that runs now, as operator.
/// @errors unavailable: no controller runs; not_found, refused, invalid_input: its own words
[[nodiscard]] Result<Json> call_api(const Context& context, std::string_view method,
                                    std::string_view path, const Json& body);
/// A conflict over the port, in words: which run goes on there.
[[nodiscard]] Error with_busy_hint(Error error, const Context& context);

}  // namespace firedrill::cli
