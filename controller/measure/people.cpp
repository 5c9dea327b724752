// What people did: acknowledgement, runbook steps with their evidence, notes and halts.
#include <algorithm>

#include <fmt/format.h>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

/// Evidence from before the fault shows nothing about the response to it.
bool too_early(const Instant& seen, const Measures& measures) {
  return measures.points.injected && seen.latest() < measures.points.injected->earliest();
}

bool acknowledges(const Event& event, const Experiment& experiment) {
  const std::string alert = text_of(event.data, "alertname");
  if (alert.empty()) return true;
  // A pager tells of every incident; its title holds the name of the alert that it stands for.
  const Json* labels = object_of(event.data, "labels");
  const bool pager = labels != nullptr && event.source.starts_with("detector:");
  bool named = false;
  for (const ExpectedDetection& expected : experiment.expected) {
    const auto label = expected.match.labels.find("alertname");
    if (pager && expected.match.matches(*labels)) return true;
    if (label == expected.match.labels.end()) continue;
    if (label->second == alert || (pager && alert.contains(label->second))) return true;
    named = true;
  }
  return !named;
}

/// The first acknowledgement after the injection, with the event that shows it.
const Event* first_ack(const Log& log, const Experiment& experiment, const Measures& measures) {
  for (const Event* event : log) {
    if (event->kind != event_kind::acknowledged || !acknowledges(*event, experiment)) continue;
    if (!too_early({event->at, event->uncertainty, event->uncertainty}, measures)) return event;
  }
  return nullptr;
}

void take(StepResult& result, StepEvidence evidence, const Instant& done, const Event& event) {
  if (result.evidence > evidence) return;  // a machine's word is not replaced by a person's
  if (result.evidence == evidence && result.done && result.done->at <= done.at) return;
  result.evidence = evidence;
  result.done = done;
  result.seq = event.seq;
}

/// True when an undo of ours on that host came before, so that it may be what the machine saw.
bool may_be_our_undo(const Instant& done, const std::string& host, const Measures& measures) {
  return std::ranges::any_of(measures.injections, [&](const InjectionSpan& span) {
    return span.host == host && span.ended && !span.cured && span.superseded.empty() &&
           span.ended->earliest() <= done.latest();
  });
}

void read_evidence(const Log& log, const Measures& measures, StepResult& result) {
  std::string word_of;
  for (const Event* event : log) {
    const bool verified = event->kind == event_kind::step_verified;
    if (!verified && event->kind != event_kind::step_done) continue;
    if (text_of(event->data, "step") != result.id) continue;
    const UtcTime seen = time_of(event->data, "seen_us").value_or(event->at);
    const UtcTime not_yet = time_of(event->data, "last_not_us").value_or(seen);
    const Instant done = verified ? between(not_yet, seen, event->uncertainty)
                                  : Instant{event->at, event->uncertainty, event->uncertainty};
    if (too_early(done, measures)) continue;
    if (verified && may_be_our_undo(done, text_of(event->data, "host"), measures)) continue;
    take(result, verified ? StepEvidence::machine : StepEvidence::attested, done, *event);
    if (!verified && word_of.empty()) word_of = text_of(event->data, "who");
    if (!verified && result.detail.empty()) result.detail = text_of(event->data, "note");
    if (verified) result.detail = text_of(event->data, "evidence");
  }
  if (result.evidence == StepEvidence::attested && !word_of.empty())
    result.detail = fmt::format("on the word of {}{}{}", word_of, result.detail.empty() ? "" : ": ",
                                result.detail);
}

/// Out of order only when the bounds leave no doubt.
std::string order_fault(const RunbookStep& step, const StepResult& result,
                        const std::vector<StepResult>& all) {
  for (const std::string& name : step.after) {
    const auto earlier = std::ranges::find(all, name, &StepResult::id);
    if (earlier == all.end()) continue;
    if (!earlier->done) return fmt::format("before '{}', which was not done", name);
    if (earlier->done->earliest() > result.done->latest()) return fmt::format("before '{}'", name);
  }
  return {};
}

void judge(const RunbookStep& step, const std::vector<StepResult>& all, StepResult& result) {
  if (!result.done) {
    result.outcome = StepOutcome::skipped;
    if (result.detail.empty()) result.detail = "no evidence";
    return;
  }
  const bool late = result.due && result.done->at > *result.due;
  result.outcome = late ? StepOutcome::late : StepOutcome::on_time;
  std::string verdict;
  if (late) verdict = fmt::format("by {}", in_words(result.done->at - *result.due));
  if (step.within && !result.due) verdict = "no alert to time it from";
  if (const std::string fault = order_fault(step, result, all); !fault.empty()) {
    result.outcome = StepOutcome::out_of_order;
    verdict += (verdict.empty() ? "" : ", ") + fault;
  }
  if (verdict.empty()) return;
  result.detail = verdict + (result.detail.empty() ? "" : "; ") + result.detail;
}

void read_marks(const Log& log, Measures& measures) {
  for (const Event* event : log) {
    const Json& data = event->data;
    std::string who = text_of(data, "who");
    if (who.empty()) who = event->source;
    const auto mark = [&](std::string kind, std::string text) {
      measures.marks.push_back({event->at, std::move(kind), who, std::move(text), event->seq});
    };
    if (event->kind == event_kind::acknowledged) mark("ack", text_of(data, "alertname"));
    if (event->kind == event_kind::note) mark("note", text_of(data, "text"));
    if (event->kind == event_kind::halt_requested) mark("halt", text_of(data, "reason"));
    if (event->kind != event_kind::inject_sent) continue;
    who = text_of(data, "to");
    mark("inject", text_of(data, "content"));
  }
}

/// The step that mends it: the last critical one, or the last of all.
const RunbookStep* mending_step(const std::vector<RunbookStep>& steps) {
  const RunbookStep* last = nullptr;
  for (const RunbookStep& step : steps)
    if (step.critical || last == nullptr || !last->critical) last = &step;
  return last;
}

Rung diagnosed(const Experiment& experiment, const Measures& measures) {
  Rung rung;
  rung.name = "diagnosed";
  rung.watched = false;
  const RunbookStep* mending = mending_step(experiment.steps);
  for (std::size_t i = 0; i < experiment.steps.size(); ++i) {
    const RunbookStep& step = experiment.steps[i];
    if (&step == mending) break;
    if (step.verify.kind == StepVerification::Kind::ack) continue;
    rung.watched = true;
    const std::optional<Instant>& done = measures.steps[i].done;
    const auto& mitigated = measures.points.mitigated;
    if (!done || (mitigated && done->earliest() > mitigated->latest())) continue;
    if (!rung.at || done->at < rung.at->at) rung.at = done;
  }
  rung.reached = rung.at.has_value();
  return rung;
}

}  // namespace

void people(const Log& log, const Experiment& experiment, Measures& measures) {
  const Event* ack = first_ack(log, experiment, measures);
  if (ack != nullptr && (measures.points.injected || measures.sham))
    measures.points.acknowledged = Instant{ack->at, ack->uncertainty, ack->uncertainty};
  for (const RunbookStep& step : experiment.steps) {
    StepResult& result = measures.steps.emplace_back();
    result.id = step.id;
    result.title = step.title;
    result.who = step.who;
    result.weight = step.weight;
    result.critical = step.critical;
    result.checkable = step.verify.kind != StepVerification::Kind::attested;
    if (step.within && measures.points.fired) result.due = measures.points.fired->at + *step.within;
    // An acknowledgement is the act itself, recorded when it was made: no one's word about it.
    if (step.verify.kind == StepVerification::Kind::ack && ack != nullptr)
      take(result, StepEvidence::machine, {ack->at, ack->uncertainty, ack->uncertainty}, *ack);
    read_evidence(log, measures, result);
  }
  for (std::size_t i = 0; i < experiment.steps.size(); ++i)
    judge(experiment.steps[i], measures.steps, measures.steps[i]);
  measures.response_asked = !experiment.steps.empty() || experiment.responder.has_value() ||
                            experiment.objectives.ttm.has_value() ||
                            experiment.objectives.tta.has_value();
  read_marks(log, measures);
}

std::vector<Rung> ladder(const Experiment& experiment, const Measures& measures) {
  const ClockPoints& points = measures.points;
  const bool webhook = std::ranges::any_of(experiment.detectors, &Detector::webhook);
  const auto rung = [](std::string name, bool watched, const std::optional<Instant>& at) {
    return Rung{.name = std::move(name), .watched = watched, .reached = at.has_value(), .at = at};
  };
  return {rung("injected", true, points.injected),
          rung("impacted", !experiment.probes.empty(), points.impacted),
          rung("alerted", !experiment.expected.empty(), points.fired),
          rung("notified", webhook, points.notified),
          rung("acknowledged", measures.response_asked || points.acknowledged.has_value(),
               points.acknowledged),
          diagnosed(experiment, measures),
          rung("mitigated", true, points.mitigated),
          rung("recovered", true, points.recovered)};
}

}  // namespace firedrill::measuring
