#include "controller/review/review.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "controller/review/parts.hpp"
#include "controller/score/lines.hpp"

namespace firedrill {
namespace reviewing {
namespace {

Goal to_goal(scoring::Objective objective) {
  if (objective == scoring::Objective::met) return Goal::met;
  return objective == scoring::Objective::missed ? Goal::missed : Goal::open;
}

Goal to_goal(DetectionOutcome outcome) {
  if (outcome == DetectionOutcome::in_time) return Goal::met;
  return outcome == DetectionOutcome::late || outcome == DetectionOutcome::missed ? Goal::missed
                                                                                  : Goal::open;
}

std::vector<TruthRow> truth(const Measures& measures) {
  std::vector<TruthRow> out;
  for (const InjectionSpan& span : measures.injections) {
    TruthRow& row = out.emplace_back();
    row.action = span.action;
    row.fault = span.fault;
    row.host = span.host;
    if (!span.values.empty())
      row.values = span.values.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (span.active) row.from = span.active->at;
    if (span.ended) row.to = span.ended->at;
    row.cause = span.active ? span.cause : span.failure;
  }
  return out;
}

std::vector<ImpactRow> impact(const Measures& measures) {
  std::vector<ImpactRow> out;
  for (const SliSeries& series : measures.series) {
    ImpactRow& row = out.emplace_back();
    row.probe = series.probe;
    row.host = series.host;
    row.unit = series.unit;
    row.usual = series.baseline_median;
    row.during = series.fault_median;
    row.worst = series.fault_p99;
    if (!measures.points.injected) continue;
    for (const auto& [from, to] : series.breaches) {
      const UtcTime begin = std::max(from, measures.points.injected->at);
      if (to <= begin) continue;
      row.breached += to - begin;
      ++row.breaches;
    }
  }
  return out;
}

/// Everything that was asked and held, in the words of the scores.
std::vector<std::string> held(const Given& given) {
  std::vector<std::string> out;
  for (const Score& score : given.card.scores)
    for (const ScoreLine& line : score.lines)
      if (line.possible > 0 && line.earned >= line.possible)
        out.push_back(given.cast.nameless(fmt::format("{}: {}", line.what, line.why)));
  return out;
}

}  // namespace

Cast::Cast(const Experiment& experiment, std::span<const Event> events) {
  constexpr std::string_view kPerson = "person:";
  std::vector<const Event*> by_time;
  for (const Event& event : events) {
    events_[event.seq] = &event;
    if (event.source.starts_with(kPerson)) by_time.push_back(&event);
  }
  std::ranges::sort(by_time, {},
                    [](const Event* event) { return std::pair(event->at, event->seq); });
  std::size_t count = 0;
  for (const Event* event : by_time) {
    const std::string name = event->source.substr(kPerson.size());
    if (name.empty() || names_.contains(name)) continue;
    const bool role =
        std::ranges::find(experiment.steps, name, &RunbookStep::who) != experiment.steps.end();
    names_[name] = role ? name : fmt::format("responder {}", ++count);
  }
}

const Event* Cast::event(std::int64_t seq) const {
  const auto found = events_.find(seq);
  return found == events_.end() ? nullptr : found->second;
}

std::string Cast::source_of(std::int64_t seq) const {
  const Event* found = event(seq);
  if (found == nullptr) return {};
  const std::size_t colon = found->source.find(':');
  if (!found->source.starts_with("person:")) return found->source;
  const auto name = names_.find(found->source.substr(colon + 1));
  return name == names_.end() ? "responder" : name->second;
}

std::string Cast::nameless(std::string text) const {
  for (const auto& [name, role] : names_)
    for (const std::string_view before : {"on the word of ", "stopped by "}) {
      const std::string named = std::string(before) + name;
      for (std::size_t at = 0; (at = text.find(named, at)) != std::string::npos;) {
        const std::size_t end = at + named.size();
        if (end < text.size() && text[end] != ':' && text[end] != ';') {
          at = end;  // a longer name begins alike
          continue;
        }
        text.replace(at + before.size(), name.size(), role);
        at += before.size() + role.size();
      }
    }
  return text;
}

std::string seconds(Duration duration) {
  return fmt::format("{:.1f} s", static_cast<double>(duration.count()) / 1e6);
}

bool on_at(const InjectionSpan& span, UtcTime at) {
  if (!span.active || span.active->at > at) return false;
  if (span.ended && span.ended->at <= at) return false;
  if (span.on.empty() && !span.on_since) return true;
  if (span.on_since && *span.on_since <= at) return true;
  return std::ranges::any_of(
      span.on, [&](const Window& window) { return window.first <= at && at < window.second; });
}

std::vector<GoalRow> goals(const Given& given) {
  const Measures& measures = given.measures;
  std::vector<GoalRow> out;
  if (!given.experiment.hypothesis_title.empty()) {
    const bool told = measures.steady_before && measures.steady_after;
    out.push_back({fmt::format("steady state: {}", given.experiment.hypothesis_title),
                   !told                    ? "not told"
                   : *measures.steady_after ? "held again after the fault"
                                            : "did not hold after the fault",
                   !told                    ? Goal::open
                   : *measures.steady_after ? Goal::met
                                            : Goal::missed});
  }
  for (const DetectionResult& result : measures.detections)
    out.push_back({fmt::format("'{}' detects it within {}", result.name, seconds(result.within)),
                   result.why, to_goal(result.outcome)});
  for (const AlertMatch& match : given.experiment.forbidden) {
    const auto fired = std::ranges::find_if(measures.alerts, [&](const AlertSpan& alert) {
      return alert.forbidden && alert.fired && !alert.before_injection &&
             match.matches(alert.labels);
    });
    const auto name = match.labels.find("alertname");
    const bool quiet = fired == measures.alerts.end();
    out.push_back({fmt::format("'{}' stays quiet",
                               name == match.labels.end() ? "a forbidden alert" : name->second),
                   quiet ? "it did not fire" : "it fired",
                   !quiet                    ? Goal::missed
                   : measures.doubts.empty() ? Goal::met
                                             : Goal::open});
  }
  for (const Interval& interval : measures.intervals)
    if (interval.objective)
      out.push_back({fmt::format("{} within {}", interval.name, seconds(*interval.objective)),
                     scoring::objective_words(interval), to_goal(scoring::judge(interval))});
  return out;
}

}  // namespace reviewing

Review review(const Measures& measures, const Scorecard& card, const Experiment& experiment,
              std::span<const Event> events, const GapRates& rates) {
  const reviewing::Cast cast(experiment, events);
  const reviewing::Given given{measures, card, experiment, events, cast};
  Review out;
  if (!measures.halted_by.empty()) {
    constexpr std::string_view kStopped = "stopped by ";
    out.stopped_by =
        cast.nameless(std::string(kStopped) + measures.halted_by).substr(kStopped.size());
  }
  out.goals = reviewing::goals(given);
  out.truth = reviewing::truth(measures);
  out.beliefs = reviewing::beliefs(given);
  out.timeline = reviewing::timeline(given);
  out.heard = reviewing::heard(given);
  out.taken = reviewing::taken(given);
  out.impact = reviewing::impact(measures);
  out.breached = measures.breached;
  out.budget_spent = measures.budget_spent;
  out.rates = rates;
  out.held = reviewing::held(given);
  reviewing::cost(given, out);
  reviewing::findings(given, out);
  return out;
}

}  // namespace firedrill
