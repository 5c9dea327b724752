// Reads YAML as JSON, through yaml-cpp's events: what a server answers is not ours, so size, depth
// and number of nodes are bounded while it is read. Pure; safe on any bytes. Private to the
// detectors.
#pragma once

#include <string_view>

#include "firedrill/json.hpp"

namespace firedrill {

/// The first document of `text`; null when there is none. Every scalar is a text, so that nothing
/// is guessed (`no`, `1e3`); an empty one and `~` are null. Aliases are refused: a few lines of
/// them can stand for gigabytes, and no program writes its own configuration with them.
/// @errors invalid_input  with line and column: it is no YAML, more than 1 MiB, nested deeper than
///                        40, of more than 100,000 nodes, or has an alias, a key twice, or a key
///                        that is no text
[[nodiscard]] Result<Json> parse_yaml(std::string_view text);

}  // namespace firedrill
