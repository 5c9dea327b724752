// What the host's owner allows: takes the policy section of agent.json, says yes or which line of
// it refuses. Pure; knows no fault by name, only the parameter tables it is given.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

class Policy {
 public:
  /// The built-in policy: every fault, durations up to 1 h, at most 8 injections at once.
  Policy() = default;

  /// Reads
  /// ```
  /// {"max-duration": "30m", "max-injections": 2, "protected-interfaces": ["mgmt0"],
  ///  "allow": ["netem", "nic-ring"], "deny": ["memory-leak"],
  ///  "limits": {"netem": {"loss": {"max": "20%"}, "delay": {"min": "1ms", "max": "2s"}}}}
  /// ```
  /// strictly. `allow` absent means all; `deny` wins over `allow`.
  /// @param source   the file's text, to name lines in refusals; may be empty
  /// @param pointer  where `section` stands in that file, e.g. "/policy"
  [[nodiscard]] static Result<Policy> parse(const Json& section, std::string_view pointer,
                                            std::string_view file, std::string_view source,
                                            std::span<const FaultTable> faults);

  /// May this be injected, beside `open` injections that are not undone yet?
  /// @errors refused  `what` names the rule, with file and line
  [[nodiscard]] Result<void> check(const FaultRequest& request, const Params& params,
                                   std::size_t open) const;

  [[nodiscard]] Duration max_duration() const { return max_duration_; }
  [[nodiscard]] const std::vector<std::string>& protected_interfaces() const {
    return protected_interfaces_;
  }
  /// The policy as a person reads it, one rule per line.
  [[nodiscard]] std::string describe() const;

 private:
  struct Where {
    std::string file, source, base;
  };
  Result<void> check_limits(const FaultRequest& request, const Params& params) const;
  Result<void> check_interfaces(const Params& params) const;
  [[nodiscard]] std::unexpected<Error> refuse(std::string_view pointer, std::string why) const;
  void read_faults(ObjectReader& reader, std::span<const FaultTable> faults);
  void read_limits(ObjectReader& reader, std::span<const FaultTable> faults);

  Where where_;
  Duration max_duration_ = std::chrono::hours{1};
  std::size_t max_injections_ = 8;
  std::vector<std::string> protected_interfaces_;
  std::optional<std::vector<std::string>> allow_;
  std::vector<std::string> deny_;
  std::map<std::string, std::map<std::string, ParamLimit>> limits_;
};

/// The line (1, 2, …) on which the value at `pointer` begins in the valid JSON `text`; 0 when it is
/// not there.
[[nodiscard]] std::size_t line_of(std::string_view text, std::string_view pointer);

}  // namespace firedrill::agent
