// When users were whole again, for how long that held, and who brought it about.
#include <algorithm>
#include <tuple>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

using State = Mood::State;

/// Good samples on end since some instant, for one probe.
struct Streak {
  std::optional<Instant> since;
  std::optional<UtcTime> last_not_good;
};

void feed(const Mood& mood, UtcTime after, Streak& streak) {
  if (mood.state != State::good) {
    streak.since.reset();
    streak.last_not_good = mood.to;
    return;
  }
  if (streak.since) return;
  // Good from somewhere between the last sample that was not and the end of this one.
  const UtcTime low = std::max(after, streak.last_not_good.value_or(mood.from));
  streak.since = between(std::min(low, mood.to), mood.to, mood.uncertainty);
}

std::optional<Instant> common_start(const std::vector<Streak>& streaks) {
  std::optional<Instant> latest;
  for (const Streak& streak : streaks) {
    if (!streak.since) return std::nullopt;
    if (!latest || streak.since->at > latest->at) latest = streak.since;
  }
  return latest;
}

std::vector<UtcTime> breach_starts(std::span<const Track> tracks) {
  std::vector<UtcTime> starts;
  for (const Track& track : tracks)
    for (const Breach& breach : breaches_of(track)) starts.push_back(breach.began.at);
  return starts;
}

/// Did anyone act between the impact and `until`? Otherwise it was the system that mended itself.
bool somebody_acted(const Log& log, const Measures& measures, UtcTime until) {
  const UtcTime from = measures.points.injected->earliest();
  for (const InjectionSpan& span : measures.injections)
    if (span.cured || !span.superseded.empty()) return true;
  return std::ranges::any_of(log, [&](const Event* event) {
    const bool act = event->kind == event_kind::step_done ||
                     event->kind == event_kind::step_verified ||
                     event->kind == event_kind::responder_started;
    return act && event->at >= from && event->at <= until;
  });
}

/// When our own hand first ended a fault: by its time, on request, or because of a halt. One that
/// ended in an off period was ended by what began that period.
std::optional<UtcTime> first_own_end(const Measures& measures) {
  std::optional<UtcTime> first;
  for (const InjectionSpan& span : measures.injections) {
    if (!span.active || !span.ended || span.cured || span.cause == "superseded") continue;
    const UtcTime end = span.on.empty() ? span.ended->at : span.on.back().second;
    if (!first || end < *first) first = end;
  }
  return first;
}

/// The end of the off period that `at` lies in, when no fault is on then.
std::optional<UtcTime> end_of_off_period(UtcTime at, const Measures& measures) {
  for (const auto& [from, to] : on_windows(measures, measures.ended))
    if (from <= at && at <= to) return std::nullopt;
  std::optional<UtcTime> next;
  for (const InjectionSpan& span : measures.injections) {
    std::vector<UtcTime> starts;
    for (const Window& window : span.on) starts.push_back(window.first);
    if (span.on_since) starts.push_back(*span.on_since);
    for (const UtcTime start : starts)
      if (start != starts.front() && start > at && (!next || start < *next)) next = start;
  }
  return next;
}

/// Users who are whole in an off period owe that to us. Whether they are without us shows when the
/// next on period begins: so it came about somewhere between the two.
std::optional<Instant> seen_while_on(const std::optional<Instant>& whole,
                                     const Measures& measures) {
  if (!whole) return whole;
  const auto next = end_of_off_period(whole->at, measures);
  return next ? between(whole->earliest(), *next, Duration{}) : whole;
}

}  // namespace

std::optional<Instant> steady_from(std::span<const Track> tracks, UtcTime after, Duration hold,
                                   UtcTime limit) {
  std::vector<std::pair<const Mood*, std::size_t>> moods;
  for (std::size_t i = 0; i < tracks.size(); ++i)
    for (const Mood& mood : tracks[i].moods)
      if (mood.to > after) moods.emplace_back(&mood, i);
  std::ranges::sort(moods, [](const auto& a, const auto& b) {
    return std::tie(a.first->to, a.first->from, a.second) <
           std::tie(b.first->to, b.first->from, b.second);
  });
  const std::vector<UtcTime> breaches = breach_starts(tracks);
  std::vector<Streak> streaks(tracks.size());
  for (const auto& [mood, track] : moods) {
    feed(*mood, after, streaks[track]);
    const std::optional<Instant> start = common_start(streaks);
    if (!start || mood->to - start->at < hold) continue;
    const bool lasting = std::ranges::none_of(
        breaches, [&](UtcTime began) { return began > start->at && began < limit; });
    if (lasting) return start;
  }
  return std::nullopt;
}

void recovery(const std::vector<Track>& tracks, const Experiment& experiment, const Log& log,
              Measures& measures) {
  ClockPoints& points = measures.points;
  if (!points.impacted || tracks.empty()) return;
  const Duration hold = experiment.phases.steady_for;
  const UtcTime impacted = points.impacted->at;
  points.recovered = steady_from(tracks, impacted, hold, measures.ended);
  const UtcTime off = points.reverted ? points.reverted->at : measures.ended;
  const std::optional<Instant> whole =
      seen_while_on(steady_from(tracks, impacted, hold, off), measures);
  const std::optional<UtcTime> ours = first_own_end(measures);
  // One good sample between two bad ones looks like it; only time can tell, before our undo does.
  if (whole && (!ours || *ours - whole->at >= hold)) {
    points.mitigated = whole;
    measures.mitigated_by =
        somebody_acted(log, measures, whole->latest()) ? "responders" : "system";
  } else if (points.recovered) {
    measures.mitigated_by = "undo";
    measures.undo_too_near = whole && ours && whole->at < *ours;
  }
}

}  // namespace firedrill::measuring
