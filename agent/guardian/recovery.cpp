#include "agent/guardian/recovery.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace firedrill::agent {
namespace {

/// A call that failed for a passing reason has come through by then; a host that differs will not.
constexpr int kAttempts = 6;  // 3.1 s of pauses

}  // namespace

std::vector<Transition> Recovery::undo_all(std::vector<JournalEntry> entries) {
  struct Undoing {
    const JournalEntry& entry;
    const Fault& fault;
    UndoAttempt attempt;
  };
  sort_for_undo(entries);
  std::vector<Undoing> begun;
  for (const JournalEntry& entry : entries) {
    const std::string& id = entry.request.id;
    const Fault* fault = parts_.find_fault(entry.request.fault);
    if (fault != nullptr)
      begun.push_back(
          {entry, *fault, begin_undo(*fault, parts_.host, entry, parts_.boot_id, parts_.clock)});
    else if (told_.insert(id).second)
      note(GuardianNote::failure,
           fmt::format("no fault '{}' in this program, so '{}' stays", entry.request.fault, id));
  }
  std::vector<Transition> outcomes;
  for (Undoing& one : begun) {
    verify_undo(one.attempt, one.fault, parts_.host, one.entry, parts_.clock);
    outcomes.push_back(outcome_of(one.entry, one.attempt));
  }
  return outcomes;
}

Transition Recovery::outcome_of(const JournalEntry& entry, const UndoAttempt& attempt) {
  const std::string& id = entry.request.id;
  const int failures = attempt.clean ? 0 : ++failures_[id];
  Transition outcome =
      undo_transition(entry, attempt, UndoCause::agent_died, parts_.host_name, failures);
  if (!parts_.by.is_null()) outcome.data["by"] = parts_.by;
  outcome.by_guardian = true;
  outcome.deadline = entry.deadline;
  if (attempt.clean)
    note(GuardianNote::information, fmt::format("undone '{}' ({})", id, entry.request.fault));
  else if (!outcome.event.empty() || failures == 1)
    note(GuardianNote::failure,
         fmt::format("cannot undo '{}': {}", id, fmt::join(attempt.differences, "; ")));
  return outcome;
}

void Recovery::write_down(const std::vector<Transition>& outcomes, const StateLock& lock) {
  if (std::ranges::all_of(outcomes, [](const Transition& outcome) {
        return outcome.state != InjectionState::undone && outcome.event.empty();
      }))
    return;
  auto journal = Journal::open(parts_.state_directory, parts_.boot_id, lock);
  if (!journal) return note(GuardianNote::failure, describe(journal.error()));
  for (const Transition& outcome : outcomes)
    if (auto written = journal->record(outcome, Durability::synced); !written)
      note(GuardianNote::failure, describe(written.error()));
}

bool Recovery::undo_journal(const StateLock* lock) {
  auto view = read_journal(parts_.state_directory);
  if (!view) {
    note(GuardianNote::failure, describe(view.error()));
    return false;
  }
  for (const LostRecord& lost : view->lost)
    if (told_.insert(lost.id).second)
      note(GuardianNote::failure, fmt::format("unknown: '{}': {}", lost.id, lost.detail));
  const std::vector<Transition> outcomes = undo_all(std::move(view->open));
  // The kernel comes first, the journal after: its disk may be the one that was at fault.
  if (lock != nullptr) write_down(outcomes, *lock);
  return std::ranges::all_of(
      outcomes, [](const Transition& outcome) { return outcome.state == InjectionState::undone; });
}

Result<JournalView> recover_now(const RecoveryParts& parts) {
  Recovery recovery(parts);
  for (int attempt = 1;; ++attempt) {
    // Held only for the attempt: a new agent that wants the directory gets it between two of ours.
    const auto lock = StateLock::wait(parts.state_directory);
    if (!lock) return std::unexpected(lock.error());
    if (recovery.undo_journal(&*lock) || attempt == kAttempts)
      return read_journal(parts.state_directory);
    std::this_thread::sleep_for(retry_pause(attempt));
  }
}

}  // namespace firedrill::agent
