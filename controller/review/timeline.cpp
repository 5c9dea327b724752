// What happened, in order and with its source; and what people said beside what was true then.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "controller/review/parts.hpp"

namespace firedrill::reviewing {
namespace {

class Rows {
 public:
  explicit Rows(const Cast& cast) : cast_(cast) {}

  void add(UtcTime at, std::string what, std::int64_t seq, std::string_view computed = "") {
    std::string source = cast_.source_of(seq);
    if (source.empty()) source = computed;
    rows_.emplace(at, TimelineRow{at, std::move(what), std::move(source), seq});
  }
  void add(const std::optional<Instant>& at, std::string what, std::int64_t seq,
           std::string_view computed = "") {
    if (!at) return;
    const Duration wide = std::max(at->early, at->late);
    if (wide >= Duration{100'000}) what += fmt::format(" (± {})", seconds(wide));
    add(at->at, std::move(what), seq, computed);
  }
  [[nodiscard]] std::vector<TimelineRow> take() {
    std::vector<TimelineRow> out;
    for (auto& [at, row] : rows_) out.push_back(std::move(row));
    return out;
  }

 private:
  const Cast& cast_;
  std::multimap<UtcTime, TimelineRow> rows_;  ///< equal times stay in the order of adding
};

void add_injections(const Measures& measures, Rows& rows) {
  for (const InjectionSpan& span : measures.injections) {
    const std::string what = fmt::format("{} on {}", span.fault, span.host);
    rows.add(span.active, what + " is on", span.active_seq);
    rows.add(span.ended,
             fmt::format("{} is off ({}){}", what, span.cause,
                         span.verified ? ", the host reads as before" : ""),
             span.ended_seq);
    if (span.dirty_at) rows.add(*span.dirty_at, what + ": the host was left changed", 0, "agent");
  }
}

void add_alerts(const Measures& measures, Rows& rows) {
  for (const AlertSpan& alert : measures.alerts) {
    const std::string source = "detector:" + alert.detector;
    rows.add(alert.pending, alert.alertname + " is pending", 0, source);
    rows.add(alert.fired, alert.alertname + " fires", alert.seq, source);
    rows.add(alert.notified, alert.alertname + ": somebody is told", 0, source);
    rows.add(alert.resolved, alert.alertname + " is over", 0, source);
  }
}

void add_samples(const Measures& measures, Rows& rows) {
  for (const SliSeries& series : measures.series)
    for (const auto& [from, to] : series.breaches) {
      const std::string probe = fmt::format("probe {} from {}", series.probe, series.host);
      rows.add(from, fmt::format("{} leaves its tolerance", series.probe), 0, probe);
      rows.add(to, fmt::format("{} is within its tolerance", series.probe), 0, probe);
    }
  rows.add(measures.points.mitigated, "users are whole again, with a fault still on", 0,
           "computed from the probes");
  rows.add(measures.points.recovered, "the steady state holds again", 0,
           "computed from the probes");
}

std::string mark_words(const Mark& mark) {
  if (mark.kind == "ack") return mark.text.empty() ? "acknowledged" : "acknowledged " + mark.text;
  if (mark.kind == "note") return "note: " + mark.text;
  if (mark.kind == "halt") return "halt: " + mark.text;
  return mark.kind == "inject" ? "facilitator's message: " + mark.text : mark.kind;
}

void add_people(const Measures& measures, Rows& rows) {
  for (const Mark& mark : measures.marks) rows.add(mark.at, mark_words(mark), mark.seq, mark.kind);
  for (const StepResult& step : measures.steps)
    rows.add(step.done,
             fmt::format("step '{}' {}", step.id,
                         step.evidence == StepEvidence::machine ? "seen by machine" : "reported"),
             step.seq);
}

/// What was true at an instant, as far as it is known.
std::string truth_at(const Measures& measures, UtcTime at) {
  std::string out;
  const auto add = [&out](std::string_view words) {
    out += fmt::format("{}{}", out.empty() ? "" : "; ", words);
  };
  for (const InjectionSpan& span : measures.injections)
    if (span.active)
      add(fmt::format("{} on {} {}", span.fault, span.host,
                      on_at(span, at)                      ? "on"
                      : span.ended && span.ended->at <= at ? "off again"
                      : span.active->at > at               ? "not on yet"
                                                           : "in an off period"));
  for (const SliSeries& series : measures.series) {
    const bool hurt = std::ranges::any_of(series.breaches, [&](const auto& breach) {
      return breach.first <= at && at < breach.second;
    });
    if (hurt) add(fmt::format("{} out of tolerance", series.probe));
  }
  std::set<std::string> firing;  // one alert may be heard by several detectors
  for (const AlertSpan& alert : measures.alerts)
    if (alert.fired && alert.fired->at <= at && (!alert.resolved || alert.resolved->at > at))
      firing.insert(alert.alertname);
  for (const std::string& name : firing) add(name + " firing");
  return out.empty() ? "nothing was injected" : out;
}

std::string text_in(const Event& event, std::string_view key) {
  const auto found = event.data.find(key);
  return found != event.data.end() && found->is_string() ? found->get<std::string>() : "";
}

/// In their own words; an acknowledgement says that the alert is believed.
std::optional<std::string> said_in(const Event& event) {
  if (event.kind == event_kind::note) return text_in(event, "text");
  if (event.kind == event_kind::acknowledged) {
    const std::string alert = text_in(event, "alertname");
    return "acknowledged" + (alert.empty() ? "" : " " + alert);
  }
  if (event.kind == event_kind::step_done) {
    const std::string note = text_in(event, "note");
    return fmt::format("step '{}' done{}{}", text_in(event, "step"), note.empty() ? "" : ": ",
                       note);
  }
  const bool noticed = event.kind == event_kind::alert_firing &&
                       (event.source == "detector:person" || text_in(event, "who") != "");
  if (noticed) return "noticed: " + text_in(event, "alertname");
  return std::nullopt;
}

}  // namespace

std::vector<TimelineRow> timeline(const Given& given) {
  Rows rows(given.cast);
  for (const PhaseSpan& phase : given.measures.phases)
    rows.add(phase.from, fmt::format("phase {} begins", phase.phase), 0, "controller");
  add_injections(given.measures, rows);
  add_samples(given.measures, rows);
  add_alerts(given.measures, rows);
  add_people(given.measures, rows);
  return rows.take();
}

std::vector<BeliefRow> beliefs(const Given& given) {
  std::vector<BeliefRow> out;
  for (const Event& event : given.events) {
    const auto said = said_in(event);
    if (!said) continue;
    out.push_back({event.at, given.cast.source_of(event.seq), *said,
                   truth_at(given.measures, event.at), event.seq});
  }
  std::ranges::sort(out, {}, [](const BeliefRow& row) { return std::pair(row.at, row.seq); });
  return out;
}

}  // namespace firedrill::reviewing
