// agent.json: takes its text, gives what the agent goes by. Contacts nobody.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "agent/policy/policy.hpp"

namespace firedrill::agent {

inline constexpr std::string_view kDefaultConfig = "/etc/firedrill/agent.json";

struct AgentConfig {
  std::string name;             ///< as events and the controller name this host; its host name
  std::string controller_host;  ///< empty: no controller
  std::uint16_t controller_port = 0;
  std::map<std::string, std::string> tags;
  std::filesystem::path ca, certificate, key;
  std::filesystem::path state_directory = "/var/lib/firedrill";
  /// Not from the file: the folder of `firedrill run --local`, whose agent this is for one run. It
  /// ends when standard input does, and its controller counts as root on this host.
  std::filesystem::path local_folder;
  Policy policy;
};

/// What goes without a file: this host's name, no controller, the built-in policy.
[[nodiscard]] AgentConfig default_config();

/// ```
/// {"name": "db-1", "controller": "wss://firedrill.example:8443", "tags": {"role": "db"},
///  "tls": {"ca": "ca.pem", "certificate": "agent.pem", "key": "agent.key"},
///  "state-directory": "/var/lib/firedrill", "policy": {…}}
/// ```
/// Everything may be absent, except that `controller` and `tls` go together. Relative paths are
/// meant from the file's own folder. Unknown keys are refused with pointer and nearest word.
[[nodiscard]] Result<AgentConfig> parse_config(std::string_view text,
                                               const std::filesystem::path& file);
/// @errors not_found, permission_denied as the file; else as parse_config
[[nodiscard]] Result<AgentConfig> load_config(const std::filesystem::path& file);

/// "wss://host:port", "wss://[::1]:8443".
struct ControllerAddress {
  std::string host;
  std::uint16_t port = 0;
};
[[nodiscard]] Result<ControllerAddress> parse_controller(std::string_view url);

}  // namespace firedrill::agent
