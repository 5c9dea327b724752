// Reads Alertmanager's routing tree from the answer of its GET /api/v2/status, where it gives its
// own configuration as text. Pure; safe on any bytes.
#pragma once

#include <string_view>

#include "controller/detect/detection.hpp"

namespace firedrill {

/// {"receiver", "group_by": [], "group_wait": "30s", "group_interval", "repeat_interval",
///  "matchers": [{"name", "op": "=" "!=" "=~" "!~", "value"}], "continue": false, "routes": []}.
/// Times stand only where the configuration has them: what is missing is inherited, in the end
/// from Alertmanager's defaults. `match` and `match_re` of older configurations become matchers.
/// @errors invalid_input  it is no such answer, or its configuration cannot be read
[[nodiscard]] Result<Json> parse_alertmanager_route(std::string_view body);

}  // namespace firedrill
