#include "agent/guardian/guardian.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <thread>

#include <fmt/format.h>
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
  Guardian(const GuardianOptions& options, const RecoveryParts& parts)
      : options_(options), parts_(parts), recovery_(parts) {}

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
    auto view = read_journal(parts_.state_directory);
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
    return why_overdue(parts_.clock.boottime());
  }

  [[nodiscard]] std::string why_overdue(Duration boot) {
    const Duration since{options_.pulse->operation_since_us.load()};
    if (since != Duration{}) {
      last_busy_ = boot;
      if (boot - since <= options_.longest_operation) return {};
      return fmt::format("one fault operation runs for {}", to_string(boot - since));
    }
    // What came due behind a fault operation is dealt with right after it.
    const auto over = [&](Duration due) { return boot - std::max(due, last_busy_); };
    const Duration lease{options_.pulse->lease_until_us.load()};
    if (lease != Duration{} && over(lease) > options_.lease_over)
      return fmt::format("a lease ended {} ago", to_string(boot - lease));
    for (const JournalEntry& entry : open_) {
      const bool on =
          entry.state == InjectionState::active || entry.state == InjectionState::applying;
      if (on && over(entry.deadline) > options_.overdue)
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
    const std::vector<Transition> outcomes = recovery_.undo_all(std::exchange(open_, {}));
    if (lock != nullptr && !outcomes.empty()) recovery_.write_down(outcomes, *lock);
  }

  /// True when there is nothing left to do here.
  bool undo_once() {
    // Held only for the attempt: a new agent that wants the directory gets it between two of ours.
    const auto lock = StateLock::inherit(parts_.state_directory, options_.agent);
    if (!lock && lock.error().code == ErrorCode::conflict) {
      note(GuardianNote::information, fmt::format("{}: leaving the rest to it", lock.error().what));
      return true;
    }
    if (!lock) note(GuardianNote::failure, describe(lock.error()));
    undo_what_is_known(lock ? &*lock : nullptr);
    return recovery_.undo_journal(lock ? &*lock : nullptr);
  }

  static Duration monotonic() {
    return std::chrono::duration_cast<Duration>(
        std::chrono::steady_clock::now().time_since_epoch());
  }

  const GuardianOptions& options_;
  const RecoveryParts& parts_;
  Recovery recovery_;
  std::vector<JournalEntry> open_;
  std::optional<std::uint64_t> seen_version_;
  std::uint64_t last_beat_ = 0;
  Duration last_beat_at_ = monotonic();
  Duration last_busy_{};  ///< CLOCK_BOOTTIME at which a fault operation was last seen to run
};

}  // namespace

void guard(const GuardianOptions& options, const RecoveryParts& parts) {
  Guardian(options, parts).run();
}

}  // namespace firedrill::agent
