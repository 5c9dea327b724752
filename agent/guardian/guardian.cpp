#include "agent/guardian/guardian.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "agent/guardian/pidfd.hpp"

namespace firedrill::agent {
namespace {

constexpr Duration kIdlePause = std::chrono::seconds{1};
constexpr Duration kWatchPause = std::chrono::milliseconds{250};
constexpr Duration kDeathPatience = std::chrono::seconds{5};

class Guardian {
 public:
  Guardian(const GuardianOptions& options, const GuardianParts& parts)
      : options_(options), parts_(parts) {}

  void run() {
    refresh();  // a guardian that replaces another may find injections open
    while (!agent_is_dead(open_.empty() ? kIdlePause : kWatchPause)) {
      refresh();
      const std::string reason = why_hung();
      if (reason.empty()) continue;
      note(GuardianNote::failure,
           fmt::format("agent {} is hung: {}; killing it", options_.agent, reason));
      ::pidfd_send_signal(options_.agent_pidfd, SIGKILL, nullptr, 0);
      // One that sits in an uninterruptible call cannot run our faults any more either.
      if (!agent_is_dead(kDeathPatience))
        note(GuardianNote::warning, "the agent does not die; undoing beside it");
      break;
    }
    undo_everything();
  }

 private:
  void note(GuardianNote kind, std::string text) const { parts_.on_note(kind, std::move(text)); }

  [[nodiscard]] bool agent_is_dead(Duration patience) const {
    pollfd fd{options_.agent_pidfd, POLLIN, 0};
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
    return ::poll(&fd, 1, static_cast<int>(wait.count())) > 0;
  }

  /// Follows the journal while the agent writes it.
  void refresh() {
    const std::uint64_t version = options_.pulse->journal_version.load();
    if (version == seen_version_) return;
    auto view = read_journal(options_.state_directory);
    if (!view) return note(GuardianNote::warning, describe(view.error()));
    seen_version_ = version;
    open_ = std::move(view->open);
    last_beat_at_ = monotonic();  // beats are owed only from now on
  }

  [[nodiscard]] std::string why_hung() {
    const Duration now = monotonic();
    const std::uint64_t beat = options_.pulse->beat.load();
    if (std::exchange(last_beat_, beat) != beat) last_beat_at_ = now;
    if (open_.empty()) return {};
    if (now - last_beat_at_ > options_.silence)
      return fmt::format("no sign of life for {}", to_string(now - last_beat_at_));
    const Duration boot = parts_.clock.boottime();
    const Duration since{options_.pulse->operation_since_us.load()};
    const bool busy = since != Duration{};
    if (busy && boot - since > options_.longest_operation)
      return fmt::format("one fault operation runs for {}", to_string(boot - since));
    if (busy) return {};
    for (const JournalEntry& entry : open_) {
      const bool on =
          entry.state == InjectionState::active || entry.state == InjectionState::applying;
      if (on && boot > entry.deadline + options_.overdue)
        return fmt::format("injection '{}' is {} past its deadline", entry.request.id,
                           to_string(boot - entry.deadline));
    }
    return {};
  }

  void undo_everything() {
    for (int failures = 1;; ++failures) {
      if (undo_once()) return;
      std::this_thread::sleep_for(retry_pause(failures));
    }
  }

  /// The injections as last read, before the journal is read once more: reading and parsing it
  /// takes longer than waking up. What was written since then is found by the reading that follows.
  void undo_what_is_known(const StateLock* lock) {
    if (options_.pulse->journal_version.load() != seen_version_) open_.clear();
    const std::vector<Transition> outcomes = undo_all(std::exchange(open_, {}));
    if (lock != nullptr && !outcomes.empty()) write_down(outcomes, *lock);
  }

  /// True when there is nothing left to do here.
  bool undo_once() {
    // Held only for the attempt: a new agent that wants the directory gets it between two of ours.
    const auto lock = StateLock::inherit(options_.state_directory, options_.agent);
    if (!lock && lock.error().code == ErrorCode::conflict) {
      note(GuardianNote::information, fmt::format("{}: leaving the rest to it", lock.error().what));
      return true;
    }
    if (!lock) note(GuardianNote::failure, describe(lock.error()));
    undo_what_is_known(lock ? &*lock : nullptr);
    auto view = read_journal(options_.state_directory);
    if (!view) {
      note(GuardianNote::failure, describe(view.error()));
      return false;
    }
    for (const LostRecord& lost : view->lost)
      if (told_lost_.emplace(lost.id, 0).second)
        note(GuardianNote::failure, fmt::format("unknown: '{}': {}", lost.id, lost.detail));
    const std::vector<Transition> outcomes = undo_all(std::move(view->open));
    // The kernel comes first, the journal after: its disk may be the one that was at fault.
    if (lock) write_down(outcomes, *lock);
    return std::ranges::all_of(outcomes, [](const Transition& outcome) {
      return outcome.state == InjectionState::undone;
    });
  }

  std::vector<Transition> undo_all(std::vector<JournalEntry> entries) {
    std::vector<Transition> outcomes;
    sort_for_undo(entries);
    for (const JournalEntry& entry : entries) {
      const std::string& id = entry.request.id;
      const Fault* fault = parts_.find_fault(entry.request.fault);
      if (fault == nullptr) {
        if (told_lost_.emplace(id, 0).second)
          note(GuardianNote::failure, fmt::format("no fault '{}' in this program, so '{}' stays",
                                                  entry.request.fault, id));
        continue;
      }
      UndoAttempt attempt = attempt_undo(*fault, parts_.host, entry, parts_.boot_id, parts_.clock);
      const int failures = attempt.clean ? 0 : ++failures_[id];
      Transition outcome =
          undo_transition(entry, attempt, UndoCause::agent_died, options_.host_name, failures);
      outcome.by_guardian = true;
      outcome.deadline = entry.deadline;
      if (attempt.clean)
        note(GuardianNote::information, fmt::format("undone '{}' ({})", id, entry.request.fault));
      else if (!outcome.event.empty() || failures == 1)
        note(GuardianNote::failure,
             fmt::format("cannot undo '{}': {}", id, fmt::join(attempt.differences, "; ")));
      outcomes.push_back(std::move(outcome));
    }
    return outcomes;
  }

  void write_down(const std::vector<Transition>& outcomes, const StateLock& lock) {
    if (std::ranges::all_of(outcomes, [](const Transition& outcome) {
          return outcome.state != InjectionState::undone && outcome.event.empty();
        }))
      return;
    auto journal = Journal::open(options_.state_directory, parts_.boot_id, lock);
    if (!journal) return note(GuardianNote::failure, describe(journal.error()));
    for (const Transition& outcome : outcomes)
      if (auto written = journal->record(outcome, Durability::synced); !written)
        note(GuardianNote::failure, describe(written.error()));
  }

  static Duration monotonic() {
    return std::chrono::duration_cast<Duration>(
        std::chrono::steady_clock::now().time_since_epoch());
  }

  const GuardianOptions& options_;
  const GuardianParts& parts_;
  std::vector<JournalEntry> open_;
  std::optional<std::uint64_t> seen_version_;
  std::uint64_t last_beat_ = 0;
  Duration last_beat_at_ = monotonic();
  std::map<std::string, int> failures_;
  std::map<std::string, int> told_lost_;
};

}  // namespace

void guard(const GuardianOptions& options, const GuardianParts& parts) {
  Guardian(options, parts).run();
}

}  // namespace firedrill::agent
