#include "controller/study/judge_gates.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace firedrill {
namespace {

using Judgement = std::pair<GateVerdict, std::string>;

Judgement unclear(std::string words) { return {GateVerdict::unclear, std::move(words)}; }
Judgement held(std::string words) { return {GateVerdict::held, std::move(words)}; }

/// The most that the median may be: the baseline's, plus what the gate allows.
double allowed(const Gate& gate, double baseline) {
  return gate.relative ? baseline * (1 + gate.limit) : baseline + gate.limit;
}

/// Chance is asked about only when the user did, by --alpha.
Judgement unless_chance(Judgement found, std::optional<double> alpha,
                        const std::optional<stats::LogRank>& test) {
  if (!alpha || found.first != GateVerdict::regression) return found;
  if (!test) return unclear(found.second + "; too few runs to tell it from chance");
  found.second += fmt::format("; log-rank p = {:.3g}", test->p);
  if (test->p > *alpha) found.first = GateVerdict::unclear;
  return found;
}

Judgement judge_medians(const Gate& gate, const TimeChange& change) {
  const double was = *change.before.median.value, is = *change.after.median.value;
  if (gate.relative && was <= 0)
    return unclear(
        fmt::format("the baseline's median is {:.1f} s: a share of that means nothing; "
                    "give the limit as a duration, +10s",
                    was));
  const std::string words = fmt::format(
      "median {} went from {:.1f} s to {:.1f} s ({:+.1f} s{}), allowed {:.1f} s", change.name, was,
      is, is - was, was > 0 ? fmt::format(", {:+.0f}%", 100 * (is - was) / was) : "",
      allowed(gate, was));
  if (is <= allowed(gate, was)) return held(words);
  const double surely = change.after.least.value_or(is);
  const double at_most = allowed(gate, change.before.most.value_or(was));
  if (surely <= at_most) return unclear(words + "; but that is within what was measured surely");
  return {GateVerdict::regression, words};
}

Judgement judge_time(const Gate& gate, const TimeChange& change, std::optional<double> alpha) {
  const auto &was = change.before.median.value, &is = change.after.median.value;
  if (change.before.count == 0 || change.after.count == 0)
    return unclear(fmt::format("{} has no time in the {}", change.name,
                               change.before.count == 0 ? "baseline" : "runs compared"));
  if (!was && !is)
    return unclear(fmt::format("{} came in less than half the runs, before and now", change.name));
  if (!was)
    return held(
        fmt::format("{} came, median {:.1f} s; in the baseline it came in less "
                    "than half the runs",
                    change.name, *is));
  if (is) return unless_chance(judge_medians(gate, change), alpha, change.test);
  const double watched = change.after.curve.last;
  const std::string words = fmt::format(
      "{} came in less than half the runs within {:.1f} s; in the baseline its median was {:.1f} s",
      change.name, watched, *was);
  if (watched <= allowed(gate, *was)) return unclear(words + "; watched too short to tell");
  return unless_chance({GateVerdict::regression, words}, alpha, change.test);
}

Judgement judge_share(const Gate& gate, const ShareChange& share, std::optional<double> alpha) {
  if (!share.change)
    return unclear(fmt::format("'{}' has no runs in the {}", share.name,
                               share.before.count == 0 ? "baseline" : "runs compared"));
  const bool falls = gate.text.contains(":-");
  const double worse = falls ? -*share.change : *share.change;
  const std::string words = fmt::format(
      "{} went from {} of {} to {} of {} ({:+.0f} points, 95% {:+.0f} to {:+.0f})", share.name,
      share.before.events, share.before.count, share.after.events, share.after.count,
      100 * *share.change, 100 * share.bounds.low, 100 * share.bounds.high);
  if (worse <= gate.limit + 1e-12) return held(words);
  const bool by_chance = share.bounds.low <= 0 && share.bounds.high >= 0;
  if (alpha && by_chance) return unclear(words + "; may be chance");
  return {GateVerdict::regression, words};
}

std::optional<Judgement> judge(const Gate& gate, std::optional<double> alpha,
                               const Comparison& comparison) {
  const auto time = std::ranges::find(comparison.times, gate.key, &TimeChange::key);
  if (time != comparison.times.end()) return judge_time(gate, *time, alpha);
  const auto share = std::ranges::find(comparison.shares, gate.key, &ShareChange::key);
  if (share != comparison.shares.end()) return judge_share(gate, *share, alpha);
  return std::nullopt;
}

/// The links that a gate's interval is made of; those before t_fire for detection.
bool is_part_of(const SegmentChange& segment, std::string_view key) {
  const bool detection = segment.to == "pending" || segment.to == "firing";
  if (key.starts_with("ttd") || key == "detection") return detection;
  if (key == "tti") return segment.to == "hurt";
  const bool answer = segment.to == "notified" || segment.to == "acknowledged";
  if (key == "tta") return answer;
  const bool repair = detection || answer || segment.to == "mitigated";
  return key == "ttm" ? repair : key == "ttr" && (repair || segment.to == "recovered");
}

/// The link that grew most, when it explains at least half of the growth.
std::string cause_of(const Gate& gate, const Comparison& comparison) {
  const SegmentChange* worst = nullptr;
  for (const SegmentChange& segment : comparison.segments) {
    if (!segment.change || *segment.change <= 0 || !is_part_of(segment, gate.key)) continue;
    if (worst == nullptr || *segment.change > *worst->change) worst = &segment;
  }
  const auto time = std::ranges::find(comparison.times, gate.key, &TimeChange::key);
  if (worst == nullptr || time == comparison.times.end() || !time->change) return {};
  if (*worst->change < *time->change / 2) return {};
  return fmt::format("{} {:+.1f} s ({:.1f} s to {:.1f} s): {}", worst->name(), *worst->change,
                     *worst->before, *worst->after, worst->cause);
}

}  // namespace

void judge_gates(std::span<const Gate> gates, std::optional<double> alpha, Comparison& comparison) {
  std::vector<Gate> asked(gates.begin(), gates.end());
  if (asked.empty())
    for (const std::string_view text : kDefaultGates)
      if (auto gate = parse_gate(text)) asked.push_back(std::move(*gate));
  for (const Gate& gate : asked) {
    auto found = judge(gate, alpha, comparison);
    if (!found && gates.empty()) continue;  // nobody asked, and there is nothing of the kind
    if (!found) found = unclear(fmt::format("neither side has '{}'", gate.key));
    comparison.gates.push_back({gate, found->first, std::move(found->second)});
  }
  const auto any = [&](GateVerdict verdict) {
    return std::ranges::find(comparison.gates, verdict, &GateResult::verdict);
  };
  const auto regression = any(GateVerdict::regression);
  if (regression != comparison.gates.end()) {
    comparison.verdict = Verdict::fail;
    comparison.cause = cause_of(regression->gate, comparison);
  } else {
    const bool sure = any(GateVerdict::unclear) == comparison.gates.end();
    comparison.verdict = sure && !comparison.gates.empty() ? Verdict::pass : Verdict::inconclusive;
  }
}

}  // namespace firedrill
