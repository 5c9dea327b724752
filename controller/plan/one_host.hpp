// What an experiment means when there is only this machine. Pure.
#pragma once

#include <map>
#include <string>

#include "controller/experiment/experiment.hpp"

namespace firedrill {

/// The tags by which every target means one and the same host.
/// @errors invalid_input  two targets want different values of one tag: the second one's pointer
[[nodiscard]] Result<std::map<std::string, std::string>> tags_of_targets(
    const Experiment& experiment);

/// That no target names another host than `name`: no tag would make it mean this one.
/// @errors invalid_input  it does
[[nodiscard]] Result<void> check_only_host(const Experiment& experiment, const std::string& name);

}  // namespace firedrill
