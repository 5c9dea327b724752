// What is injected to be crashed: each fault's own example, come and gone by turns where it can,
// and what cases.json adds. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/fault.hpp"

namespace firedrill::crash {

struct Case {
  std::string name;  ///< "netem", or "netem: on and off"
  std::string fault;
  Json arguments = Json::object();  ///< as in an experiment
  std::string pattern;              ///< as on the command line, or empty
  std::string ramp;
  std::string duration;

  /// For `firedrill-agent inject`.
  [[nodiscard]] std::vector<std::string> words() const;
  /// For the agent's socket. @errors invalid_input
  [[nodiscard]] Result<FaultRequest> request(const std::string& id) const;
};

/// For every fault its example(), and the same with a pattern unless it has one by its nature; then
/// the members of `more`: {"fault", "name", and "arguments", merged into the example (RFC 7396),
/// "pattern", "ramp", "duration"}.
/// @errors invalid_input  `more` is not such a list, or names a fault that is not there
[[nodiscard]] Result<std::vector<Case>> cases_of(
    const std::vector<std::unique_ptr<agent::Fault>>& faults, const Json& more);

}  // namespace firedrill::crash
