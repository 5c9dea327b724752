// The agent's commands, one function each: parse, one call, print, exit code. Only these files and
// main know CLI11.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "agent/config.hpp"
#include "firedrill/rpc.hpp"

namespace firedrill::agent::cli {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUse = 2;

/// Options that every command about this host shares.
struct Common {
  std::string config;  ///< empty: /etc/firedrill/agent.json if there is one, else the defaults
  std::string state_directory;  ///< empty: as the configuration says
  bool json = false;
};
void add_common(CLI::App& command, Common& common);
[[nodiscard]] Result<AgentConfig> load(const Common& common);

/// Into the system's log: what a command does that no agent's log tells of.
void tell_system_log(std::string_view line);

/// Prints "firedrill-agent: what" to standard error. Returns the exit code.
int report(const Error& error);
/// "key=value …" as parameters; a key given twice becomes a list.
[[nodiscard]] Result<Json> parse_params(const std::vector<std::string>& words);
/// "on=10s,off=20s"
[[nodiscard]] Result<Pattern> pattern_of(const std::string& words);
/// "loss=0%..5%/60s" or "loss=0%..5%/60s/20": the parameter, from where to where, over how long,
/// and in how many steps. What it ends at becomes the parameter's value in `params`.
[[nodiscard]] Result<Ramp> ramp_of(const std::string& words, Json& params);
/// One line per injection, or JSON.
void print(const std::vector<rpc::InjectionStatus>& statuses, bool json);
/// The statuses in an answer to undo or list.
[[nodiscard]] Result<std::vector<rpc::InjectionStatus>> statuses_of(const Json& answer);

void add_run(CLI::App& app, int& exit_code);
void add_join(CLI::App& app, int& exit_code);
void add_faults(CLI::App& app, int& exit_code);
void add_inject(CLI::App& app, int& exit_code);
void add_list(CLI::App& app, int& exit_code);
void add_undo(CLI::App& app, int& exit_code);
void add_recover(CLI::App& app, int& exit_code);
void add_policy(CLI::App& app, int& exit_code);
void add_probe(CLI::App& app, int& exit_code);
void add_guardian(CLI::App& app, int& exit_code);

}  // namespace firedrill::agent::cli
