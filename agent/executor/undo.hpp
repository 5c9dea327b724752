// One attempt at undoing one injection from its record alone: what the executor and the guardian
// share. Takes a journal entry, gives what was found; writes no journal and retries nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/executor/clock.hpp"
#include "agent/fault.hpp"
#include "agent/journal/entry.hpp"

namespace firedrill::agent {

inline constexpr std::string_view kSuperseded = "superseded";

struct UndoAttempt {
  bool clean = false;        ///< undone, and read back to be so
  bool call_failed = false;  ///< undo or verify could not be carried out; may pass by itself
  bool rebooted = false;     ///< its boot is over: what the kernel held went with it
  bool called = false;       ///< undo was called and did not fail, so it can be verified
  UtcTime started{}, done{};
  std::string outcome;                   ///< "restored", "already-gone" or "superseded"
  std::vector<std::string> differences;  ///< from the snapshot, or why undo failed
  std::vector<std::string> superseded;   ///< what responders set meanwhile, left alone
};

/// Undoes and verifies. An entry that was never applied is not touched. An entry of another boot is
/// verified first: the kernel state went with that boot, and often nothing is left to do.
/// Exceptions out of the fault become a failed attempt. Blocks as long as the fault does.
[[nodiscard]] UndoAttempt attempt_undo(const Fault& fault, Host& host, const JournalEntry& entry,
                                       std::string_view boot_id, const Clock& clock);

/// The two halves of attempt_undo(), for who has several to undo: no host waits for the reading
/// back of one fault to be rid of the next.
[[nodiscard]] UndoAttempt begin_undo(const Fault& fault, Host& host, const JournalEntry& entry,
                                     std::string_view boot_id, const Clock& clock);
void verify_undo(UndoAttempt& attempt, const Fault& fault, Host& host, const JournalEntry& entry,
                 const Clock& clock);

/// Entries in the order in which they must be undone: the last applied first.
void sort_for_undo(std::vector<JournalEntry>& entries);

/// What an attempt makes of its entry. A host that differs is dirty at once; a call that failed is
/// `undoing` for its first three failures, because it may pass. Only a few carry an event.
/// @param failures  failed attempts so far, this one included
[[nodiscard]] Transition undo_transition(const JournalEntry& entry, const UndoAttempt& attempt,
                                         UndoCause cause, std::string_view host_name, int failures);

/// Data every injection event begins with: injection, host, fault.
[[nodiscard]] Json event_data(const FaultRequest& request, std::string_view host_name);

/// Calls into a fault and turns what it throws into an error.
template <class Call>
auto guarded(std::string_view what, Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, std::string(what) + " threw: " + error.what());
  }
}

}  // namespace firedrill::agent
