// Runs of sessions with known truth, for study and its reports.
#pragma once

#include <string>
#include <vector>

#include "controller/study/session.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill::testing {

/// A story's log under another run id, with a session's tag when there is one.
inline std::vector<Event> tell_as(const std::string& run, const Story& story,
                                  const std::optional<SessionTag>& tag = std::nullopt) {
  std::vector<Event> events = tell(story);
  for (Event& event : events) event.run = run;
  if (tag) events.front().data["session"] = to_json(*tag);
  return events;
}

inline StudiedRun studied(const std::string& run, const Story& story,
                          const std::optional<SessionTag>& tag = std::nullopt) {
  return study(tell_as(run, story, tag)).value();
}

/// Nobody responds; the alert comes when it comes, or never.
inline Story unattended(std::optional<double> alert, double end = 75) {
  return {.whole = 61, .alert = alert, .ack = {}, .check = {}, .raise = {}, .end = end};
}

/// Users are not hurt; the fault runs its time.
inline Story harmless(std::optional<double> alert = std::nullopt) {
  Story story = unattended(alert);
  story.hurt = 1000;
  return story;
}

inline Session trials_session(std::size_t count, double sham_ratio = 0.3) {
  return {.id = "trials-20260301-120000-7f3a",
          .file = "/experiments/silent-nic-drops.json",
          .set = {{"loss", "5%"}},
          .seed = 7,
          .responder = false,
          .trials = TrialsPlan{.count = count, .sham_ratio = sham_ratio},
          .sweep = {}};
}

inline Session sweep_session(const std::string& vary, std::optional<double> precision = {}) {
  return {.id = "sweep-20260301-120000-7f3a",
          .file = "/experiments/silent-nic-drops.json",
          .set = {},
          .seed = 1,
          .responder = true,
          .trials = {},
          .sweep = SweepPlan{.vary = vary, .steps = 8, .precision = precision}};
}

/// Pending since `pending`, firing at the story's alert: what a rule's `for` looks like in a log.
inline void set_pending(std::vector<Event>& events, double pending) {
  for (Event& event : events) {
    if (!event.kind.starts_with("alert.") || !event.data.contains("active_us")) continue;
    event.data["active_us"] = us(pending);
    if (event.kind != event_kind::alert_pending) continue;
    event.at = at_s(pending + 0.2);
    event.data["last_quiet_us"] = us(pending - 0.3);
    event.data["first_seen_us"] = us(pending + 0.2);
  }
}

}  // namespace firedrill::testing
