// The four scores: one line for each thing that was asked, with what it earned and why.
#include "controller/score/lines.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace firedrill::scoring {
namespace {

std::string seconds(Duration duration) {
  return fmt::format("{:.1f} s", static_cast<double>(duration.count()) / 1e6);
}

const Interval* find(const Measures& measures, std::string_view name) {
  const auto found = std::ranges::find(measures.intervals, name, &Interval::name);
  return found == measures.intervals.end() ? nullptr : &*found;
}

void add(Score& score, std::string what, std::string why, double earned, double possible,
         std::vector<std::int64_t> evidence = {}) {
  std::erase(evidence, 0);
  score.lines.push_back({std::move(what), std::move(why), earned, possible, std::move(evidence)});
}

void add_objective(Score& score, const Measures& measures, std::string_view name, double possible) {
  const Interval* interval = find(measures, name);
  if (interval == nullptr) return;
  const Objective outcome = judge(*interval);
  if (outcome == Objective::none || outcome == Objective::open) return;
  add(score, fmt::format("{} within its objective", name), objective_words(*interval),
      outcome == Objective::met ? possible : 0, possible);
}

Score finished(Score score, std::string why_nothing) {
  double earned = 0, possible = 0;
  for (const ScoreLine& line : score.lines) {
    earned += line.earned;
    possible += line.possible;
  }
  if (possible > 0) score.value = 100 * earned / possible;
  else score.why_none = std::move(why_nothing);
  return score;
}

double share_of(DetectionOutcome outcome) {
  if (outcome == DetectionOutcome::in_time) return 1;
  return outcome == DetectionOutcome::late ? 0.5 : 0;
}

double share_of(StepOutcome outcome) {
  if (outcome == StepOutcome::on_time) return 1;
  return outcome == StepOutcome::skipped ? 0 : 0.5;
}

std::string_view word(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::on_time:
      return "on time";
    case StepOutcome::late:
      return "late";
    case StepOutcome::skipped:
      return "skipped";
    case StepOutcome::out_of_order:
      return "out of order";
  }
  return "skipped";
}

void add_injection(Score& score, const InjectionSpan& span) {
  const std::string what = fmt::format("undo of {} on {}", span.fault, span.host);
  std::string why = "undone, but the host was not read back";
  double earned = 5;
  if (span.dirty) {
    why = "left the host changed";
    earned = 0;
  } else if (!span.ended) {
    why = "undo was never confirmed";
    earned = 0;
  } else if (span.verified) {
    why = span.superseded.empty() ? "undone, and the host reads as before"
                                  : "undone; what responders changed was left alone";
    earned = 10;
  }
  add(score, what, why, earned, 10, {span.active_seq, span.ended_seq});
}

void add_halt(Score& score, const Measures& measures) {
  if (!measures.halted_at) return;
  std::optional<Duration> slowest;
  bool all = true;
  for (const InjectionSpan& span : measures.injections) {
    if (!span.active) continue;
    if (!span.ended) all = false;
    else slowest = std::max(slowest.value_or(Duration{0}), span.ended->at - *measures.halted_at);
  }
  if (!all) return add(score, "stop obeyed", "a fault is not known to be off", 0, 20);
  add(score, "stop obeyed",
      slowest ? fmt::format("every fault was off {} after the stop", seconds(*slowest))
              : "nothing was on",
      20, 20);
}

}  // namespace

Objective judge(const Interval& interval) {
  if (!interval.objective) return Objective::none;
  if (interval.value)
    return *interval.value <= *interval.objective ? Objective::met : Objective::missed;
  if (interval.censored_at)
    return *interval.censored_at >= *interval.objective ? Objective::missed : Objective::open;
  // Nobody mitigated, though an objective asked for it: that is an answer, unlike a missing clock
  // point before it.
  return interval.why_none.starts_with("nobody mitigated") ? Objective::missed : Objective::none;
}

std::string objective_words(const Interval& interval) {
  const std::string asked = interval.objective
                                ? fmt::format("objective {}", seconds(*interval.objective))
                                : "no objective";
  if (interval.value) {
    const bool met = judge(interval) == Objective::met;
    const bool close = interval.objective && interval.low <= *interval.objective &&
                       interval.high > *interval.objective;
    return fmt::format("{} {}, {}: {}{}", interval.name, seconds(*interval.value), asked,
                       met ? "met" : "missed", close ? " (within its uncertainty)" : "");
  }
  if (interval.censored_at)
    return fmt::format(
        "{} > {}, {}: {}", interval.name, seconds(*interval.censored_at), asked,
        judge(interval) == Objective::missed ? "missed" : "watching ended too early");
  return fmt::format("{}: {}", interval.name, interval.why_none);
}

Score detection(const Measures& measures) {
  Score score;
  score.name = "detection";
  score.formula =
      "100 x earned / possible; each expected detection 10 (in time 10, late 5, missed 0), "
      "TTD within its objective 10, no forbidden alert 10";
  for (const DetectionResult& result : measures.detections)
    add(score, fmt::format("expected detection '{}'", result.name), result.why,
        10 * share_of(result.outcome), 10, {result.seq});
  add_objective(score, measures, "TTD", 10);
  if (measures.forbidden_asked) {
    std::vector<std::int64_t> fired;
    for (const AlertSpan& alert : measures.alerts)
      if (alert.forbidden && alert.fired && !alert.before_injection) fired.push_back(alert.seq);
    add(score, "no forbidden alert",
        fired.empty() ? "none fired" : fmt::format("{} fired", fired.size()),
        fired.empty() ? 10 : 0, 10, fired);
  }
  return finished(std::move(score), "no detection was expected");
}

Score response(const Measures& measures) {
  Score score;
  score.name = "response";
  score.formula =
      "100 x earned / possible; each step 10 x weight where a machine can see it, 5 x weight where "
      "only a person can say so; a person's word earns 5 x weight at most; late or out of order "
      "halves it; skipped 0; TTA within its objective 10";
  for (const StepResult& step : measures.steps) {
    const double possible = (step.checkable ? 10 : 5) * step.weight;
    const double trust = step.evidence == StepEvidence::machine ? 10 : 5;
    const double earned = std::min(possible, trust * step.weight) * share_of(step.outcome);
    add(score, fmt::format("step '{}'", step.id),
        fmt::format("{}{}{}", word(step.outcome), step.detail.empty() ? "" : ": ", step.detail),
        earned, possible, {step.seq});
  }
  add_objective(score, measures, "TTA", 10);
  return finished(std::move(score), "no runbook was given");
}

Score recovery(const Measures& measures) {
  Score score;
  score.name = "recovery";
  score.formula =
      "100 x earned / possible; users whole again 40, TTR within its objective 20, TTM within its "
      "objective 20, mended while the fault was on 30, error budget 10 x (1 - share spent)";
  if (!measures.points.impacted)
    return finished(std::move(score), "users were never hurt: nothing to recover from");
  const bool back = measures.points.recovered.has_value();
  add(score, "users whole again", back ? "steady state held" : "not by the end of watching",
      back ? 40 : 0, 40);
  add_objective(score, measures, "TTR", 20);
  add_objective(score, measures, "TTM", 20);
  if (measures.response_asked) {
    const bool mended = measures.points.mitigated.has_value();
    add(score, "mended while the fault was on",
        mended ? fmt::format("by {}", measures.mitigated_by)
               : "only our own undo ended it: nobody mitigated",
        mended ? 30 : 0, 30);
  }
  if (measures.budget_spent)
    add(score, "error budget", fmt::format("{:.2f} % spent", 100 * *measures.budget_spent),
        10 * std::max(0.0, 1 - *measures.budget_spent), 10);
  return finished(std::move(score), "");
}

Score safety(const Measures& measures) {
  Score score;
  score.name = "safety";
  score.formula =
      "100 x earned / possible; each undo 10 (host read back as before 10, not read back 5, "
      "changed "
      "or unconfirmed 0), stop obeyed 20, blast radius held 10";
  for (const InjectionSpan& span : measures.injections)
    if (span.active || span.dirty) add_injection(score, span);
  add_halt(score, measures);
  if (measures.radius_held && measures.points.injected)
    add(score, "blast radius held",
        *measures.radius_held ? "only what was planned was injected"
                              : "something was injected that nobody planned",
        *measures.radius_held ? 10 : 0, 10);
  return finished(std::move(score), "nothing was injected");
}

}  // namespace firedrill::scoring
