// Small files that must be whole or absent: written beside, synced, then renamed. For the pki only.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "firedrill/result.hpp"

namespace firedrill::pki {

/// Made with mode 0700 when absent, with its parents; an existing one keeps its mode.
[[nodiscard]] Result<void> make_directory(const std::filesystem::path& dir);

/// Replaces `path` atomically with `text` at `mode`; blocks for an fsync.
[[nodiscard]] Result<void> write_file(const std::filesystem::path& path, std::string_view text,
                                      mode_t mode);

/// At most 1 MiB. @errors not_found, permission_denied, io_failed, corrupt (larger)
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path);

/// Whether something of that name is there, whatever it is.
[[nodiscard]] bool is_there(const std::filesystem::path& path);

}  // namespace firedrill::pki
