// The tables below the picture: the same facts in words and numbers, with their bounds.
#include <algorithm>
#include <map>
#include <ranges>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "controller/report/html.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr std::size_t kMostRows = 60;

std::string cell(std::string_view text, std::string_view style = "") {
  return style.empty() ? fmt::format("<td>{}</td>", escape(text))
                       : fmt::format("<td class=\"{}\">{}</td>", style, escape(text));
}

std::string open_table(std::string_view title, std::initializer_list<std::string_view> columns) {
  std::string out = fmt::format("<h2>{}</h2><div class=\"card scroll\"><table><thead><tr>", title);
  for (const std::string_view column : columns) out += fmt::format("<th>{}</th>", column);
  return out + "</tr></thead><tbody>\n";
}

std::string close_table(std::size_t total, std::string_view note = "") {
  std::string out = "</tbody></table>";
  if (total > kMostRows) out += fmt::format("<p class=\"note\">and {} more</p>", total - kMostRows);
  if (!note.empty()) out += fmt::format("<p class=\"note\">{}</p>", note);
  return out + "</div>\n";
}

std::string when(const std::optional<Instant>& at, UtcTime origin) {
  return at ? since(at->at, origin) : "";
}

std::string_view style_of(DetectionOutcome outcome) {
  if (outcome == DetectionOutcome::in_time) return "ok";
  return outcome == DetectionOutcome::missed || outcome == DetectionOutcome::late ? "no" : "eh";
}

std::string waking_of(const DetectionResult& result, const Measures& measures) {
  const auto alert = std::ranges::find(measures.alerts, result.seq, &AlertSpan::seq);
  return result.fired && alert != measures.alerts.end() ? waking_words(*alert) : "";
}

/// Alerts that nobody expected, as people think of them: by name, whoever saw them.
struct Unexpected {
  bool forbidden = false;
  std::string name, waking, why;
  std::optional<Instant> fired;             ///< the first time
  std::map<std::string, std::size_t> seen;  ///< times, by detector
};

std::vector<Unexpected> unexpected_alerts(const Measures& measures) {
  std::vector<Unexpected> out;
  for (const AlertSpan& alert : measures.alerts) {
    if (alert.expected) continue;
    Unexpected one;
    one.forbidden = alert.forbidden && alert.fired && !alert.before_injection;
    one.name = alert.alertname;
    one.waking = alert.fired ? waking_words(alert) : "";
    one.why = !alert.fired             ? "pending only"
              : alert.before_injection ? "was on before the injection"
                                       : "";
    const auto known = std::ranges::find_if(out, [&](const Unexpected& other) {
      return std::tie(other.forbidden, other.name, other.waking, other.why) ==
             std::tie(one.forbidden, one.name, one.waking, one.why);
    });
    Unexpected& row = known == out.end() ? out.emplace_back(std::move(one)) : *known;
    ++row.seen[alert.detector];
    if (alert.fired && (!row.fired || alert.fired->at < row.fired->at)) row.fired = alert.fired;
  }
  return out;
}

std::string row_of(const Unexpected& alert, UtcTime origin) {
  const std::size_t times = std::ranges::max(alert.seen | std::views::values);
  std::string words = alert.why;
  if (times > 1) words += fmt::format("{}{} times", words.empty() ? "" : "; ", times);
  return "<tr>" +
         cell(alert.forbidden ? "✕ forbidden" : "– not expected", alert.forbidden ? "no" : "eh") +
         cell(shorten(alert.name, 80)) +
         cell(fmt::format("{}", fmt::join(alert.seen | std::views::keys, ", ")), "s") +
         cell(when(alert.fired, origin), "r") + cell("", "r") + cell(alert.waking, "s") +
         cell(words, "s") + "</tr>\n";
}

std::string clocks_note(const Measures& measures) {
  std::string out;
  for (const ClockSpan& clock : measures.clocks)
    out += fmt::format("{}{} {}", out.empty() ? "Clocks against the controller’s: " : ", ",
                       clock.name, clock_words(clock));
  return escape(shorten(out, 600));
}

}  // namespace

std::string html_prediction_table(const Measures& measures) {
  std::string out =
      open_table("Predicted against measured", {"", "segment", "predicted", "measured", "why"});
  std::size_t rows = 0;
  for (const Prediction& prediction : measures.predictions) {
    if (++rows > kMostRows) continue;
    out += "<tr>" + cell(shorten(prediction.detection, 80)) + cell("fault to alert", "r") +
           cell(range_words(prediction.fire), "r") +
           cell(prediction.fire_measured ? range_words(prediction.fire_measured) : "", "r") +
           cell(shorten(prediction.why_none.empty() ? "cause: " + prediction.cause
                                                    : prediction.why_none,
                        240),
                "s") +
           "</tr>\n";
    for (const Segment& segment : prediction.segments) {
      if (++rows > kMostRows) continue;
      const bool longer = segment.excess() > Duration{0};
      out += "<tr>" + cell(longer ? "✕ longer" : "", longer ? "no" : "") + cell(segment.name, "r") +
             cell(range_words(segment.predicted), "r") +
             cell(segment.measured ? range_words(segment.measured) : "", "r") +
             cell(shorten(segment.why, 200), "s") + "</tr>\n";
    }
  }
  const std::string note = clocks_note(measures);
  if (rows == 0) return note.empty() ? "" : "<p class=\"note\">" + note + "</p>\n";
  return out + close_table(rows, note);
}

std::string html_legend() {
  constexpr std::pair<std::string_view, std::string_view> kItems[] = {
      {"<rect class=\"alert pending\" y=\"2\" width=\"20\" height=\"10\" rx=\"2\"/>",
       "alert pending"},
      {"<rect class=\"alert\" y=\"2\" width=\"20\" height=\"10\" rx=\"2\"/>", "alert firing"},
      {"<g class=\"notified\"><path d=\"M10 11L15.5 2.5H4.5Z\"/></g>", "notification received"},
      {"<g class=\"window-cap\"><path d=\"M1 5V10H19V5\"/></g>", "time an alert was allowed"},
      {"<g class=\"step machine\"><path d=\"M10 0L17 7L10 14L3 7Z\"/></g>", "step seen by machine"},
      {"<g class=\"step word\"><circle cx=\"10\" cy=\"7\" r=\"5.6\"/></g>",
       "step on a person’s word"},
      {"<rect class=\"plan\" y=\"1\" width=\"20\" height=\"12\" rx=\"3\"/>",
       "time a step was planned for"},
      {"<g class=\"end cured\"><circle cx=\"10\" cy=\"7\" r=\"7\"/><path d=\"M7 7l2.2 "
       "2.6L13.2 4.4\"/></g>",
       "fault cured by responders"},
      {"<rect class=\"sure\" y=\"1\" width=\"20\" height=\"12\"/>", "uncertainty"},
      {"<g class=\"goal\"><path d=\"M8 -1V15\"/><path d=\"M8 -1L14 2L8 5Z\"/></g>", "objective"}};
  std::string out = "<div class=\"legend\">";
  for (const auto& [shape, words] : kItems)
    out += fmt::format("<span><svg viewBox=\"0 0 20 14\" aria-hidden=\"true\">{}</svg>{}</span>",
                       shape, words);
  return out +
         "<span class=\"zoom-note\">Drag across to zoom, double-click to return.</span></div>";
}

std::string html_interval_table(const Measures& measures) {
  if (!measures.points.injected) return {};
  std::string out =
      open_table("Intervals", {"", "from", "to", "value", "the truth is within", "objective", ""});
  for (const Interval& interval : measures.intervals) {
    const std::string_view word = objective_word(interval);
    const bool none = !interval.value && !interval.censored_at;
    const std::string bounds = interval.value         ? bounds_of(interval)
                               : interval.censored_at ? "it did not come while we watched"
                                                      : interval.why_none;
    out += "<tr>" + cell(interval.name, "r") +
           cell(fmt::format("{} ({})", point_name(interval.from), interval.from), "r s") +
           cell(fmt::format("{} ({})", point_name(interval.to), interval.to), "r s") +
           cell(none ? "none" : value_of(interval), "r") + cell(bounds, "s") +
           cell(interval.objective ? spoken(*interval.objective) : "", "r") +
           cell(word == "met"      ? "✓ met"
                : word == "missed" ? "✕ missed"
                : word == "open"   ? "? open"
                                   : "",
                word == "met"      ? "ok"
                : word == "missed" ? "no"
                                   : "eh") +
           "</tr>\n";
  }
  return out +
         close_table(0,
                     "Times are on the controller’s clock. Each end of an interval lies between "
                     "two observations; clock error is included.");
}

std::string html_detection_table(const Measures& measures) {
  const UtcTime origin = origin_of(measures);
  std::string out = open_table(
      "Detections", {"", "what", "detector", "fired", "allowed", "would wake", "in words"});
  std::size_t rows = 0;
  for (const DetectionResult& result : measures.detections) {
    if (++rows > kMostRows) continue;
    const std::string_view style = style_of(result.outcome);
    out += "<tr>" +
           cell(fmt::format("{} {}",
                            style == "ok"   ? "✓"
                            : style == "no" ? "✕"
                                            : "?",
                            word(result.outcome)),
                style) +
           cell(shorten(result.name, 80)) +
           cell(result.source.empty() ? "any" : result.source, "s") +
           cell(when(result.fired, origin), "r") + cell(spoken(result.within), "r") +
           cell(waking_of(result, measures), "s") + cell(shorten(result.why, 200), "s") + "</tr>\n";
  }
  for (const Unexpected& alert : unexpected_alerts(measures))
    if (++rows <= kMostRows) out += row_of(alert, origin);
  return rows == 0 ? "" : out + close_table(rows);
}

std::string html_step_table(const Measures& measures) {
  if (measures.steps.empty() || !measures.points.injected) return {};
  const UtcTime origin = origin_of(measures);
  std::string out =
      open_table("Runbook", {"", "step", "who", "done", "due", "evidence", "weight", "in words"});
  std::size_t rows = 0;
  for (const StepResult& step : measures.steps) {
    if (++rows > kMostRows) continue;
    const bool good = step.outcome == StepOutcome::on_time;
    out +=
        "<tr>" +
        cell(fmt::format("{} {}", good ? "✓" : "✕", word(step.outcome)), good ? "ok" : "no") +
        cell(shorten(step.title.empty() ? step.id : step.title, 90)) + cell(step.who, "s") +
        cell(when(step.done, origin), "r") + cell(step.due ? since(*step.due, origin) : "", "r") +
        cell(word(step.evidence), "s") +
        cell(fmt::format("{}{}", number(step.weight), step.critical ? ", critical" : ""), "r s") +
        cell(shorten(step.detail, 240), "s") + "</tr>\n";
  }
  return out + close_table(rows);
}

std::string html_host_table(const Measures& measures) {
  if (measures.injections.empty()) return {};
  const UtcTime origin = origin_of(measures);
  std::string out = open_table(
      "Faults and their undo",
      {"", "fault", "host", "on", "off", "by turns or ramp", "why it ended", "host afterwards"});
  std::size_t rows = 0;
  for (const InjectionSpan& span : measures.injections) {
    if (++rows > kMostRows) continue;
    const bool clean = span.active && span.ended && span.verified && !span.dirty;
    std::string after = clean ? "reads as before" : "not read back";
    if (!span.superseded.empty())
      after += fmt::format("; left as responders set it: {}", fmt::join(span.superseded, ", "));
    if (!span.active) after = "never on: " + span.failure;
    else if (!span.ended) after = "undo was never confirmed";
    if (span.dirty) after = fmt::format("changed: {}", fmt::join(span.differences, "; "));
    out += "<tr>" +
           cell(clean         ? "✓ clean"
                : span.active ? "✕ not clean"
                              : "– not on",
                clean         ? "ok"
                : span.active ? "no"
                              : "eh") +
           cell(span.fault) + cell(span.host, "s") + cell(when(span.active, origin), "r") +
           cell(when(span.ended, origin), "r") +
           cell(shorten(course_words(span, measures.ended), 200), "s") +
           cell(cause_words(span.cause), "s") + cell(shorten(after, 300), "s") + "</tr>\n";
  }
  return out + close_table(rows);
}

std::string html_event_table(std::span<const Event> events, UtcTime origin,
                             std::size_t most_bytes) {
  std::string rows;
  std::size_t shown = 0, samples = 0, left_out = 0;
  for (const Event& event : events) {
    if (event.kind == event_kind::probe_sample || event.kind == event_kind::slo_sample) {
      ++samples;
      continue;
    }
    const std::string data = event.data.dump(-1, ' ', false, Json::error_handler_t::replace);
    const std::string row = fmt::format("<tr id=\"e{0}\"><td>{0}</td>", event.seq) +
                            cell(since(event.at, origin), "r") +
                            cell(shorten(event.source, 40), "r s") + cell(event.kind, "r") +
                            cell(shorten(data, 260), "d") + "</tr>\n";
    if (rows.size() + row.size() > most_bytes) {
      ++left_out;
      continue;
    }
    rows += row;
    ++shown;
  }
  std::string note =
      fmt::format("{} events; {} samples are in the picture and tables only", shown, samples);
  if (left_out > 0) note += fmt::format("; {} more did not fit and are in the run’s log", left_out);
  return fmt::format(
      "<section class=\"log-section\"><h2>Event log</h2><div class=\"card\"><details><summary>{}"
      "</summary><input id=\"filter\" type=\"search\" placeholder=\"Filter\" aria-label=\"Filter "
      "the "
      "log\"><div class=\"scroll\"><table class=\"log\"><thead><tr><th>#</th><th>when</th>"
      "<th>source</th><th>kind</th><th>data</th></tr></thead><tbody>\n{}</tbody></table></div>"
      "</details></div></section>\n",
      note, rows);
}

}  // namespace firedrill::reporting
