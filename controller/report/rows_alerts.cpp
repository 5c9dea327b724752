// Rows of the picture: alerts, the expected ones with the time they were allowed, others below.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "controller/report/picture.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr std::size_t kMostAlerts = 24;
constexpr double kRow = 33;

void draw_span(Picture& picture, const AlertSpan& alert, double middle, std::string_view style) {
  const Axis& axis = picture.axis;
  const UtcTime end = alert.resolved ? alert.resolved->at : picture.measures.ended;
  const std::string labels = alert.labels.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string tip = fmt::format("{} ({})", alert.alertname, alert.detector);
  if (alert.pending) tip += "\npending " + since(alert.pending->at, axis.origin);
  if (alert.fired)
    tip += fmt::format("\nfiring {}, surely between {} and {}", since(alert.fired->at, axis.origin),
                       since(alert.fired->earliest(), axis.origin),
                       since(alert.fired->latest(), axis.origin));
  if (alert.resolved) tip += "\nresolved " + since(end, axis.origin);
  tip += "\n" + labels;
  if (alert.pending)
    picture.bar(axis.inside(alert.pending->at), axis.inside(alert.fired ? alert.fired->at : end),
                middle - 5, 10, fmt::format("alert pending {}", style), tip);
  if (!alert.fired) return;
  picture.bar(axis.inside(alert.fired->at), axis.inside(end), middle - 6, 12,
              fmt::format("alert {}", style), tip);
  const double a = axis.inside(alert.fired->earliest());
  const double b = axis.inside(alert.fired->latest());
  if (b - a > 3) picture.bar(a, b, middle - 1, 2, "whisker");
}

void draw_notified(Picture& picture, const AlertSpan& alert, double middle) {
  if (!alert.notified) return;
  picture.mark(
      picture.axis.inside(alert.notified->at), middle,
      "<path d=\"M0 7L5.5 -1.5H-5.5Z\" transform=\"translate(0 -13.5)\"/>", "notified",
      fmt::format("notification received {}", since(alert.notified->at, picture.axis.origin)));
}

/// The time that the expectation allows: a bracket under the bar, with what became of it.
void draw_window(Picture& picture, const DetectionResult& result, double y) {
  if (!result.from) return;
  const double a = picture.axis.inside(*result.from);
  const UtcTime due = *result.from + result.within;
  const double b = picture.axis.inside(due);
  picture.bar(a, b, y, 1.6, "window-line");
  picture.mark(a, y, "<path d=\"M0 -4V1.6\"/>", "window-cap");
  const bool beyond = due > picture.axis.to;
  picture.mark(b, y, beyond ? "<path d=\"M-4 -3.2L0 .8L-4 4.8\"/>" : "<path d=\"M0 -4V1.6\"/>",
               "window-cap", fmt::format("due by {}", since(due, picture.axis.origin)));
  const bool good = result.outcome == DetectionOutcome::in_time;
  const std::string words =
      good ? "allowed " + spoken(result.within)
           : fmt::format("{} {}", result.outcome == DetectionOutcome::unknown ? "?" : "✕",
                         result.outcome == DetectionOutcome::missed
                             ? fmt::format("not seen (allowed {})", spoken(result.within))
                             : std::string(word(result.outcome)));
  const bool fits = b + 8 + text_width(words) < kPlot;
  // Within the bracket they stand below it: above is the bar, however long the alert was on.
  picture.label(fits ? b : a, fits ? y + 4 : y + 11, good ? "quiet" : "bad", words, 7);
}

void draw_expected(Picture& picture, std::size_t index, std::set<const AlertSpan*>& drawn) {
  const ExpectedDetection& expected = picture.experiment.expected[index];
  const double middle = picture.y + 9;
  const auto name = expected.match.labels.find("alertname");
  picture.line(name == expected.match.labels.end() ? expected.name : name->second,
               "expected: " + expected.name, picture.y + 10);
  for (const AlertSpan& alert : picture.measures.alerts) {
    if (!expected.match.matches(alert.labels)) continue;
    drawn.insert(&alert);
    // The detector that was asked speaks for all; another's copy only adds its notification.
    if (expected.source.empty() || expected.source == alert.detector)
      draw_span(picture, alert, middle, "");
  }
  for (const AlertSpan& alert : picture.measures.alerts)
    if (expected.match.matches(alert.labels)) draw_notified(picture, alert, middle);
  if (index < picture.measures.detections.size())
    draw_window(picture, picture.measures.detections[index], picture.y + 24);
  picture.y += kRow + 6;
}

}  // namespace

void draw_alerts(Picture& picture) {
  if (picture.measures.alerts.empty() && picture.experiment.expected.empty()) return;
  picture.open("alerts", "Alerts");
  std::set<const AlertSpan*> drawn;
  const std::size_t expected = std::min(picture.experiment.expected.size(), kMostAlerts);
  for (std::size_t i = 0; i < expected; ++i) draw_expected(picture, i, drawn);
  std::vector<std::pair<std::string, double>> rows;  // one for each alert, whoever saw it
  std::size_t left_out = 0;
  for (const AlertSpan& alert : picture.measures.alerts) {
    if (drawn.contains(&alert)) continue;
    const std::string key =
        alert.alertname + alert.labels.dump(-1, ' ', false, Json::error_handler_t::replace);
    auto row = std::ranges::find(rows, key, &std::pair<std::string, double>::first);
    if (row == rows.end()) {
      if (rows.size() + expected >= kMostAlerts) {
        ++left_out;
        continue;
      }
      rows.emplace_back(key, picture.y + 11);
      row = std::prev(rows.end());
      picture.line(alert.alertname, alert.forbidden ? "forbidden" : "not expected", picture.y + 10);
      picture.y += kRow;
    }
    draw_span(picture, alert, row->second, alert.forbidden ? "forbidden" : "other");
    draw_notified(picture, alert, row->second);
  }
  if (left_out > 0) {
    picture.gutter(10, picture.y + 8, "sub", fmt::format("and {} more", left_out));
    picture.y += 14;
  }
  picture.close();
}

}  // namespace firedrill::reporting
