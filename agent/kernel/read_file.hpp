// Reads a small file of /proc or /sys whole.
#pragma once

#include <string>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// At most 4 MiB. @errors not_found, permission_denied, io_failed
[[nodiscard]] Result<std::string> read_file(const std::string& path);

}  // namespace firedrill::agent::kernel
