// Runs, sessions and tags by the names that people give, from the store.
#pragma once

#include <string>
#include <vector>

#include "controller/store/store.hpp"
#include "controller/study/compare.hpp"

namespace firedrill {

enum class SessionKind : std::uint8_t { trials, sweep };

/// "trials-20260301-120000-7f3a".
[[nodiscard]] std::string new_session_id(SessionKind kind);

/// All runs of a session, oldest first. `name`: its id, the beginning of one, or "last".
/// @errors not_found, conflict (several sessions begin so), corrupt
[[nodiscard]] Result<std::vector<StudiedRun>> session_runs(Store& store, SessionKind kind,
                                                           const std::string& name);

/// The runs that a name means: a session's, a tag's, or one run by id, its beginning or "last".
[[nodiscard]] Result<RunGroup> named_runs(Store& store, const std::string& name);

}  // namespace firedrill
