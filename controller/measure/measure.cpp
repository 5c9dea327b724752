// Assembles the measures from the log: pure, and the same whatever order the events arrived in.
#include <algorithm>

#include <fmt/format.h>

#include "controller/measure/parts.hpp"

namespace firedrill {
namespace measuring {
namespace {

bool ends_watching(const Event& event) {
  return event.kind != event_kind::run_verdict && event.kind != event_kind::note;
}

void frame(const Log& log, Measures& measures) {
  measures.run = log.front()->run;
  measures.started = log.front()->at;
  measures.ended = measures.started;
  for (const Event* event : log) {
    if (ends_watching(*event)) measures.ended = std::max(measures.ended, event->at);
    if (event->kind == event_kind::run_verdict) measures.finished = true;
    if (event->kind == event_kind::run_created)
      measures.sham = flag_of(event->data, "sham").value_or(false);
    if (event->kind != event_kind::run_phase) continue;
    const std::string phase = text_of(event->data, "phase");
    if (!measures.phases.empty()) measures.phases.back().to = event->at;
    if (phase == "finished") measures.finished = true;
    else measures.phases.push_back({.phase = phase, .from = event->at, .to = event->at});
  }
  if (!measures.phases.empty() && !measures.finished) measures.phases.back().to = measures.ended;
}

void add_once(std::vector<std::string>& lines, std::string line) {
  if (!line.empty() && std::ranges::find(lines, line) == lines.end())
    lines.push_back(std::move(line));
}

void read_halt(const Event& event, Measures& measures) {
  if (measures.halted_at) return;
  measures.halted_at = event.at;
  const std::string reason = text_of(event.data, "reason");
  measures.halted_by = text_of(event.data, "who") + (reason.empty() ? "" : ": " + reason);
}

/// The run's own word on its end, which the last phase carries.
void read_end(const Event& event, Measures& measures) {
  const std::string outcome = text_of(event.data, "outcome");
  std::vector<std::string> reasons = texts_of(event.data, "reasons");
  if (outcome == "error") {
    if (reasons.empty()) reasons.emplace_back("the run ended in error and said no more");
    for (std::string& reason : reasons) add_once(measures.errors, std::move(reason));
  }
  if (outcome == "not-started")
    for (std::string& reason : reasons) add_once(measures.doubts, std::move(reason));
  if (outcome != "aborted" || measures.halted_at) return;
  const auto healing = std::ranges::find(measures.phases, "healing", &PhaseSpan::phase);
  measures.halted_at = healing == measures.phases.end() ? event.at : healing->from;
  measures.halted_by = "the run itself" + (reasons.empty() ? "" : ": " + reasons.front());
}

/// What only the run itself can know: a halt, and how it ended. A recorded verdict repeats what was
/// judged and changes nothing, except for an error that nothing else tells.
void outcome(const Log& log, Measures& measures) {
  for (const Event* event : log)
    if (event->kind == event_kind::halt_requested) read_halt(*event, measures);
  for (const Event* event : log) {
    if (event->kind == event_kind::run_phase) read_end(*event, measures);
    if (event->kind != event_kind::run_verdict || text_of(event->data, "verdict") != "error")
      continue;
    for (std::string& reason : texts_of(event->data, "reasons"))
      add_once(measures.errors, std::move(reason));
  }
}

void steadiness(const Log& log, Measures& measures) {
  for (const Event* event : log) {
    if (event->kind != event_kind::steady_state) continue;
    const bool before = text_of(event->data, "when") == "before";
    (before ? measures.steady_before : measures.steady_after) = flag_of(event->data, "met");
  }
}

void budget(const Experiment& experiment, Measures& measures) {
  const Objectives& objectives = experiment.objectives;
  if (!measures.points.injected) return;
  if (!objectives.slo || !objectives.window) {
    for (const SloResult& slo : measures.slos)
      if (slo.spent)
        measures.budget_spent = std::max(*slo.spent, measures.budget_spent.value_or(0));
    return;
  }
  const double allowed = static_cast<double>(objectives.window->count()) * (1 - *objectives.slo);
  if (allowed > 0) measures.budget_spent = static_cast<double>(measures.breached.count()) / allowed;
}

void doubt_probes(const Experiment& experiment, const std::vector<Track>& tracks,
                  Measures& measures) {
  for (const ProbeSpec& spec : experiment.probes) {
    const bool measured = std::ranges::any_of(tracks, [&](const Track& track) {
      return track.series.probe == spec.name &&
             std::ranges::any_of(
                 track.moods, [](const Mood& mood) { return mood.state != Mood::State::unknown; });
    });
    if (!measured)
      measures.doubts.push_back(fmt::format("probe '{}' never gave a value", spec.name));
  }
  const auto& injected = measures.points.injected;
  for (const Track& track : tracks)
    for (const Breach& breach : breaches_of(track))
      if (injected && breach.first_bad_to <= injected->earliest() &&
          breach.until > injected->earliest())
        measures.doubts.push_back(fmt::format(
            "probe '{}' was out of tolerance already when the fault began", track.series.probe));
}

void doubt_injections(Measures& measures) {
  if (measures.sham) return;
  const bool any = measures.points.injected.has_value();
  if (!any) measures.doubts.push_back("no injection was confirmed: nothing can be said");
  for (const InjectionSpan& span : measures.injections)
    if (span.failed && !span.active)
      measures.doubts.push_back(fmt::format("{} on {} was not injected ({}){}", span.fault,
                                            span.host, span.failure,
                                            any ? ": only part of the fault was on" : ""));
}

}  // namespace

void doubts(const Log& log, const Experiment& experiment, const std::vector<Track>& tracks,
            Measures& measures) {
  doubt_injections(measures);
  clocks(log, measures);
  if (!measures.finished) measures.doubts.push_back("the log ends before the run was finished");
  if (measures.steady_before == false)
    measures.doubts.push_back("the steady state did not hold before the fault");
  doubt_probes(experiment, tracks, measures);
  for (const DetectionResult& result : measures.detections) {
    const bool settled = result.outcome != DetectionOutcome::unknown &&
                         result.outcome != DetectionOutcome::already_firing;
    if (!settled && measures.points.injected)
      measures.doubts.push_back(fmt::format("detection '{}': {}", result.name, result.why));
  }
  if (measures.forbidden_asked && measures.points.injected &&
      was_blind(log, "", measures.points.injected->at, measures.ended))
    measures.doubts.emplace_back("a detector was lost during the fault: forbidden alerts unseen");
  const bool asked = !experiment.expected.empty() || measures.forbidden_asked;
  if (measures.sham && asked && was_blind(log, "", measures.started, measures.ended))
    measures.doubts.emplace_back("a detector was lost: a false alarm would not have been seen");
  doubt_clocks(experiment, measures);
}

}  // namespace measuring

Result<Experiment> experiment_of(std::span<const Event> events) {
  for (const Event& event : events) {
    if (event.kind != event_kind::run_created) continue;
    const Json* source = measuring::object_of(event.data, "experiment");
    if (source == nullptr) return fail(ErrorCode::corrupt, "run.created holds no experiment");
    std::string id = measuring::text_of(event.data, "experiment_id");
    if (id.empty()) id = event.run;
    Result<Experiment> experiment = parse_experiment(*source, id, ".");
    if (!experiment)
      return fail(ErrorCode::corrupt, "the log's experiment: " + describe(experiment.error()));
    return experiment;
  }
  return fail(ErrorCode::corrupt, "the log holds no run.created event");
}

Result<Measures> measure(std::span<const Event> events) {
  const Result<Experiment> experiment = experiment_of(events);
  if (!experiment) return std::unexpected(experiment.error());
  return measure(events, *experiment);
}

Result<Measures> measure(std::span<const Event> events, const Experiment& experiment) {
  const measuring::Log log = measuring::in_order(events);
  if (log.empty()) return fail(ErrorCode::corrupt, "the log is empty");
  Measures measures;
  measuring::frame(log, measures);
  measuring::steadiness(log, measures);
  measuring::injections(log, measures);
  measuring::outcome(log, measures);
  std::vector<measuring::Track> tracks = measuring::tracks_of(log, experiment);
  measuring::impact(tracks, measures);
  measuring::alerts(log, experiment, measures);
  measuring::detections(log, experiment, measures);
  measuring::recovery(tracks, experiment, log, measures);
  measuring::describe_series(tracks, measures);
  for (const measuring::Track& track : tracks) measures.series.push_back(track.series);
  measuring::people(log, experiment, measures);
  measuring::slos(log, experiment, tracks, measures);
  measuring::operating_modes(log, experiment, measures);
  measuring::budget(experiment, measures);
  measuring::predictions(log, experiment, measures);
  measures.intervals = measuring::intervals(experiment, measures);
  measures.ladder = measuring::ladder(experiment, measures);
  measuring::doubts(log, experiment, tracks, measures);
  return measures;
}

}  // namespace firedrill
