// `firedrill-agent list`, `undo` and `recover`.
#include <memory>

#include <fmt/format.h>

#include "agent/cli.hpp"
#include "agent/local_agent.hpp"
#include "firedrill/commander.hpp"

namespace firedrill::agent::cli {
namespace {

/// The journal's word, read beside whoever writes it: true with a hung agent, and with none.
std::vector<rpc::InjectionStatus> statuses_in(const JournalView& view) {
  std::vector<rpc::InjectionStatus> out;
  const auto boot_id = read_boot_id();
  const Duration now = SystemClock{}.boottime();
  for (const JournalEntry& entry : view.open) {
    rpc::InjectionStatus& status = out.emplace_back();
    status.id = entry.request.id;
    status.run = entry.request.run;
    status.fault = entry.request.fault;
    status.state = entry.state;
    status.values = entry.data.value("values", Json::object());
    if (!boot_id || *boot_id != entry.boot_id) status.detail = "from before the last boot";
    else if (entry.state == InjectionState::active)
      status.remaining_us = std::max(Duration{}, entry.deadline - now).count();
    if (entry.data.contains("differences")) status.detail = entry.data["differences"].dump();
  }
  for (const LostRecord& lost : view.lost) {
    rpc::InjectionStatus& status = out.emplace_back();
    status.id = lost.id;
    status.run = lost.run;
    status.fault = lost.fault;
    status.detail = lost.detail;
  }
  return out;
}

int list(const Common& common) {
  const auto config = load(common);
  if (!config) return report(config.error());
  const auto view = read_journal(config->state_directory);
  if (!view) return report(view.error());
  print(statuses_in(*view), common.json);
  if (!common.json && view->open.empty() && view->lost.empty()) fmt::print("nothing is injected\n");
  return kOk;
}

struct UndoOptions {
  Common common;
  std::vector<std::string> ids;
  bool all = false;
  bool forget = false;
};

using Statuses = Result<std::vector<rpc::InjectionStatus>>;

/// No agent runs here, so this process undoes whatever is open, whichever was named; the next agent
/// reports it.
Result<JournalView> recover(const AgentConfig& config) {
  const std::string who = commander_name(local_commander());
  return recover_host(config.state_directory, config.name,
                      [&](GuardianNote, const std::string& text) {
                        fmt::print(stderr, "firedrill-agent: {}\n", text);
                        tell_system_log(fmt::format("{}, asked by {}", text, who));
                      });
}

/// What `undo` without an agent did to what was open `before`, by what is `left`.
std::vector<rpc::InjectionStatus> outcome(const JournalView& before, const JournalView& left) {
  std::vector<rpc::InjectionStatus> out = statuses_in(left);
  for (rpc::InjectionStatus& status : statuses_in(before)) {
    if (std::ranges::find(out, status.id, &rpc::InjectionStatus::id) != out.end()) continue;
    status.state = InjectionState::undone;
    status.detail.clear();
    status.remaining_us = 0;
    out.push_back(std::move(status));
  }
  return out;
}

Result<void> forget_without_agent(const AgentConfig& config, const std::string& id) {
  const auto boot_id = read_boot_id();
  if (!boot_id) return std::unexpected(boot_id.error());
  const auto lock = StateLock::wait(config.state_directory);
  if (!lock) return std::unexpected(lock.error());
  auto journal = Journal::open(config.state_directory, *boot_id, *lock);
  if (!journal) return std::unexpected(journal.error());
  const JournalView view = journal->view();
  const bool known = std::ranges::find(view.lost, id, &LostRecord::id) != view.lost.end() ||
                     std::ranges::any_of(view.open, [&](const JournalEntry& entry) {
                       return entry.request.id == id;
                     });
  if (!known)
    return fail(ErrorCode::not_found, fmt::format("nothing is known by the name '{}'", id));
  const Json by = local_commander();
  auto forgotten = journal->forget(id, by, SystemClock{}.utc());
  if (forgotten) tell_system_log(fmt::format("'{}' forgotten by {}", id, commander_name(by)));
  return forgotten;
}

Statuses without_agent(const AgentConfig& config, const UndoOptions& options) {
  // What can be undone is, also when it shall be forgotten: only what is left may be dropped.
  const auto before = read_journal(config.state_directory);
  if (!before) return std::unexpected(before.error());
  std::error_code ignored;  // a folder that we may not look into is no empty one: its type is none
  const auto journal = std::filesystem::status(config.state_directory / "journal", ignored);
  const bool none = journal.type() == std::filesystem::file_type::not_found;
  if (none) clear_up_after_the_dead(config.state_directory);
  const auto left = none ? Result<JournalView>(JournalView{}) : recover(config);
  if (!left) return std::unexpected(left.error());
  if (!options.forget) {
    Statuses out = outcome(*before, *left);
    for (const std::string& id : options.ids)
      if (std::ranges::find(*out, id, &rpc::InjectionStatus::id) == out->end())
        return fail(ErrorCode::not_found, fmt::format("no such injection on this host: {}", id));
    return out;
  }
  for (const std::string& id : options.ids)
    if (auto done = forget_without_agent(config, id); !done) return std::unexpected(done.error());
  return std::vector<rpc::InjectionStatus>{};
}

Statuses with_agent(const AgentConfig& config, const UndoOptions& options) {
  const auto ask = [&](std::string_view method, const Json& params) {
    return control_call(config.state_directory, method, params);
  };
  if (options.forget) {
    for (const std::string& id : options.ids)
      if (auto done = ask(kForgetMethod, {{"injection", id}}); !done)
        return std::unexpected(done.error());
    return std::vector<rpc::InjectionStatus>{};
  }
  Json params{{"cause", to_string(UndoCause::requested)}};
  if (!options.all) params["injections"] = options.ids;
  const auto answer = ask(rpc::method::undo, params);
  if (!answer) return std::unexpected(answer.error());
  return statuses_of(*answer);
}

/// A host whose configuration cannot be read is recovered all the same.
AgentConfig config_or_defaults(const Common& common) {
  auto loaded = load(common);
  if (loaded) return std::move(*loaded);
  report(loaded.error());
  AgentConfig config = default_config();
  if (!common.state_directory.empty()) config.state_directory = common.state_directory;
  return config;
}

int recover_here(const Common& common) {
  const AgentConfig config = config_or_defaults(common);
  std::error_code ignored;  // no directory, or none that we may see: there is nothing to recover
  if (!std::filesystem::exists(config.state_directory / "journal", ignored)) {
    clear_up_after_the_dead(config.state_directory);
    return kOk;
  }
  const auto left = recover(config);
  if (!left) return report(left.error());
  const auto statuses = statuses_in(*left);
  print(statuses, common.json);
  return statuses.empty() ? kOk : kFailed;
}

int undo(const UndoOptions& options) {
  if (options.all == !options.ids.empty() || (options.forget && options.all))
    return report({ErrorCode::invalid_input, 0, "name injections, or give --all", {}});
  const auto config = load(options.common);
  if (!config) return report(config.error());
  Statuses statuses = with_agent(*config, options);
  if (!statuses && statuses.error().code == ErrorCode::unavailable)
    statuses = without_agent(*config, options);
  if (!statuses) return report(statuses.error());
  print(*statuses, options.common.json);
  if (!options.common.json && statuses->empty())
    fmt::print("{}\n", options.forget ? "forgotten" : "nothing to undo");
  const bool clean = std::ranges::all_of(*statuses, [](const rpc::InjectionStatus& status) {
    return status.state == InjectionState::undone;
  });
  return clean ? kOk : kFailed;
}

}  // namespace

void add_list(CLI::App& app, int& exit_code) {
  auto common = std::make_shared<Common>();
  CLI::App* cmd = app.add_subcommand("list", "What is injected on this host, by its journal");
  add_common(*cmd, *common);
  cmd->footer("Example: firedrill-agent list --json");
  cmd->callback([common, &exit_code] { exit_code = list(*common); });
}

void add_recover(CLI::App& app, int& exit_code) {
  auto common = std::make_shared<Common>();
  CLI::App* cmd = app.add_subcommand(
      "recover", "Undo what an agent left behind that is dead; what its service runs at its end");
  add_common(*cmd, *common);
  cmd->footer(
      "Example: firedrill-agent recover\n"
      "Needs no controller and no valid configuration. Exit status 1: something is left, and "
      "listed.");
  cmd->callback([common, &exit_code] { exit_code = recover_here(*common); });
}

void add_undo(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<UndoOptions>();
  CLI::App* cmd = app.add_subcommand("undo", "Undo injections on this host, now");
  cmd->add_option("id", options->ids, "which; see `list`");
  cmd->add_flag("--all", options->all, "all of them");
  cmd->add_flag("--forget", options->forget,
                "drop one whose undo record is lost, or that cannot be undone, after you have "
                "compared the host by hand");
  add_common(*cmd, options->common);
  cmd->footer("Example: firedrill-agent undo --all");
  cmd->callback([options, &exit_code] { exit_code = undo(*options); });
}

}  // namespace firedrill::agent::cli
