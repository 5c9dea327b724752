// The write-ahead undo journal: one preallocated file, appended and fdatasynced before the kernel
// is touched. Takes entries and transitions, gives what is open. Format: format.hpp.
#pragma once

#include <filesystem>
#include <string>

#include "agent/journal/entry.hpp"
#include "agent/journal/state_lock.hpp"

namespace firedrill::agent {

/// Enough for some 500 injections between compactions.
inline constexpr std::size_t kJournalBytes = 1 << 20;
/// Kept free for the transitions of injections that are open: a full journal refuses to prepare,
/// it never refuses to write that something was undone.
inline constexpr std::size_t kJournalReserveBytes = kJournalBytes / 4;

enum class Durability : std::uint8_t {
  synced,   ///< on the disk before the call returns
  written,  ///< with the kernel: survives our death, not the machine's
};

/// What is in the journal of `directory`, without changing anything: for `list` beside a running
/// agent and for the guardian. A missing file is an empty journal.
/// @errors io_failed, permission_denied; what cannot be read is not an error but in view.lost
[[nodiscard]] Result<JournalView> read_journal(const std::filesystem::path& directory,
                                               const JournalVersions& versions = kJournalVersions);

/// Removes what a process that died left of a journal it was making; the journal itself stays.
void remove_unfinished_journal(const std::filesystem::path& directory, const StateLock& lock);

/// The journal, open for writing. Not thread-safe; one process at a time, as StateLock proves.
class Journal {
 public:
  /// Opens or creates the file. A file with a bad header or length is replaced by a whole one that
  /// says the same, its losses included, and kept as `journal.damaged`; one of an older version
  /// likewise, and kept as `journal.vN`.
  /// @param boot_id  of the running boot (read_boot_id)
  /// @errors unsupported  written by a newer version; io_failed (ENOSPC among them) and others
  /// Blocks for a few writes and fsyncs.
  [[nodiscard]] static Result<Journal> open(const std::filesystem::path& directory,
                                            const std::string& boot_id, const StateLock& lock,
                                            const JournalVersions& versions = kJournalVersions);

  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&&) = delete;
  ~Journal();

  /// Writes a new entry durably. Nothing of it may be applied before this succeeded.
  /// @errors unavailable  the journal is full or could not be synced before
  ///         invalid_input  the entry is longer than 128 KiB
  [[nodiscard]] Result<void> prepare(const JournalEntry& entry);
  /// Writes a change of state. Uses the reserve: fails only when the device does.
  [[nodiscard]] Result<void> record(const Transition& transition, Durability durability);
  /// Drops a lost record, or an entry that nothing can undo, after a person looked at the host.
  /// @param by  who that person is, kept beside; null: not known
  [[nodiscard]] Result<void> forget(std::string_view id, const Json& by = nullptr, UtcTime at = {});
  /// The guardian's outcomes in view().unreported have become events.
  [[nodiscard]] Result<void> mark_reported();
  /// When mostly full and nothing is open: moves what must be kept into a new file, by rename.
  /// Failing (a full disk) leaves the old file in use.
  [[nodiscard]] Result<void> compact_if_worthwhile();

  [[nodiscard]] JournalView view() const { return fold_.view(); }
  [[nodiscard]] std::size_t free_bytes() const;

 private:
  Journal(std::filesystem::path directory, std::string boot_id, const JournalVersions& versions);
  Result<void> load();
  Result<void> replace(const std::string& kept_name);
  Result<void> rebuild();
  Result<void> append(const Json& payload, Durability durability, std::size_t keep_free);

  std::filesystem::path directory_;
  std::string boot_id_;
  JournalVersions versions_;
  JournalFold fold_;
  int fd_ = -1;
  std::size_t end_ = 0;
  std::uint64_t next_sequence_ = 1;
  bool sync_failed_ = false;  ///< after a failed fsync the kernel may have dropped our pages
  bool outdated_ = false;     ///< the file is of an older version still: nothing is added to it
};

}  // namespace firedrill::agent
