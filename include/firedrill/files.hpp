// Small files that must be whole or absent: written beside, synced, then renamed. And a certificate
// with its key, which are two files and must change as one.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "firedrill/result.hpp"

namespace firedrill {

/// Made with mode 0700 when absent, with its parents; an existing one keeps its mode.
[[nodiscard]] Result<void> make_directory(const std::filesystem::path& dir);

/// Replaces `path` atomically with `text` at `mode`; blocks for an fsync.
[[nodiscard]] Result<void> write_file(const std::filesystem::path& path, std::string_view text,
                                      mode_t mode);

/// At most 1 MiB. @errors not_found, permission_denied, io_failed, corrupt (larger)
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path);

/// Whether something of that name is there, whatever it is.
[[nodiscard]] bool is_there(const std::filesystem::path& path);

/// Makes a rename or an unlink inside `dir` durable; blocks for an fsync.
[[nodiscard]] Result<void> sync_directory(const std::filesystem::path& dir);

/// Replaces a certificate (mode 0644) and its key (0600). A crash at any point leaves the old pair,
/// the new one, or a new certificate whose key still has the name KEY.next; settle_pair() then
/// ends what was begun.
[[nodiscard]] Result<void> replace_pair(const std::filesystem::path& certificate,
                                        std::string_view certificate_text,
                                        const std::filesystem::path& key,
                                        std::string_view key_text);

/// Whether a certificate and a key, both as PEM text, belong together.
using BelongTogether = std::function<bool(std::string_view certificate, std::string_view key)>;

/// Ends a replace_pair() that was cut short. Does nothing, and reads one name, when none was.
[[nodiscard]] Result<void> settle_pair(const std::filesystem::path& certificate,
                                       const std::filesystem::path& key,
                                       const BelongTogether& belong_together);

}  // namespace firedrill
