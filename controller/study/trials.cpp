#include "controller/study/trials.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "controller/stats/random.hpp"

namespace firedrill {
namespace {

using Outcome = TrialOutcome;

/// Real trials whose alert was looked for: those that have an outcome.
bool judged_real(const Trial& trial) { return !trial.sham && trial.outcome != Outcome::left_out; }

void judge_sham(const StudiedRun& run, Trial& trial) {
  trial.outcome = Outcome::quiet;
  for (const AlertSpan& alert : run.measures.alerts) {
    if (!alert.expected && !alert.forbidden) continue;
    if (alert.before_injection || alert.already) {
      trial.outcome = Outcome::left_out;
      trial.why = fmt::format("'{}' was on already when watching began", alert.alertname);
      return;
    }
    if (!alert.fired) continue;
    trial.outcome = Outcome::false_alarm;
    trial.why = fmt::format("'{}' fired though nothing was injected", alert.alertname);
  }
}

void judge_real(const StudiedRun& run, Trial& trial) {
  const auto& detections = run.measures.detections;
  const auto any = [&](DetectionOutcome outcome) {
    return std::ranges::find(detections, outcome, &DetectionResult::outcome) != detections.end();
  };
  if (detections.empty()) {
    trial.why = "the experiment expects no detection";
    return;
  }
  trial.from_injection = timed(run.measures, "TTD from injection");
  trial.from_impact = timed(run.measures, "TTD");
  trial.outcome = any(DetectionOutcome::in_time) ? Outcome::in_time
                  : any(DetectionOutcome::late)  ? Outcome::late
                                                 : Outcome::missed;
}

/// The last settled run of each place.
std::map<std::size_t, const StudiedRun*> by_place(std::span<const StudiedRun> runs) {
  std::map<std::size_t, const StudiedRun*> out;
  for (const StudiedRun& run : runs)
    if (run.tag && settled(run)) out[run.tag->index] = &run;
  return out;
}

void count_expectations(const StudiedRun& run, std::vector<ExpectationShare>& shares) {
  for (const DetectionResult& result : run.measures.detections) {
    auto found = std::ranges::find(shares, result.name, &ExpectationShare::name);
    if (found == shares.end()) found = shares.insert(shares.end(), {.name = result.name});
    const bool in_time = result.outcome == DetectionOutcome::in_time;
    const bool fired = in_time || result.outcome == DetectionOutcome::late;
    if (!fired && result.outcome != DetectionOutcome::missed) continue;
    found->in_time.events += in_time ? 1 : 0;
    found->fired.events += fired ? 1 : 0;
    ++found->in_time.count;
    ++found->fired.count;
  }
}

Json share_json(const stats::Proportion& share) {
  const stats::Bounds bounds = stats::wilson(share);
  const auto value = share.value();
  return {{"events", share.events},
          {"count", share.count},
          {"value", value ? Json(*value) : Json(nullptr)},
          {"low", bounds.low},
          {"high", bounds.high}};
}

Json timed_json(const std::optional<Timed>& one) {
  if (!one) return nullptr;
  if (!one->observed) return {{"more_than_s", one->time}};
  return {{"s", one->time}, {"low_s", one->low}, {"high_s", one->high}};
}

}  // namespace

std::vector<bool> sham_order(const TrialsPlan& plan, std::uint64_t seed) {
  const auto shams =
      static_cast<std::size_t>(std::floor(static_cast<double>(plan.count) * plan.sham_ratio + 0.5));
  std::vector<bool> order(plan.count, false);
  std::fill_n(order.begin(), std::min(shams, plan.count), true);
  SplitMix64 random(seed);
  shuffle(order, random);
  return order;
}

std::optional<std::size_t> next_trial(const TrialsPlan& plan, std::span<const StudiedRun> runs) {
  const auto done = by_place(runs);
  for (std::size_t i = 0; i < plan.count; ++i)
    if (!done.contains(i)) return i;
  return std::nullopt;
}

Trial judge_trial(const StudiedRun& run) {
  Trial trial{.run = run.run, .sham = run.measures.sham};
  if (run.tag) trial.index = run.tag->index;
  trial.why = why_unusable(run);
  if (!trial.why.empty()) return trial;
  if (trial.sham) judge_sham(run, trial);
  else judge_real(run, trial);
  return trial;
}

TrialsSummary summarize_trials(std::span<const StudiedRun> runs) {
  TrialsSummary out;
  if (!runs.empty()) out.title = runs.front().title;
  if (!runs.empty() && runs.front().tag) out.session = runs.front().tag->session;
  std::vector<Timed> from_injection, from_impact;
  const auto done = by_place(runs);
  for (const auto& [index, run] : done) {
    const Trial& trial = out.trials.emplace_back(judge_trial(*run));
    if (trial.outcome == Outcome::left_out) ++out.left_out;
    if (trial.sham && trial.outcome != Outcome::left_out) {
      ++out.false_alarms.count;
      out.false_alarms.events += trial.outcome == Outcome::false_alarm ? 1 : 0;
    }
    if (!judged_real(trial)) continue;
    ++out.noticed.count;
    ++out.in_time.count;
    out.noticed.events += trial.outcome != Outcome::missed ? 1 : 0;
    out.in_time.events += trial.outcome == Outcome::in_time ? 1 : 0;
    if (trial.from_injection) from_injection.push_back(*trial.from_injection);
    if (trial.from_impact) from_impact.push_back(*trial.from_impact);
    count_expectations(*run, out.expectations);
  }
  out.unfinished = static_cast<std::size_t>(
      std::ranges::count_if(runs, [](const StudiedRun& run) { return !settled(run); }));
  out.from_injection = distribution_of(from_injection);
  out.from_impact = distribution_of(from_impact);
  return out;
}

std::string_view to_string(TrialOutcome outcome) {
  constexpr std::array<std::string_view, 6> kWords{"noticed", "noticed late", "missed",
                                                   "quiet",   "false alarm",  "left out"};
  return kWords.at(static_cast<std::size_t>(outcome));
}

Json to_json(const TrialsSummary& summary) {
  Json trials = Json::array(), expectations = Json::array();
  for (const Trial& trial : summary.trials)
    trials.push_back({{"run", trial.run},
                      {"index", trial.index},
                      {"sham", trial.sham},
                      {"outcome", to_string(trial.outcome)},
                      {"why", trial.why},
                      {"ttd_from_injection", timed_json(trial.from_injection)},
                      {"ttd", timed_json(trial.from_impact)}});
  for (const ExpectationShare& one : summary.expectations)
    expectations.push_back({{"name", one.name},
                            {"in_time", share_json(one.in_time)},
                            {"fired", share_json(one.fired)}});
  const TrialsPlan plan = summary.session.trials.value_or(TrialsPlan{});
  return {{"session", summary.session.id},
          {"title", summary.title},
          {"planned", plan.count},
          {"sham_ratio", plan.sham_ratio},
          {"seed", std::to_string(summary.session.seed)},
          {"done", summary.trials.size()},
          {"left_out", summary.left_out},
          {"unfinished", summary.unfinished},
          {"confidence", 0.95},
          {"noticed", share_json(summary.noticed)},
          {"in_time", share_json(summary.in_time)},
          {"false_alarms", share_json(summary.false_alarms)},
          {"expectations", std::move(expectations)},
          {"ttd_from_injection", to_json(summary.from_injection)},
          {"ttd", to_json(summary.from_impact)},
          {"trials", std::move(trials)}};
}

}  // namespace firedrill
