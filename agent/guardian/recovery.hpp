// Undoes what a journal has open when there is no agent to do it: what the guardian does after its
// agent's death, and `firedrill-agent recover` at any time. Takes the journal alone; outcomes go
// back into it, for the next agent to report.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/executor/engine.hpp"

namespace firedrill::agent {

enum class GuardianNote : std::uint8_t { information, warning, failure };

/// What undoing needs from outside; for a guardian everything is opened beforehand, because after
/// the agent's death each file that must first be opened costs time or may not open at all.
struct RecoveryParts {
  std::filesystem::path state_directory;
  std::string host_name;  ///< as events name this host
  Host& host;
  FindFault find_fault;
  const Clock& clock;
  std::string boot_id;
  std::function<void(GuardianNote, std::string)> on_note;
  Json by = nullptr;  ///< who asked for it, for the journal; null: it came by itself
};

class Recovery {
 public:
  explicit Recovery(const RecoveryParts& parts) : parts_(parts) {}

  /// One attempt at each, the last applied first; one that fails keeps no other from its turn.
  /// All are undone before the first is read back.
  std::vector<Transition> undo_all(std::vector<JournalEntry> entries);
  /// Into the journal, as outcomes that no agent has reported yet.
  void write_down(const std::vector<Transition>& outcomes, const StateLock& lock);
  /// Reads the journal and tries everything that is open in it.
  /// @param lock  null: what comes of it is not written down
  /// @returns true when all of it is undone
  bool undo_journal(const StateLock* lock);

 private:
  [[nodiscard]] Transition outcome_of(const JournalEntry& entry, const UndoAttempt& attempt);
  void note(GuardianNote kind, std::string text) const { parts_.on_note(kind, std::move(text)); }

  const RecoveryParts& parts_;
  std::map<std::string, int> failures_;
  std::set<std::string> told_;  ///< of those that nothing can be done about
};

/// Tries for some seconds, with growing pauses, to undo everything that is open. What is left then
/// is in the result, and is still open in the journal.
/// @errors conflict  an agent runs on this directory: it is responsible; else as Journal
[[nodiscard]] Result<JournalView> recover_now(const RecoveryParts& parts);

}  // namespace firedrill::agent
