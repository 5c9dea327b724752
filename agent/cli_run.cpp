// firedrill-agent run: the daemon; and the same for one run of a controller on this host.
#include <memory>
#include <system_error>

#include <fmt/format.h>

#include "agent/cli.hpp"
#include "agent/daemon.hpp"
#include "firedrill/local_run.hpp"

namespace firedrill::agent::cli {
namespace {

/// What `firedrill run --local` says; a service says nothing of it.
struct Local {
  std::string folder, controller, name;
  std::vector<std::string> tags;
};

/// The folder is removed at the end, so it must be one that was made for this.
Result<std::filesystem::path> check_folder(const std::string& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  std::error_code error;
  const bool real = std::filesystem::is_directory(std::filesystem::symlink_status(path, error));
  if (error || !real || !path.filename().string().starts_with(kLocalFolder))
    return fail(ErrorCode::invalid_input,
                fmt::format("--local '{}': a folder that 'firedrill run --local' made", folder));
  return path;
}

Result<void> apply(const Local& local, AgentConfig& config) {
  auto folder = check_folder(local.folder);
  if (!folder) return std::unexpected(folder.error());
  const auto address = parse_controller(local.controller);
  if (!address) return with_context(address.error(), "--controller");
  const auto tags = parse_params(local.tags);
  if (!tags) return with_context(tags.error(), "--tags");
  config.local_folder = *folder;
  config.controller_host = address->host;
  config.controller_port = address->port;
  config.ca = *folder / "host" / "ca.pem";
  config.certificate = *folder / "host" / "agent.pem";
  config.key = *folder / "host" / "agent.key";
  if (!local.name.empty()) config.name = local.name;
  for (const auto& [key, value] : tags->items())
    if (value.is_string()) config.tags[key] = value.get<std::string>();
  return {};
}

int run(const Common& common, const Local& local) {
  auto config = load(common);
  if (!config) return report(config.error());
  if (!local.folder.empty())
    if (auto applied = apply(local, *config); !applied) return report(applied.error());
  const auto ended = run_daemon(*config);
  // Its controller removes it as well, unless it was killed.
  std::error_code ignored;
  if (!config->local_folder.empty()) std::filesystem::remove_all(config->local_folder, ignored);
  return ended ? *ended : report(ended.error());
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto common = std::make_shared<Common>();
  auto local = std::make_shared<Local>();
  CLI::App* cmd = app.add_subcommand("run", "Serve the controller until told to stop (the daemon)");
  add_common(*cmd, *common);
  CLI::Option* folder =
      cmd->add_option("--local", local->folder,
                      "for 'firedrill run --local': its folder; ends with standard input")
          ->group("For one run");
  const auto of_local = [&](CLI::Option* option) { option->group("For one run")->needs(folder); };
  of_local(cmd->add_option("--controller", local->controller, "wss://host:port"));
  of_local(cmd->add_option("--name", local->name, "this host's name"));
  of_local(cmd->add_option("--tags", local->tags, "key=value beside those configured"));
  cmd->footer(
      "Example: firedrill-agent run --config /etc/firedrill/agent.json\n"
      "SIGTERM or Ctrl-C undoes everything, then ends.");
  cmd->callback([common, local, &exit_code] { exit_code = run(*common, *local); });
}

}  // namespace firedrill::agent::cli
