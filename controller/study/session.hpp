// A session: several runs of one experiment that belong together, as trials or as a sweep. Each of
// its runs carries the session's tag in run.created, so that the logs alone say what was planned,
// what was done and what is left to do. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/score/score.hpp"
#include "firedrill/event.hpp"

namespace firedrill {

struct TrialsPlan {
  std::size_t count = 0;    ///< runs, sham ones included; 1 to 10000
  double sham_ratio = 0.3;  ///< 0 to 1
};

struct SweepPlan {
  std::string vary;                 ///< as given: "netem.loss=0.1%..30%"
  std::size_t steps = 8;            ///< of the log grid, both ends included; 2 to 1000
  std::optional<double> precision;  ///< bisection instead: ends of a threshold within this ratio
};

struct Session {
  std::string id;
  std::string file;  ///< the experiment's file, absolute
  Variables set;     ///< --set
  std::uint64_t seed = 1;
  bool responder = true;
  std::optional<TrialsPlan> trials;  ///< one of the two is there
  std::optional<SweepPlan> sweep;
};

/// What a run of a session knows of it.
struct SessionTag {
  Session session;
  std::size_t index = 0;  ///< trials: place in the order, from 0
  double value = 0;       ///< sweep: the intensity
};

[[nodiscard]] Json to_json(const SessionTag& tag);
/// @errors invalid_input with pointer
[[nodiscard]] Result<SessionTag> parse_session_tag(const Json& json);

/// What run.created says the run belongs to; none when it stands alone.
/// @errors corrupt: it does not parse
[[nodiscard]] Result<std::optional<SessionTag>> session_tag_of(const Event& created);

/// A run with what was measured in it. The tag is there when it belongs to a session.
struct StudiedRun {
  std::string run, experiment, title;
  Json source;        ///< the experiment, as run.created holds it
  std::string group;  ///< of --tag, or empty
  std::optional<SessionTag> tag;
  Measures measures;
  Scorecard card;
};

/// The run as its log tells it. @errors corrupt
[[nodiscard]] Result<StudiedRun> study(std::span<const Event> events);

/// Did it come to its end by itself? One that was stopped, failed or lost its controller is done
/// again when a session continues; one that only proved inconclusive is not.
[[nodiscard]] bool settled(const StudiedRun& run);

/// Why the run says nothing about detection; empty when it does. An objective left open is no
/// reason: it is about people, later.
[[nodiscard]] std::string why_unusable(const StudiedRun& run);

}  // namespace firedrill
