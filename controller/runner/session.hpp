// Runs of a session one after another, each from a quiet start. What comes next and what it means
// is asked of the caller; this only carries it out.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/runner/runner.hpp"
#include "controller/study/session.hpp"

namespace firedrill {

/// The next run of a session.
struct SessionStep {
  Experiment experiment;
  SessionTag tag;
  bool sham = false;
  std::string label;  ///< for people: "trial 3 of 20"; must not tell real from sham
};

struct SessionSettings {
  bool blind = false;
  std::string tag{}, started_by{};
  Duration pause{};                   ///< at least so long between two runs
  Duration quiet_limit{600'000'000};  ///< the longest wait for quiet before a run
};

struct SessionHooks {
  /// Given all runs of the session; none when it is done.
  std::function<Result<std::optional<SessionStep>>(std::span<const StudiedRun>)> next;
  std::function<void(std::string_view)> tell;
};

struct SessionOutcome {
  std::vector<StudiedRun> runs;  ///< those it began with included
  bool done = false;
  bool halted = false;
  std::string why{};  ///< of not being done, in words
};

/// Blocks. Ends early when halted, when a run is stopped or fails (a host may need a person), when
/// quiet does not come, and after three inconclusive runs in a row (nothing would be learnt).
/// @errors of planning and of the store
[[nodiscard]] Result<SessionOutcome> run_session(Runner& runner, std::vector<StudiedRun> runs,
                                                 const SessionSettings& settings,
                                                 const SessionHooks& hooks);

}  // namespace firedrill
