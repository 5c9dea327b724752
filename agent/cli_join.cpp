// firedrill-agent join: this host gets its key, its certificate and its configuration.
#include <iostream>
#include <memory>

#include <fmt/format.h>

#include "agent/cli.hpp"
#include "agent/uplink/identity.hpp"
#include "agent/uplink/join_client.hpp"
#include "firedrill/files.hpp"

namespace firedrill::agent::cli {
namespace {

struct Options {
  std::string controller, token, name;
  std::string directory = "/etc/firedrill";
  std::string state_directory = "/var/lib/firedrill";
  bool again = false, json = false;
};

struct Joined {
  std::string name;
  UtcTime until{}, renewed{};
  std::filesystem::path config;
  bool config_kept = false;
};

IdentityFiles files_in(const std::filesystem::path& directory) {
  return {directory / "ca.pem", directory / "agent.pem", directory / "agent.key"};
}

/// What would go wrong later is looked for first: a token is good once.
Result<void> check_directory(const Options& options) {
  const std::filesystem::path directory = options.directory;
  const IdentityFiles files = files_in(directory);
  for (const auto& file : {files.certificate, files.key})
    if (!options.again && is_there(file))
      return fail(ErrorCode::already_exists,
                  fmt::format("this host has joined already ('{}' is there); --again replaces it",
                              file.string()));
  if (auto ready = make_directory(directory); !ready) return ready;
  const auto trial = directory / ".join";
  if (auto written = write_file(trial, "", 0600); !written) return written;
  std::error_code ignored;
  std::filesystem::remove(trial, ignored);
  return {};
}

Result<void> write_config(const Options& options, const join::Credentials& credentials,
                          Joined& joined) {
  joined.config = std::filesystem::path(options.directory) / "agent.json";
  joined.config_kept = is_there(joined.config);
  if (joined.config_kept) return {};
  const IdentityFiles files = files_in(std::filesystem::absolute(options.directory));
  // Written by hand for its order: this is a file that people read.
  nlohmann::ordered_json config;
  config["name"] = credentials.name;
  config["controller"] = options.controller;
  config["tags"] = credentials.tags;
  config["tls"]["ca"] = files.ca.string();
  config["tls"]["certificate"] = files.certificate.string();
  config["tls"]["key"] = files.key.string();
  config["state-directory"] = std::filesystem::absolute(options.state_directory).string();
  return write_file(joined.config, config.dump(2) + "\n", 0644);
}

Result<Joined> join_fleet(const Options& options) {
  const auto address = parse_controller(options.controller);
  if (!address) return std::unexpected(address.error());
  std::string text = options.token;
  if (text == "-") std::getline(std::cin, text);
  while (text.ends_with('\n') || text.ends_with('\r') || text.ends_with(' ')) text.pop_back();
  const auto token = join::parse_token(text);
  if (!token) return std::unexpected(token.error());
  if (!join::valid_name(options.name))
    return fail(ErrorCode::invalid_input,
                fmt::format("'{}' is no host's name (1 to 64 letters, digits, dots and hyphens); "
                            "give another with --name",
                            options.name));
  if (auto ready = check_directory(options); !ready) return std::unexpected(ready.error());
  const auto made = make_request(options.name);
  if (!made) return std::unexpected(made.error());
  JoinTarget target;
  target.controller = address->host;
  target.port = address->port;
  target.pin = token->pin;
  const auto credentials = ask_to_join(target, {token->secret, options.name, made->csr});
  if (!credentials) return std::unexpected(credentials.error());
  if (auto sound = check_credentials(*credentials, made->key, token->pin); !sound)
    return std::unexpected(sound.error());
  const IdentityFiles files = files_in(options.directory);
  if (auto done = install(files, *credentials, made->key); !done)
    return std::unexpected(done.error());
  const auto standing = read_standing(files.certificate);
  if (!standing) return std::unexpected(standing.error());
  Joined joined{credentials->name, standing->to, renewal_due(*standing), {}, false};
  if (auto done = write_config(options, *credentials, joined); !done)
    return std::unexpected(done.error());
  return joined;
}

int join_host(const Options& options) {
  const auto joined = join_fleet(options);
  if (!joined) return report(joined.error());
  if (options.json) {
    fmt::print("{}\n", Json{{"name", joined->name},
                            {"not-after", to_rfc3339(joined->until)},
                            {"renewed-from", to_rfc3339(joined->renewed)},
                            {"configuration", joined->config.string()},
                            {"configuration-kept", joined->config_kept}}
                           .dump(2));
    return kOk;
  }
  fmt::print("joined as '{}'; certificate until {}, which the agent renews itself from {}\n",
             joined->name, to_rfc3339(joined->until).substr(0, 10),
             to_rfc3339(joined->renewed).substr(0, 10));
  if (joined->config_kept)
    fmt::print("{} was there and is as it was: see that it names this controller and host\n",
               joined->config.string());
  const bool standard = joined->config == kDefaultConfig;
  fmt::print("start it: {}\n",
             standard ? "systemctl enable --now firedrill-agent, or firedrill-agent run"
                      : fmt::format("firedrill-agent run --config {}", joined->config.string()));
  return kOk;
}

}  // namespace

void add_join(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  options->name = default_config().name;
  CLI::App* join = app.add_subcommand("join", "Join a controller: one command, no keys to copy");
  join->add_option("controller", options->controller, "wss://host:port")->required();
  join->add_option("token", options->token,
                   "what 'firedrill pki token' printed; - reads it from standard input")
      ->required();
  join->add_option("--name", options->name, "this host's name; a token for one host overrules it")
      ->capture_default_str();
  join->add_option("--directory", options->directory, "where certificates and agent.json go")
      ->capture_default_str();
  join->add_option("--state-directory", options->state_directory, "for a new agent.json")
      ->capture_default_str();
  join->add_flag("--again", options->again, "replace what an earlier join left");
  join->add_flag("--json", options->json, "print JSON");
  join->footer(
      "The key is made here and never leaves this host. The token says which authority the\n"
      "controller must be of, so nothing has to be trusted on first use.\n"
      "Examples:\n"
      "  firedrill-agent join wss://controller.example:7443 fd1.3f…\n"
      "  ssh controller firedrill pki token --host db-1 | "
      "firedrill-agent join wss://controller.example:7443 -\n");
  join->callback([options, &exit_code] { exit_code = join_host(*options); });
}

}  // namespace firedrill::agent::cli
