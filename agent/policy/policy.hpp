// What the host's owner allows: takes the policy section of agent.json, says yes or which line of
// it refuses. Pure; knows no fault by name, only the parameter tables it is given.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/policy/hours.hpp"
#include "firedrill/fault_request.hpp"
#include "firedrill/schema.hpp"

namespace firedrill::agent {

/// A fault as the policy's reader knows it, so that a misspelt name in the file is found.
struct FaultTable {
  std::string_view name;
  std::span<const ParamSpec> params;
};

/// Bounds of one parameter in its canonical unit (schema.hpp); both inclusive.
struct ParamLimit {
  std::optional<double> min;
  std::optional<double> max;
  std::string min_text, max_text;  ///< as the owner wrote them, for the refusal
  ParamType type = ParamType::integer;
};

/// What no fault may touch. The host's own life (PID 1, sshd, the agent, the root file system, the
/// connection to the controller) is protected without being named.
struct Protected {
  std::vector<std::string> interfaces;
  std::vector<std::string> devices;    ///< disks: "sdb", "/dev/mapper/vg-db", a mount point
  std::vector<std::string> units;      ///< of systemd: "postgresql.service"
  std::vector<std::string> processes;  ///< by their own or their program's name
  std::vector<std::string> paths;      ///< absolute; all beneath, and the disks that hold it
  std::vector<std::uint16_t> ports;    ///< local TCP ports whose packets always pass
  bool ssh = true;                     ///< nor may a fault give up the SSH server's protection
};

/// One rule as a person reads it.
struct PolicyRule {
  std::string pointer;   ///< where it stands in the file; empty: it is built in
  std::size_t line = 0;  ///< 0 for a rule that is built in
  std::string text;
};

class Policy {
 public:
  /// The built-in policy: every fault, durations up to 1 h, at most 8 injections at once, at any
  /// time, from whatever controller's certificate the authority issued, and from root on the host.
  Policy() = default;

  /// Reads
  /// ```
  /// {"max-duration": "30m", "max-injections": 2,
  ///  "allow": ["netem", "nic-ring"], "deny": ["memory-leak"],
  ///  "limits": {"netem": {"loss": {"max": "20%"}, "delay": {"min": "1ms", "max": "2s"}}},
  ///  "protected-interfaces": ["mgmt0"], "protected-devices": ["/dev/mapper/vg-db"],
  ///  "protected-units": ["postgresql.service"], "protected-processes": ["postgres"],
  ///  "protected-paths": ["/srv/db"], "protected-ports": [5432], "protect-ssh": true,
  ///  "hours": [{"days": "mon-fri", "from": "09:00", "to": "17:00"}],
  ///  "required-tags": ["approved"],
  ///  "commanders": {"controllers": ["firedrill-controller"], "local": true}}
  /// ```
  /// strictly. `allow` absent means all; `deny` wins over `allow`. `hours` are local time, and a
  /// fault must end within them. `required-tags` are tags of the experiment, all of them.
  /// `commanders` may inject: controllers by the name in their certificate, and root on this host
  /// through the agent's socket; absent: whoever could reach the agent. Everybody may stop.
  /// @param source   the file's text, to name lines in refusals; may be empty
  /// @param pointer  where `section` stands in that file, e.g. "/policy"
  [[nodiscard]] static Result<Policy> parse(const Json& section, std::string_view pointer,
                                            std::string_view file, std::string_view source,
                                            std::span<const FaultTable> faults);

  /// May this be injected at `at`, beside `open` injections that are not undone yet? Names are
  /// compared as they are written; what they lead to, the host knows (kernel::LinuxHostOptions).
  /// @errors refused  `what` names the rule, with file and line
  [[nodiscard]] Result<void> check(const FaultRequest& request, const Params& params,
                                   std::size_t open, UtcTime at) const;
  /// Only the hours: an injection is prepared at one time and begins at another.
  [[nodiscard]] Result<void> check_hours(UtcTime at, Duration duration) const;
  /// May whoever has this certificate, or root on the host when it is empty, inject?
  /// @errors refused
  [[nodiscard]] Result<void> check_commander(std::string_view controller) const;

  [[nodiscard]] Duration max_duration() const { return max_duration_; }
  [[nodiscard]] const Protected& protects() const { return protected_; }
  /// The policy as a person reads it: what its file says, then what goes without saying.
  [[nodiscard]] std::vector<PolicyRule> rules() const;

  /// How instants become local time; the system's zone unless a test says otherwise.
  void set_local_minute(LocalMinute local) { local_ = std::move(local); }

 private:
  struct Where {
    std::string file, source, base;
  };
  struct Commanders {
    std::optional<std::vector<std::string>> controllers;  ///< none: any
    bool local = true;
  };
  [[nodiscard]] Result<void> check_limits(const FaultRequest& request, const Params& params) const;
  [[nodiscard]] Result<void> check_protected(const Params& params) const;
  [[nodiscard]] Result<void> check_places(const Params& params) const;
  [[nodiscard]] Result<void> check_tags(const FaultRequest& request) const;
  [[nodiscard]] std::unexpected<Error> refuse(std::string_view pointer, std::string why) const;
  void read_bounds(ObjectReader& reader);
  void read_faults(ObjectReader& reader, std::span<const FaultTable> faults);
  void read_limits(ObjectReader& reader, std::span<const FaultTable> faults);
  void read_protected(ObjectReader& reader);
  void read_commanders(ObjectReader& reader);

  Where where_;
  Duration max_duration_ = std::chrono::hours{1};
  std::size_t max_injections_ = 8;
  std::optional<std::vector<std::string>> allow_;
  std::vector<std::string> deny_;
  std::map<std::string, std::map<std::string, ParamLimit>> limits_;
  Protected protected_;
  Hours hours_;
  std::vector<std::string> required_tags_;
  Commanders commanders_;
  LocalMinute local_ = &local_minute_of_week;
};

/// The line (1, 2, …) on which the value at `pointer` begins in the valid JSON `text`; 0 when it is
/// not there.
[[nodiscard]] std::size_t line_of(std::string_view text, std::string_view pointer);

}  // namespace firedrill::agent
