// The store: runs and their events in one SQLite file. Events are appended once and never change.
// Blocks on the disk: call it from the pool, never from the I/O thread.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/store/chain.hpp"
#include "firedrill/event.hpp"

namespace firedrill {

struct RunRow {
  std::string id;  ///< [A-Za-z0-9._-]{1,64}, unique
  std::string title;
  std::string experiment;  ///< file stem
  UtcTime started{};
  std::string state = "running";  ///< "running" or "finished"
  std::optional<UtcTime> finished{};
  std::string verdict{};  ///< empty until finished
  Json scores = Json::object();
  ChainSeal seal{};  ///< the end of its log when it was finished
};

/// One connection. Calls are serialised by a mutex, so a Store may be shared between threads; any
/// number of processes may hold the same file open.
///
/// Errors of every call: io_failed (the disk; ENOSPC in sys_errno when it is full),
/// permission_denied (not writable), unavailable (another process held the lock for 10 s),
/// corrupt (not a Firedrill store, or damaged).
class Store {
 public:
  /// Opens or creates the file; its folder must exist. WAL with synchronous NORMAL: a crash of the
  /// program loses nothing, a power cut at most the last moments, and neither harms the file.
  /// @errors also unsupported: the file was written by a newer Firedrill
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::filesystem::path& path);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();

  /// @errors also already_exists, invalid_input (id or state)
  [[nodiscard]] Result<void> create_run(const RunRow& run);
  /// Makes a log of what is done beside runs, once: it is chained and read as a run's, by its whole
  /// id, and is in logs() instead of runs(). @errors also invalid_input (id)
  [[nodiscard]] Result<void> ensure_log(const std::string& id, const std::string& title,
                                        UtcTime started);
  /// Gives the event its seq, which is one more than the run's last, whoever wrote that, and its
  /// hash, which covers that one's.
  /// @errors also not_found (no such run), invalid_input (text that is not UTF-8)
  [[nodiscard]] Result<Event> append(Event event);
  /// All of them or none, in order; they may belong to different runs.
  [[nodiscard]] Result<std::vector<Event>> append_many(std::vector<Event> events);
  /// Seals the log as it ends now; what agents tell later goes on with the chain behind the seal.
  /// @errors also not_found, already_exists (it is finished)
  [[nodiscard]] Result<void> finish_run(std::string_view id, UtcTime finished,
                                        std::string_view verdict, const Json& scores);

  /// In order of seq, from `after` + 1, at most `most` of them. @errors also not_found
  [[nodiscard]] Result<std::vector<Event>> events(
      std::string_view run, std::int64_t after = 0,
      std::int64_t most = std::numeric_limits<std::int64_t>::max());
  /// Newest first. @param limit at least 1
  [[nodiscard]] Result<std::vector<RunRow>> runs(std::size_t limit = 100);
  [[nodiscard]] Result<std::vector<RunRow>> logs();
  /// A full id, a prefix only one run has, or "last" for the newest.
  /// @errors also not_found, conflict (several match; they are named)
  [[nodiscard]] Result<RunRow> find_run(std::string_view prefix);
  /// One event per line, as to_json(Event) gives it. @errors also not_found, io_failed (`out`)
  [[nodiscard]] Result<void> export_jsonl(std::string_view run, std::ostream& out);

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace firedrill
