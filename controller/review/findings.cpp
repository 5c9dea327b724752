// What is left to ask: one finding for each thing that did not come or go as the experiment had it.
// Questions are about circumstances, never about who.
#include <algorithm>

#include <fmt/format.h>

#include "controller/review/parts.hpp"
#include "controller/score/lines.hpp"

namespace firedrill::reviewing {
namespace {

void ask(Review& review, std::string fact, std::string_view question, std::string aim) {
  review.findings.push_back({std::move(fact), std::string(question), std::move(aim)});
}

void ask_of(const HeardRow& row, const Given& given, Review& review) {
  const std::string fact = fmt::format("'{}': {}", row.name, row.why);
  switch (row.outcome) {
    case Heard::missed:
      return ask(review, fact,
                 "Where does the way from the damage to a person end: is it measured, scraped, in "
                 "a rule, past its threshold, routed, received?",
                 fmt::format("'{}' comes when this happens", row.name));
    case Heard::late:
      return ask(review, fact, "Which part of the way took longest, and what was it waiting for?",
                 fmt::format("'{}' comes in time", row.name));
    case Heard::false_alert:
      return ask(review, fact, "What does this alert take for damage that is none?",
                 fmt::format("'{}' fires only for what it is named after", row.name));
    case Heard::noise:
      return ask(review, fact, "What would somebody have done on hearing it?",
                 fmt::format("'{}' leads to an action, or is no alert", row.name));
    case Heard::already_on:
    case Heard::unknown:
      return ask(review, fact, "What would let us tell next time?",
                 fmt::format("'{}' can be judged", row.name));
    case Heard::in_time:
      break;
  }
  const auto found = std::ranges::find(given.measures.detections, row.name, &DetectionResult::name);
  if (found != given.measures.detections.end() && !found->unheard.empty())
    ask(review, fact, "Whom does it reach, and is that who can act?",
        fmt::format("'{}' wakes who can act", row.name));
}

void ask_of(const TakenRow& row, Review& review) {
  const std::string fact = fmt::format("step '{}' was {}{}{}", row.title, to_string(row.outcome),
                                       row.detail.empty() ? "" : ": ", row.detail);
  switch (row.outcome) {
    case Taken::on_time:
      return;
    case Taken::skipped:
      return ask(review, fact,
                 "What made this step unknown, unneeded or impossible at that moment?",
                 "the runbook and the tools lead to this step, or do without it");
    case Taken::late:
      return ask(review, fact, "What had to be found, asked for or waited for first?",
                 "what this step needs is at hand when it is due");
    case Taken::out_of_order:
      return ask(review, fact, "What made another order the sensible one at the time?",
                 "the runbook's order is the one that works");
    case Taken::improvised:
      return ask(review, fmt::format("beside the runbook: {}", row.title),
                 "What did it answer that the runbook does not?",
                 "what worked is in the runbook, what did not is warned of");
  }
}

void ask_of_recovery(const Given& given, Review& review) {
  const Measures& measures = given.measures;
  if (measures.points.impacted && measures.mitigated_by == "undo" && measures.response_asked)
    ask(review, "users were whole again only because the fault was taken off",
        "What would have been needed to see which change helps?",
        "such a fault is mended while it is on");
  if (measures.points.impacted && !measures.points.recovered)
    ask(review, "users were not whole again by the end of watching",
        "What kept the system from coming back by itself?", "the steady state comes back");
  for (const InjectionSpan& span : measures.injections)
    if (span.dirty)
      ask(review, fmt::format("{} on {}: the host was left changed", span.fault, span.host),
          "What changed under the undo, and who can put it back?",
          "the host is as before, and undo copes with it");
}

}  // namespace

void findings(const Given& given, Review& review) {
  for (const HeardRow& row : review.heard) ask_of(row, given, review);
  for (const TakenRow& row : review.taken) ask_of(row, review);
  for (const Interval& interval : given.measures.intervals)
    if (scoring::judge(interval) == scoring::Objective::missed)
      ask(review, scoring::objective_words(interval),
          "Which single wait was the longest, and what was it for?",
          fmt::format("{} is within its objective", interval.name));
  ask_of_recovery(given, review);
}

}  // namespace firedrill::reviewing
