#include "controller/study/compare.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "controller/study/judge_gates.hpp"
#include "controller/study/trials.hpp"

namespace firedrill {
namespace {

struct TimeKey {
  std::string_view key, name;
};
constexpr std::array<TimeKey, 6> kTimes{{{"tti", "TTI"},
                                         {"ttd", "TTD"},
                                         {"ttd-from-injection", "TTD from injection"},
                                         {"tta", "TTA"},
                                         {"ttm", "TTM"},
                                         {"ttr", "TTR"}}};

/// The runs of a group that can be compared: real ones for times, sham ones for false alarms.
struct Usable {
  std::vector<StudiedRun> real, sham;
};

Usable usable(const RunGroup& group, std::vector<std::string>& left_out) {
  Usable out;
  for (const StudiedRun& run : group.runs) {
    const std::string why = why_unusable(run);
    if (!why.empty()) left_out.push_back(fmt::format("{}: {}", run.run, why));
    else (run.measures.sham ? out.sham : out.real).push_back(run);
  }
  return out;
}

std::vector<Timed> all_timed(std::span<const StudiedRun> runs, std::string_view interval) {
  std::vector<Timed> out;
  for (const StudiedRun& run : runs)
    if (const auto one = timed(run.measures, interval)) out.push_back(*one);
  return out;
}

std::optional<TimeChange> time_change(const TimeKey& key, const Usable& before,
                                      const Usable& after) {
  const std::vector<Timed> was = all_timed(before.real, key.name);
  const std::vector<Timed> is = all_timed(after.real, key.name);
  if (was.empty() && is.empty()) return std::nullopt;
  TimeChange out{.key = std::string(key.key),
                 .name = std::string(key.name),
                 .before = distribution_of(was),
                 .after = distribution_of(is)};
  out.test = stats::log_rank(observations_of(was), observations_of(is));
  if (!out.before.median.value || !out.after.median.value) return out;
  out.change = *out.after.median.value - *out.before.median.value;
  if (out.after.least && out.before.most) out.low = *out.after.least - *out.before.most;
  if (out.after.most && out.before.least) out.high = *out.after.most - *out.before.least;
  return out;
}

ShareChange share_change(std::string key, std::string name, const stats::Proportion& before,
                         const stats::Proportion& after) {
  ShareChange out{.key = std::move(key), .name = std::move(name), .before = before, .after = after};
  if (before.count > 0 && after.count > 0) out.change = *after.value() - *before.value();
  out.bounds = stats::difference(before, after);
  return out;
}

stats::Proportion noticed(std::span<const StudiedRun> runs) {
  stats::Proportion out;
  for (const StudiedRun& run : runs) {
    const TrialOutcome outcome = judge_trial(run).outcome;
    if (outcome == TrialOutcome::left_out) continue;
    ++out.count;
    out.events += outcome == TrialOutcome::missed ? 0 : 1;
  }
  return out;
}

stats::Proportion false_alarms(std::span<const StudiedRun> runs) {
  stats::Proportion out;
  for (const StudiedRun& run : runs) {
    const TrialOutcome outcome = judge_trial(run).outcome;
    if (outcome == TrialOutcome::left_out) continue;
    ++out.count;
    out.events += outcome == TrialOutcome::false_alarm ? 1 : 0;
  }
  return out;
}

stats::Proportion on_time(std::span<const StudiedRun> runs, std::string_view step) {
  stats::Proportion out;
  for (const StudiedRun& run : runs)
    for (const StepResult& result : run.measures.steps) {
      if (!step.empty() && result.id != step) continue;
      ++out.count;
      out.events += result.outcome == StepOutcome::on_time ? 1 : 0;
    }
  return out;
}

/// From the alert until the step was taken; censored when it never was.
std::vector<Timed> step_times(std::span<const StudiedRun> runs, std::string_view step) {
  std::vector<Timed> out;
  for (const StudiedRun& run : runs) {
    const auto& fired = run.measures.points.fired;
    const auto found = std::ranges::find(run.measures.steps, step, &StepResult::id);
    if (!fired || found == run.measures.steps.end()) continue;
    const UtcTime end = found->done ? found->done->at : run.measures.ended;
    const double time = static_cast<double>((end - fired->at).count()) / 1e6;
    out.push_back({.time = time, .low = time, .high = time, .observed = found->done.has_value()});
  }
  return out;
}

std::vector<StepChange> step_changes(const Usable& before, const Usable& after) {
  std::vector<std::pair<std::string, std::string>> steps;
  for (const auto* runs : {&before.real, &after.real})
    for (const StudiedRun& run : *runs)
      for (const StepResult& step : run.measures.steps)
        if (std::ranges::find(steps, step.id, &std::pair<std::string, std::string>::first) ==
            steps.end())
          steps.emplace_back(step.id, step.title);
  std::vector<StepChange> out;
  for (const auto& [id, title] : steps) {
    StepChange step{.id = id,
                    .title = title,
                    .on_time_before = on_time(before.real, id),
                    .on_time_after = on_time(after.real, id),
                    .before = distribution_of(step_times(before.real, id)),
                    .after = distribution_of(step_times(after.real, id)),
                    .change = {}};
    const auto &was = step.before.median.value, &is = step.after.median.value;
    if (was && is) step.change = *is - *was;
    out.push_back(std::move(step));
  }
  return out;
}

void add_notes(const RunGroup& before, const RunGroup& after, Comparison& out) {
  std::set<std::string> experiments;
  for (const auto* group : {&before, &after})
    for (const StudiedRun& run : group->runs) experiments.insert(run.experiment);
  if (experiments.size() > 1)
    out.notes.push_back(
        fmt::format("the runs are of different experiments: {}", fmt::join(experiments, ", ")));
  for (const StudiedRun& run : after.runs)
    if (std::ranges::find(before.runs, run.run, &StudiedRun::run) != before.runs.end())
      out.notes.push_back(fmt::format("run {} is on both sides", run.run));
  if (out.before_count == 1 || out.after_count == 1)
    out.notes.emplace_back("a single run on a side: whether a change is chance cannot be told");
}

}  // namespace

Comparison compare(const RunGroup& before, const RunGroup& after, std::span<const Gate> gates,
                   std::optional<double> alpha) {
  Comparison out;
  out.before_name = before.name;
  out.after_name = after.name;
  const Usable was = usable(before, out.left_out), is = usable(after, out.left_out);
  out.before_count = was.real.size();
  out.after_count = is.real.size();
  for (const TimeKey& key : kTimes)
    if (auto change = time_change(key, was, is)) out.times.push_back(std::move(*change));
  out.shares.push_back(share_change("detection", "noticed", noticed(was.real), noticed(is.real)));
  out.shares.push_back(
      share_change("steps", "steps on time", on_time(was.real, ""), on_time(is.real, "")));
  out.shares.push_back(
      share_change("false-alarms", "false alarms", false_alarms(was.sham), false_alarms(is.sham)));
  std::erase_if(out.shares, [](const ShareChange& share) {
    return share.before.count == 0 && share.after.count == 0;
  });
  out.steps = step_changes(was, is);
  out.segments = compare_segments(was.real, is.real);
  add_notes(before, after, out);
  judge_gates(gates, alpha, out);
  return out;
}

}  // namespace firedrill
