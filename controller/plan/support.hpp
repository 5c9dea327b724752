// Can this host do it, and are the parameters right? Asked of what the agent said of itself. Pure.
#pragma once

#include <string>

#include "controller/plan/plan.hpp"

namespace firedrill {

/// Where a fault or probe stands in the experiment, as JSON pointers.
struct Place {
  std::string name;       ///< of its name
  std::string arguments;  ///< of its arguments
  std::string measure;    ///< of the measure, for a probe
};

/// @errors unsupported the host's agent cannot; invalid_input unknown name or wrong parameters
[[nodiscard]] Result<void> check_fault(const AgentView& agent, const std::string& fault,
                                       const Json& arguments, const Place& place);
/// May that parameter move from there, as this host's own table of the fault has it?
/// @param pointer  of the ramp
[[nodiscard]] Result<void> check_ramp(const AgentView& agent, const std::string& fault,
                                      const Json& arguments, const Ramp& ramp,
                                      const std::string& pointer);
/// As check_fault; `measure` must be among the values that the agent names. A list that is empty or
/// holds "*" is open: the driver adds its own.
[[nodiscard]] Result<void> check_probe(const AgentView& agent, const std::string& probe,
                                       const Json& arguments, const std::string& measure,
                                       const Place& place);

}  // namespace firedrill
