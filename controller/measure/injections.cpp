// What became of each injection: when the kernel confirmed it, what ended it, and how cleanly.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

InjectionSpan& span_for(const Event& event, std::vector<InjectionSpan>& spans) {
  const std::string id = text_of(event.data, "injection");
  auto found = std::ranges::find(spans, id, &InjectionSpan::injection);
  if (found == spans.end()) {
    spans.push_back({});
    found = std::prev(spans.end());
    found->injection = id;
  }
  const auto learn = [&](std::string& field, std::string_view key) {
    if (field.empty()) field = text_of(event.data, key);
  };
  learn(found->action, "action");
  learn(found->host, "host");
  learn(found->fault, "fault");
  return *found;
}

Instant bounds_of(const Event& event, std::string_view from, std::string_view to) {
  const UtcTime end = time_of(event.data, to).value_or(event.at);
  return between(time_of(event.data, from).value_or(end), end, event.uncertainty);
}

void on_active(const Event& event, InjectionSpan& span) {
  if (span.active) return;
  span.active = bounds_of(event, "started_us", "done_us");
  span.active_seq = event.seq;
  span.on_since = span.active->at;
  if (const Json* values = object_of(event.data, "values")) span.values = *values;
  if (const Json* pattern = object_of(event.data, "pattern"))
    if (auto read = parse_pattern(*pattern, ""); read) span.pattern = *read;
  if (const Json* ramp = object_of(event.data, "ramp"))
    if (auto read = parse_ramp(*ramp, ""); read) span.ramp = std::move(*read);
}

/// Ends the on period that is under way; none is when the injection ended while it was off.
void end_period(InjectionSpan& span, UtcTime at) {
  if (span.on_since) span.on.emplace_back(*span.on_since, std::max(*span.on_since, at));
  span.on_since.reset();
}

void on_paused(const Event& event, InjectionSpan& span) {
  end_period(span, bounds_of(event, "started_us", "done_us").at);
}

void on_resumed(const Event& event, InjectionSpan& span) {
  if (!span.on_since && span.active && !span.ended)
    span.on_since = bounds_of(event, "started_us", "done_us").at;
}

void on_cured(const Event& event, InjectionSpan& span) {
  if (span.cured) return;
  span.cured = true;
  span.cause = "cured";
  span.ended = bounds_of(event, "last_not_us", "seen_us");
  end_period(span, span.ended->at);
  span.ended_seq = event.seq;
}

void on_undone(const Event& event, InjectionSpan& span) {
  // A cure ended the fault before our undo tidied up after it: its instant stands.
  if (!span.cured) {
    span.ended = bounds_of(event, "started_us", "done_us");
    span.cause = text_of(event.data, "cause");
    span.cured = span.cause == "cured";
    end_period(span, span.ended->at);
  }
  span.ended_seq = event.seq;
  span.verified = flag_of(event.data, "verified").value_or(false);
  span.superseded = texts_of(event.data, "superseded");
  span.dirty_at.reset();
  span.dirty = false;  // a repeated undo may mend what an earlier one could not
  span.differences.clear();
}

void on_dirty(const Event& event, InjectionSpan& span) {
  span.dirty = true;
  span.dirty_at = event.at;
  span.verified = false;
  if (span.cause.empty()) span.cause = text_of(event.data, "cause");
  span.ended_seq = event.seq;
  span.differences = texts_of(event.data, "differences");
}

void read_spans(const Log& log, Measures& measures) {
  for (const Event* event : log) {
    if (!event->kind.starts_with("injection.")) continue;
    InjectionSpan& span = span_for(*event, measures.injections);
    if (event->kind == event_kind::injection_active) on_active(*event, span);
    if (event->kind == event_kind::injection_paused) on_paused(*event, span);
    if (event->kind == event_kind::injection_resumed) on_resumed(*event, span);
    if (event->kind == event_kind::injection_adjusted)
      span.ramped_to = text_of(event->data, "value");
    if (event->kind == event_kind::injection_cured) on_cured(*event, span);
    if (event->kind == event_kind::injection_undone) on_undone(*event, span);
    if (event->kind == event_kind::injection_dirty) on_dirty(*event, span);
    if (event->kind == event_kind::injection_failed) {
      span.failed = true;
      span.failure =
          fmt::format("{}: {}", text_of(event->data, "stage"), text_of(event->data, "error"));
      span.ended_seq = event->seq;
    }
  }
}

/// An injection that nobody planned, or more of them than planned, is outside the blast radius.
std::optional<bool> radius_held(const Log& log, const Measures& measures) {
  for (const Event* event : log) {
    if (event->kind != event_kind::run_created) continue;
    const Json* plan = object_of(event->data, "plan");
    if (plan == nullptr || !plan->contains("injections")) return std::nullopt;
    std::set<std::pair<std::string, std::string>> planned;
    for (const Json& item : (*plan)["injections"])
      planned.emplace(text_of(item, "id"), text_of(item, "host"));
    return std::ranges::all_of(measures.injections, [&](const InjectionSpan& span) {
      return !span.active || planned.contains({span.injection, span.host});
    });
  }
  return std::nullopt;
}

}  // namespace

std::vector<Window> on_windows(const Measures& measures, UtcTime until) {
  std::vector<Window> all;
  for (const InjectionSpan& span : measures.injections) {
    all.insert(all.end(), span.on.begin(), span.on.end());
    if (span.on_since) all.emplace_back(*span.on_since, std::max(*span.on_since, until));
  }
  std::ranges::sort(all);
  std::vector<Window> merged;
  for (const Window& window : all) {
    if (!merged.empty() && window.first <= merged.back().second)
      merged.back().second = std::max(merged.back().second, window.second);
    else merged.push_back(window);
  }
  return merged;
}

void injections(const Log& log, Measures& measures) {
  read_spans(log, measures);
  std::optional<Instant> first, last;
  bool all_ended = true;
  for (const InjectionSpan& span : measures.injections) {
    const std::string name = fmt::format("{} on {}", span.fault, span.host);
    if (span.dirty)
      measures.errors.push_back(fmt::format(
          "{} left the host changed ({}): a person must look", name,
          span.differences.empty() ? "no details"
                                   : fmt::format("{}", fmt::join(span.differences, "; "))));
    if (!span.active) continue;
    if (!first || span.active->at < first->at) first = span.active;
    if (!span.ended) all_ended = false;
    if (span.ended && (!last || span.ended->at > last->at)) last = span.ended;
    if (!span.ended && !span.dirty && measures.finished)
      measures.errors.push_back(fmt::format("{}: undo was never confirmed{}", name,
                                            span.failed ? " (" + span.failure + ")" : ""));
  }
  measures.points.injected = first;
  if (first && all_ended) measures.points.reverted = last;
  measures.radius_held = radius_held(log, measures);
}

}  // namespace firedrill::measuring
