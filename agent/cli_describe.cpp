// Commands that change nothing: faults and probe; and the guardian, which only the agent starts.
#include <memory>

#include <fmt/format.h>

#include "agent/cli.hpp"
#include "agent/guardian/guardian_process.hpp"
#include "agent/kernel/linux_host.hpp"
#include "agent/local_agent.hpp"

namespace firedrill::agent::cli {
namespace {

void print_fault(const rpc::Capability& fault, bool with_parameters) {
  fmt::print("{:<14} {}{}\n", fault.name, fault.summary,
             fault.supported ? "" : "\n               not on this host: " + fault.reason);
  if (with_parameters)
    fmt::print("\nParameters:\n{}", to_help_text(find_fault(fault.name)->schema()));
}

int show_faults(const std::string& name, bool json) {
  auto faults = describe_faults();
  if (!faults) return report(faults.error());
  if (!name.empty()) {
    std::vector<std::string_view> known;
    for (const auto& fault : fault_registry()) known.push_back(fault->name());
    std::erase_if(*faults, [&](const rpc::Capability& fault) { return fault.name != name; });
    if (faults->empty())
      return report({ErrorCode::not_found,
                     0,
                     fmt::format("no fault '{}'.{}", name, suggestion(name, known)),
                     {}});
  }
  if (json) {
    Json list = Json::array();
    for (const rpc::Capability& fault : *faults) list.push_back(rpc::to_json(fault));
    fmt::print("{}\n", list.dump(2));
    return kOk;
  }
  for (const rpc::Capability& fault : *faults) print_fault(fault, !name.empty());
  return kOk;
}

int take_sample(const std::string& kind, const std::vector<std::string>& words,
                const std::string& over, bool json) {
  const auto params = parse_params(words);
  if (!params) return report(params.error());
  const auto window = parse_duration(over);
  if (!window) return report(window.error());
  const auto session = open_probe(kind, *params);
  if (!session) return report(session.error());
  const auto sample = (*session)->sample(*window);
  if (!sample) return report(sample.error());
  if (json) {
    fmt::print("{}\n", rpc::to_json(*sample).dump(2));
    return kOk;
  }
  fmt::print("{} operations, {} errors in {}\n", sample->count, sample->errors,
             to_string(Duration{sample->to_us - sample->from_us}));
  for (const auto& [name, value] : sample->values) fmt::print("{:<20} {}\n", name, value);
  if (!sample->error.empty()) fmt::print("last error: {}\n", sample->error);
  return kOk;
}

}  // namespace

void add_faults(CLI::App& app, int& exit_code) {
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  CLI::App* cmd = app.add_subcommand("faults", "What can be injected, and whether this host can");
  cmd->add_option("name", *name, "one fault, with its parameters");
  cmd->add_flag("--json", *json, "print JSON");
  cmd->footer("Example: firedrill-agent faults netem");
  cmd->callback([name, json, &exit_code] { exit_code = show_faults(*name, *json); });
}

void add_probe(CLI::App& app, int& exit_code) {
  struct Options {
    std::string kind, over = "1s";
    std::vector<std::string> words;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* cmd = app.add_subcommand("probe", "Take one sample");
  cmd->add_option("kind", options->kind, "probe kind")->required();
  cmd->add_option("params", options->words, "key=value");
  cmd->add_option("--over", options->over, "measure for this long")->capture_default_str();
  cmd->add_flag("--json", options->json, "print JSON");
  cmd->footer("Example: firedrill-agent probe nic-ring device=eth0");
  cmd->callback([options, &exit_code] {
    exit_code = take_sample(options->kind, options->words, options->over, options->json);
  });
}

void add_guardian(CLI::App& app, int& exit_code) {
  auto arguments = std::make_shared<GuardianArguments>();
  CLI::App* cmd = app.add_subcommand("guardian", "");
  cmd->group("");  // started by the agent, not by people
  cmd->add_option("--state-directory", arguments->state_directory)->required();
  cmd->add_option("--agent-pid", arguments->agent)->required();
  cmd->add_option("--name", arguments->host_name)->required();
  cmd->callback([arguments, &exit_code] {
    const auto host = kernel::open_linux_host({});
    if (!host) return void(exit_code = report(host.error()));
    exit_code = run_guardian_process(*arguments, **host, &find_fault);
  });
}

}  // namespace firedrill::agent::cli
