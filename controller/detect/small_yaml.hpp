// Reads the YAML that Go programs write of their own configuration: block maps and lists, plain
// and quoted scalars, short flow lists. Every scalar is a text; block scalars (`|`, `>`) read as
// an empty one. No anchors, tags or documents. Pure; safe on any bytes. Private to the detectors.
#pragma once

#include <string_view>

#include "firedrill/json.hpp"

namespace firedrill {

/// The value of one key of the top level, or null when it is not there.
/// @errors invalid_input  with the line, for what is none of the above
[[nodiscard]] Result<Json> read_yaml_section(std::string_view text, std::string_view key);

}  // namespace firedrill
