#include <cstdio>
#include <filesystem>

#include <fmt/format.h>
#include <syslog.h>

#include "agent/cli.hpp"

namespace firedrill::agent::cli {

void add_common(CLI::App& command, Common& common) {
  command.add_option("--config", common.config,
                     fmt::format("configuration (default: {} if it exists)", kDefaultConfig));
  command.add_option("--state-directory", common.state_directory,
                     "where the journal is (default: as configured)");
  command.add_flag("--json", common.json, "print JSON");
}

Result<AgentConfig> load(const Common& common) {
  std::error_code ignored;  // not there or not readable: load_config says which, if it matters
  const bool standard = std::filesystem::exists(kDefaultConfig, ignored);
  const std::string file =
      common.config.empty() && standard ? std::string(kDefaultConfig) : common.config;
  auto config = file.empty() ? Result<AgentConfig>(default_config()) : load_config(file);
  if (config && !common.state_directory.empty()) config->state_directory = common.state_directory;
  return config;
}

void tell_system_log(std::string_view line) {
  ::openlog("firedrill-agent", LOG_PID, LOG_DAEMON);
  ::syslog(LOG_NOTICE, "%.*s", static_cast<int>(line.size()), line.data());
}

int report(const Error& error) {
  fmt::print(stderr, "firedrill-agent: {}\n", describe(error));
  return error.code == ErrorCode::invalid_input ? kWrongUse : kFailed;
}

Result<Json> parse_params(const std::vector<std::string>& words) {
  Json out = Json::object();
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorCode::invalid_input, fmt::format("'{}' is not of the form key=value", word));
    const std::string key = word.substr(0, equals);
    const std::string value = word.substr(equals + 1);
    if (!out.contains(key)) {
      out[key] = value;
      continue;
    }
    Json& present = out[key];
    if (!present.is_array()) present = Json::array({present});
    present.push_back(value);
  }
  return out;
}

void print(const std::vector<rpc::InjectionStatus>& statuses, bool json) {
  if (json) {
    Json list = Json::array();
    for (const rpc::InjectionStatus& status : statuses) list.push_back(rpc::to_json(status));
    fmt::print("{}\n", list.dump(2));
    return;
  }
  for (const rpc::InjectionStatus& status : statuses) {
    std::string line = fmt::format("{:<20} {:<10} {:<12} {:<10}", status.id,
                                   to_string(status.state), status.fault, status.run);
    if (status.remaining_us > 0) {
      const auto left =
          std::chrono::duration_cast<std::chrono::seconds>(Duration{status.remaining_us});
      line += fmt::format(" {} left", to_string(Duration{left}));
    }
    if (!status.values.empty()) line += " " + status.values.dump();
    if (!status.detail.empty()) line += " " + status.detail;
    fmt::print("{}\n", line);
  }
}

Result<std::vector<rpc::InjectionStatus>> statuses_of(const Json& answer) {
  std::vector<rpc::InjectionStatus> out;
  if (!answer.contains("injections") || !answer["injections"].is_array())
    return fail(ErrorCode::corrupt, "the agent's answer lists no injections");
  for (const Json& each : answer["injections"]) {
    auto status = rpc::parse_injection_status(each);
    if (!status) return std::unexpected(status.error());
    out.push_back(std::move(*status));
  }
  return out;
}

}  // namespace firedrill::agent::cli
