#include "controller/report/picture.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr double kTop = 26;  ///< room for the axis above the rows

/// What came before the baseline (waiting for agents) would only squeeze the rest.
UtcTime start_of(const Measures& measures) {
  for (const PhaseSpan& phase : measures.phases)
    if (phase.phase != "idle" && phase.phase != "preflight") return phase.from;
  return measures.started;
}

/// Seconds between ticks: the smallest round step that leaves room for the labels.
double tick_step(double span) {
  constexpr std::array kSteps{0.1, 0.2,  0.5,  1.0,  2.0,  5.0,   10.0,  15.0,  30.0,
                              60., 120., 300., 600., 900., 1800., 3600., 7200., 21600.};
  for (const double step : kSteps)
    if (span / step <= 12) return step;
  return 86400;
}

std::string tick_text(double seconds) {
  if (seconds == 0) return "0";
  const double size = std::fabs(seconds);
  const std::string sign = seconds < 0 ? "−" : "+";
  if (size < 60) return sign + number(size) + " s";
  const auto whole = static_cast<std::int64_t>(std::llround(size));
  if (whole < 3600) return fmt::format("{}{}:{:02}", sign, whole / 60, whole % 60);
  return fmt::format("{}{}:{:02}:{:02}", sign, whole / 3600, whole % 3600 / 60, whole % 60);
}

}  // namespace

double Axis::x(UtcTime at) const {
  const auto span = static_cast<double>(std::max<std::int64_t>((to - from).count(), 1));
  return kPlot * static_cast<double>((at - from).count()) / span;
}

double Axis::inside(UtcTime at) const { return std::clamp(x(at), 0.0, kPlot); }

Picture::Picture(const Measures& all, const Experiment& source)
    : measures(all), experiment(source), y(kTop) {
  axis.from = start_of(all);
  axis.to = std::max(all.ended, axis.from + Duration{1'000'000});
  axis.origin = origin_of(all);
}

void Picture::open(std::string_view id, std::string_view title) {
  y += 10;
  gutter_ += fmt::format("<line class=\"sep\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                         kGutter + kPlot, y, y);
  y += 8;
  gutter(0, y + 8, "grp", title);
  plot_ += fmt::format("<g data-row=\"{}\">\n", escape(id));
  y += 19;
}

void Picture::close() { plot_ += "</g>\n"; }

void Picture::gutter(double x, double at_y, std::string_view style, std::string_view text) {
  gutter_ += fmt::format("<text class=\"{}\" x=\"{:.0f}\" y=\"{:.1f}\">{}</text>\n", style, x, at_y,
                         escape(text));
}

void Picture::line(std::string_view name, std::string_view detail, double at_y) {
  gutter_ += fmt::format(
      "<g{}>",
      tip_attribute(detail.empty() ? std::string(name) : fmt::format("{}\n{}", name, detail)));
  gutter(10, at_y, "name", shorten(name, 27));
  if (!detail.empty()) gutter(10, at_y + 13, "sub", shorten(detail, 34));
  gutter_ += "</g>\n";
}

void Picture::bar(double a, double b, double top, double height, std::string_view style,
                  std::string_view tip, double least) {
  plot_ += fmt::format(
      "<rect class=\"{}\" data-a=\"{:.2f}\" data-b=\"{:.2f}\" data-m=\"{:.0f}\" x=\"{:.2f}\" "
      "y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" rx=\"{:.0f}\"{}/>\n",
      style, a, b, least, a, top, std::max(b - a, least), height, height > 8 ? 3.0 : 0.0,
      tip_attribute(tip));
}

void Picture::mark(double x, double at_y, std::string_view shape, std::string_view style,
                   std::string_view tip) {
  plot_ += fmt::format(
      "<g class=\"{}\" data-x=\"{:.2f}\" data-y=\"{:.1f}\" transform=\"translate({:.2f} "
      "{:.1f})\"{}>"
      "{}</g>\n",
      style, x, at_y, x, at_y, tip_attribute(tip), shape);
}

void Picture::label(double x, double at_y, std::string_view style, std::string_view text,
                    double aside) {
  mark(x, at_y, fmt::format("<text x=\"{:.1f}\">{}</text>", aside, escape(text)),
       fmt::format("lbl {}", style));
}

void Picture::path(std::string_view d, std::string_view style, std::string_view attributes) {
  plot_ += fmt::format("<path class=\"z {}\" d=\"{}\" {}/>\n", style, d, attributes);
}

std::string Picture::ticks() const {
  const double from = static_cast<double>((axis.from - axis.origin).count()) / 1e6;
  const double span = static_cast<double>((axis.to - axis.from).count()) / 1e6;
  const double step = tick_step(span);
  std::string out = "<g id=\"ticks\">";
  for (double at = std::ceil(from / step) * step; at <= from + span; at += step) {
    const double x = kPlot * (at - from) / span;
    const double round = std::round(at * 1000) / 1000;
    out += fmt::format(
        "<line class=\"grid{}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.0f}\" y2=\"{:.0f}\"/>"
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.0f}\">{}</text>"
        "<text class=\"tick\" x=\"{:.1f}\" y=\"{:.0f}\">{}</text>",
        round == 0 ? " zero" : "", x, x, kTop - 6, y, x, kTop - 11, tick_text(round), x, y + 15,
        tick_text(round));
  }
  return out + "</g>\n";
}

std::string Picture::svg() {
  y += 8;
  const double height = y + 24;
  return fmt::format(
      "<svg id=\"timeline\" viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" aria-label=\"Timeline of "
      "the run: phases, faults, what users felt, alerts, people and intervals on one axis\" "
      "data-from=\"{2:.6f}\" data-span=\"{3:.6f}\" data-plot=\"{4:.0f}\" data-gutter=\"{5:.0f}\" "
      "data-bottom=\"{6:.1f}\">\n"
      "<defs><clipPath id=\"clip\"><rect x=\"-3\" y=\"0\" width=\"{7:.0f}\" height=\"{6:.1f}\"/>"
      "</clipPath>"
      "<pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
      "patternTransform=\"rotate(45)\"><rect class=\"hatch\" width=\"2.4\" height=\"6\"/></pattern>"
      "</defs>\n"
      "<g>\n{8}</g>\n<g transform=\"translate({5:.0f} 0)\">\n{9}<g clip-path=\"url(#clip)\">\n{10}"
      "{11}</g>\n<line id=\"cursor\" y1=\"{12:.0f}\" y2=\"{6:.1f}\"/></g>\n</svg>\n",
      kGutter + kPlot + kPad, height, static_cast<double>((axis.from - axis.origin).count()) / 1e6,
      static_cast<double>((axis.to - axis.from).count()) / 1e6, kPlot, kGutter, y, kPlot + 6,
      gutter_, ticks(), back_, plot_, kTop - 6);
}

double text_width(std::string_view text) { return 6.5 * static_cast<double>(length(text)); }

std::string tip_attribute(std::string_view tip) {
  return tip.empty() ? "" : fmt::format(" data-tip=\"{}\"", escape(shorten(tip, 280)));
}

std::string draw_picture(const Measures& measures, const Experiment& experiment) {
  Picture picture(measures, experiment);
  draw_points(picture);
  draw_phases(picture);
  draw_faults(picture);
  draw_series(picture);
  draw_alerts(picture);
  draw_people(picture);
  draw_intervals(picture);
  return picture.svg();
}

}  // namespace firedrill::reporting
