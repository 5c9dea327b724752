// `firedrill-agent policy check`: what a configuration allows, and whether it would allow a fault.
// Reads one file; touches neither the host nor the agent that runs.
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "agent/cli.hpp"
#include "agent/fault.hpp"

namespace firedrill::agent::cli {
namespace {

struct Options {
  std::string file, fault, duration, at, controller;
  std::vector<std::string> words, tags;
  std::int64_t open = 0;
  bool json = false;
};

/// "2026-11-30T14:05" on this host's clock, or RFC 3339.
Result<UtcTime> instant_of(const std::string& text) {
  if (auto exact = parse_rfc3339(text)) return exact;
  std::tm local{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M", &local);
  if (rest == nullptr || *rest != '\0')
    return fail(ErrorCode::invalid_input,
                fmt::format("'{}' is no instant: write it as 2026-11-30T14:05, which is local time "
                            "of this host",
                            text));
  local.tm_isdst = -1;
  const std::time_t seconds = std::mktime(&local);
  return UtcTime{std::chrono::seconds{seconds}};
}

Result<FaultRequest> request_of(const Options& options) {
  FaultRequest request;
  request.fault = options.fault;
  request.tags = options.tags;
  const auto params = parse_params(options.words);
  if (!params) return std::unexpected(params.error());
  request.params = *params;
  if (options.duration.empty())
    return fail(ErrorCode::invalid_input,
                "give --duration: whether a fault is allowed depends on it");
  const auto duration = parse_duration(options.duration);
  if (!duration) return std::unexpected(duration.error());
  request.duration = *duration;
  return request;
}

Result<void> would_allow(const Policy& policy, const Options& options) {
  const auto request = request_of(options);
  if (!request) return std::unexpected(request.error());
  const Fault* fault = find_fault(request->fault);
  if (fault == nullptr) {
    std::vector<std::string_view> known;
    for (const auto& each : fault_registry()) known.push_back(each->name());
    return fail(ErrorCode::invalid_input,
                fmt::format("no fault '{}'.{}", request->fault, suggestion(request->fault, known)));
  }
  const auto params = validate_params(fault->schema(), request->params, "");
  if (!params) return std::unexpected(params.error());
  if (auto good = fault->check(*params); !good) return good;
  auto at =
      Result<UtcTime>(std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()));
  if (!options.at.empty()) at = instant_of(options.at);
  if (!at) return std::unexpected(at.error());
  if (auto may = policy.check_commander(options.controller); !may) return may;
  return policy.check(*request, *params, static_cast<std::size_t>(options.open), *at);
}

void print_rules(const std::string& file, const std::vector<PolicyRule>& rules) {
  fmt::print("ok: {}\n", file);
  bool told = false;
  for (const PolicyRule& rule : rules) {
    if (rule.line != 0) {
      fmt::print("line {:>4}  {}\n", rule.line, rule.text);
      continue;
    }
    if (!std::exchange(told, true)) fmt::print("And without being said:\n");
    fmt::print("           {}\n", rule.text);
  }
}

Json as_json(const std::string& file, const std::vector<PolicyRule>& rules) {
  Json list = Json::array();
  for (const PolicyRule& rule : rules) {
    Json& one = list.emplace_back(Json{{"text", rule.text}, {"built_in", rule.line == 0}});
    if (rule.line == 0) continue;
    one["pointer"] = rule.pointer;
    one["line"] = rule.line;
  }
  return Json{{"ok", true}, {"file", file}, {"rules", std::move(list)}};
}

int report_bad(const Error& error, const Options& options) {
  if (options.json)
    fmt::print("{}\n", Json{{"ok", false},
                            {"file", options.file},
                            {"error", error.what},
                            {"pointer", error.pointer}}
                           .dump(2));
  else report(error);
  return error.code == ErrorCode::invalid_input ? kWrongUse : kFailed;
}

int check_policy(const Options& options) {
  const auto config = load_config(options.file);
  if (!config) return report_bad(config.error(), options);
  Json out = as_json(options.file, config->policy.rules());
  std::optional<Result<void>> allowed;
  if (!options.fault.empty()) {
    allowed = would_allow(config->policy, options);
    if (!*allowed && allowed->error().code != ErrorCode::refused)
      return report_bad(allowed->error(), options);
    out["allowed"] = allowed->has_value();
    if (!*allowed) out["why"] = allowed->error().what;
  }
  if (options.json) fmt::print("{}\n", out.dump(2));
  else if (!allowed) print_rules(options.file, config->policy.rules());
  else if (*allowed) fmt::print("allowed by {}\n", options.file);
  else fmt::print("refused: {}\n", allowed->error().what);
  return allowed && !*allowed ? kFailed : kOk;
}

}  // namespace

void add_policy(CLI::App& app, int& exit_code) {
  CLI::App* policy =
      app.add_subcommand("policy", "The host owner's bounds on what may be injected");
  policy->require_subcommand(1);
  auto options = std::make_shared<Options>();
  CLI::App* cmd = policy->add_subcommand(
      "check", "Read a configuration and say what it allows, or whether it would allow a fault");
  cmd->add_option("file", options->file, "agent.json")->required();
  cmd->add_option("fault", options->fault, "would this one be allowed?");
  cmd->add_option("params", options->words, "its parameters, key=value");
  cmd->add_option("--duration", options->duration, "for so long, e.g. 5m");
  cmd->add_option("--tag", options->tags, "a tag of the experiment");
  cmd->add_option("--at", options->at, "at that time instead of now: 2026-11-30T14:05");
  cmd->add_option("--controller", options->controller,
                  "asked by the controller of that certificate instead of root on this host");
  cmd->add_option("--open", options->open, "while so many other faults are on")
      ->check(CLI::Range(0, 64));
  cmd->add_flag("--json", options->json, "print JSON");
  cmd->footer(
      "Examples: firedrill-agent policy check /etc/firedrill/agent.json\n"
      "          firedrill-agent policy check agent.json netem device=eth0 loss=5% "
      "--duration 5m\n"
      "Exit code 0: it reads, and allows what was asked; 1: it would refuse; 2: wrong use, or the\n"
      "file is wrong. What names lead to (the disk below a path, the processes in a cgroup) is\n"
      "looked at when a fault is prepared, not here.");
  cmd->callback([options, &exit_code] { exit_code = check_policy(*options); });
}

}  // namespace firedrill::agent::cli
