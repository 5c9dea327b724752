// Sessions with known truth: what the study pages are drawn from.
#pragma once

#include "controller/study/compare.hpp"
#include "controller/study/sweep.hpp"
#include "controller/study/trials.hpp"
#include "tests/unit/study/studied.hpp"

namespace firedrill::testing {

/// Twenty trials, six of them sham: two real ones missed, one late, one false alarm.
inline TrialsSummary told_trials() {
  const Session session = trials_session(20);
  const std::vector<bool> shams = sham_order(*session.trials, session.seed);
  const std::vector<std::optional<double>> alerts{12.4, 14.1, 9.8,  17.2, {},   11.5, 13.3,
                                                  21.7, 10.9, 35.0, {},   15.6, 12.9, 18.4};
  std::vector<StudiedRun> runs;
  std::size_t real = 0, sham = 0;
  for (std::size_t i = 0; i < shams.size(); ++i) {
    Story story = unattended(shams[i] ? std::nullopt : alerts[real++ % alerts.size()], 80);
    story.sham = shams[i];
    story.false_alarm = shams[i] && ++sham == 3;
    runs.push_back(studied("20260301-12" + std::to_string(1000 + i) + "-silent-nic-drops", story,
                           SessionTag{.session = session, .index = i, .value = 0}));
  }
  return summarize_trials(runs);
}

/// Users are hurt from `hurt` on, the sooner the stronger; monitoring notices from `noticed` on.
inline Sweep told_sweep(const std::string& vary, double hurt, double noticed) {
  Session session = sweep_session(vary);
  session.sweep->steps = 11;
  const Vary varied = parse_vary(vary).value();
  std::vector<StudiedRun> runs;
  for (const double value : log_grid(varied, session.sweep->steps)) {
    const double at = strength(varied, value);
    std::optional<double> alert;
    if (at >= noticed) alert = 48 - 40 * (at - noticed) / (1.001 - noticed);
    Story story = at >= hurt ? unattended(alert, 80) : harmless(alert);
    if (at >= hurt) {
      story.hurt = 3 + 20 * (1 - at);
      story.whole = std::min(61.0, story.hurt + 12 + 60 * (at - hurt) / (1.001 - hurt));
    }
    runs.push_back(studied("20260301-" + std::to_string(130000 + runs.size()) + "-sweep", story,
                           SessionTag{.session = session, .index = 0, .value = value}));
  }
  return summarize_sweep(runs).value();
}

inline Comparison told_comparison() {
  RunGroup before{.name = "for-10s", .runs = {}}, after{.name = "for-60s", .runs = {}};
  for (const double more : {0.0, 0.7, 1.9}) {
    auto then = tell_as("before" + std::to_string(more), unattended(18 + more, 130));
    set_pending(then, 8);
    before.runs.push_back(study(then).value());
    auto now = tell_as("after" + std::to_string(more), unattended(68 + more, 130));
    set_pending(now, 8);
    after.runs.push_back(study(now).value());
  }
  return compare(before, after, {}, {});
}

}  // namespace firedrill::testing
