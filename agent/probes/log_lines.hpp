// Lines of logs: where they come from, the instant they carry, and which of them are waited for.
// Private to the probe "log".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "firedrill/result.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent {

/// An instant cut to whole `unit`s, on the clock of whoever wrote the line.
struct LogStamp {
  UtcTime at{};
  Duration unit{1};
};

struct LogLine {
  std::string_view text;  ///< without its end; of a long line the first 4 KiB
  std::optional<LogStamp> stamp;
};

/// What was written since it was opened, or since the last read().
class LogSource {
 public:
  using OnLine = std::function<void(const LogLine&)>;
  virtual ~LogSource() = default;
  /// Gives each new line, up to 1 MiB of them, and then how many bytes are left unread.
  [[nodiscard]] virtual Result<std::uint64_t> read(const OnLine& on_line) = 0;
};

/// Follows a file by its name: over its rotation, and when it is cut off.
/// @errors not_found, permission_denied; refused: it is no regular file, or no log: only files
///         below /var/log or with ".log" in their name are read, whatever a controller asks for
[[nodiscard]] Result<std::unique_ptr<LogSource>> open_log_file(const std::string& path);
/// A unit's lines in systemd's journal. @errors unsupported: no libsystemd, or no journal
[[nodiscard]] Result<std::unique_ptr<LogSource>> open_journal(const std::string& unit);
/// Why there is no journal to read on this host, or empty.
[[nodiscard]] std::string journal_trouble();

/// The instant in the first 40 characters of a line: RFC 3339 and its relatives ("2026-03-01
/// 12:00:00,123", "2026/03/01 12:00:00"), or syslog's "Mar  1 12:00:00", of which `now` tells the
/// year. Without a zone it is this host's local time.
[[nodiscard]] std::optional<LogStamp> stamp_of(std::string_view line, UtcTime now);

/// Does a line hold a text, or match a POSIX extended expression?
class LineMatcher {
 public:
  /// @errors invalid_input  the expression is wrong, longer than 256 bytes, or has what can take
  ///         unbounded time or memory: back-references and counted repetitions
  [[nodiscard]] static Result<LineMatcher> of_regex(const std::string& expression);
  [[nodiscard]] static LineMatcher of_text(std::string text);
  [[nodiscard]] bool matches(std::string_view line) const;

 private:
  struct Compiled;
  LineMatcher() = default;
  std::string text_;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace firedrill::agent
