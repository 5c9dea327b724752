// firedrill-agent: one per host, as root. Reads its command line, calls one command.
#include <exception>

#include <fmt/format.h>

#include "agent/cli.hpp"

int main(int argc, char** argv) {
  namespace cli = firedrill::agent::cli;
  int exit_code = cli::kOk;
  try {
    CLI::App app{"Injects faults into this host, and takes them back"};
    app.name("firedrill-agent");
    app.set_version_flag("--version", FIREDRILL_VERSION);
    app.require_subcommand(1);
    for (const auto add :
         {cli::add_run, cli::add_join, cli::add_faults, cli::add_inject, cli::add_list,
          cli::add_undo, cli::add_recover, cli::add_policy, cli::add_probe, cli::add_guardian})
      add(app, exit_code);
    CLI11_PARSE(app, argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "firedrill-agent: {}\n", error.what());
    return cli::kFailed;
  }
  return exit_code;
}
