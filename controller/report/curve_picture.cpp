// The share of trials in which it was noticed by then: one minus Kaplan and Meier's survival.
#include <algorithm>

#include <fmt/format.h>

#include "controller/report/study_parts.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr double kLeft = 70, kWidth = 1080, kTop = 24, kHeight = 250;

struct Scale {
  double longest = 1;
  [[nodiscard]] double x(double seconds) const {
    return kLeft + kWidth * std::clamp(seconds / longest, 0.0, 1.0);
  }
  [[nodiscard]] static double y(double share) { return kTop + kHeight * (1 - share); }
};

std::string axes(const Scale& scale) {
  std::string out;
  for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    out += svg_line(kLeft, Scale::y(share), kLeft + kWidth, Scale::y(share),
                    share == 0 ? "axis" : "gridline");
    out += svg_text(kLeft - 8, Scale::y(share) + 4, "ytick", fmt::format("{:.0f} %", 100 * share));
  }
  const double step = round_step(scale.longest, 10);
  for (double tick = 0; tick <= scale.longest * 1.0001; tick += step) {
    out += svg_line(scale.x(tick), Scale::y(0), scale.x(tick), Scale::y(0) + 5, "axis");
    out += svg_text(scale.x(tick), Scale::y(0) + 20, "tick", tick == 0 ? "0" : spoken_s(tick));
  }
  return out +
         svg_text(kLeft + kWidth / 2, Scale::y(0) + 42, "mid soft", "time since the injection");
}

/// A staircase through `value` of each point, from (0, 0) to the end of the axis.
template <class Value>
std::string stairs(const stats::Curve& curve, const Scale& scale, Value value) {
  std::string d;
  double level = 0;
  for (const stats::CurvePoint& point : curve.points) {
    d += fmt::format("L{:.1f} {:.1f}", scale.x(point.time), Scale::y(level));
    level = value(point);
    d += fmt::format("L{:.1f} {:.1f}", scale.x(point.time), Scale::y(level));
  }
  return d + fmt::format("L{:.1f} {:.1f}", scale.x(curve.last), Scale::y(level));
}

/// The same backwards, to close a band.
template <class Value>
std::string stairs_back(const stats::Curve& curve, const Scale& scale, Value value) {
  std::string d;
  double right = curve.last;
  for (auto point = curve.points.rbegin(); point != curve.points.rend(); ++point) {
    const double y = Scale::y(value(*point));
    d += fmt::format("L{:.1f} {:.1f}L{:.1f} {:.1f}", scale.x(right), y, scale.x(point->time), y);
    right = point->time;
  }
  return d + fmt::format("L{:.1f} {:.1f}", scale.x(right), Scale::y(0));
}

std::string median_marks(const Distribution& distribution, const Scale& scale) {
  const stats::Quantile& median = distribution.median;
  if (!median.value) return {};
  const double x = scale.x(*median.value), y = Scale::y(0.5);
  std::string out =
      svg_line(kLeft, y, x, y, "medianline") + svg_line(x, y, x, Scale::y(0), "medianline");
  if (median.low) {
    const double low = scale.x(*median.low), high = scale.x(median.high.value_or(scale.longest));
    out += svg_line(low, y, high, y, "whisk") + svg_line(low, y - 5, low, y + 5, "whisk");
    if (median.high) out += svg_line(high, y - 5, high, y + 5, "whisk");
    else
      out += svg_path(fmt::format("M{:.1f} {:.1f}l-7 -5M{:.1f} {:.1f}l-7 5", high, y, high, y),
                      "whisk");
  }
  out += svg_circle(x, y, 5.5, "dot seen", median_words(distribution));
  const bool right = x > kLeft + kWidth * 0.7;
  return out + svg_text(right ? x - 12 : x + 12, y + 20, right ? "name end" : "name",
                        "median " + spoken_s(*median.value));
}

}  // namespace

std::string draw_curve(const Distribution& distribution) {
  const stats::Curve& curve = distribution.curve;
  if (curve.count == 0) return "<p class=\"none\">No trial to draw.</p>";
  const Scale scale{.longest = std::max(curve.last * 1.04, 1e-3)};
  std::string out = fmt::format(
      "<svg class=\"study\" viewBox=\"0 0 1200 {:.0f}\" role=\"img\" aria-label=\"{}\">\n",
      kTop + kHeight + 52, escape(median_words(distribution)));
  out += axes(scale);
  const std::string start = fmt::format("M{:.1f} {:.1f}", kLeft, Scale::y(0));
  out += svg_path(
      start + stairs(curve, scale, [](const stats::CurvePoint& p) { return 1 - p.low; }) +
          stairs_back(curve, scale, [](const stats::CurvePoint& p) { return 1 - p.high; }) + "Z",
      "kmband");
  out += svg_path(
      start + stairs(curve, scale, [](const stats::CurvePoint& p) { return 1 - p.survival; }),
      "km");
  for (const stats::CurvePoint& point : curve.points)
    out += svg_circle(
        scale.x(point.time), Scale::y(1 - point.survival), 3.5, "dot seen",
        fmt::format("{}: {:.0f} % noticed", spoken_s(point.time), 100 * (1 - point.survival)));
  if (distribution.censored > 0) {
    const double level = curve.points.empty() ? 0 : 1 - curve.points.back().survival;
    out += svg_line(scale.x(curve.last), Scale::y(level) - 8, scale.x(curve.last),
                    Scale::y(level) + 8, "censor");
    out += svg_text(scale.x(curve.last) - 8, Scale::y(level) - 12, "end soft",
                    fmt::format("{} not noticed while watched", distribution.censored));
  }
  return out + median_marks(distribution, scale) + "</svg>\n";
}

}  // namespace firedrill::reporting
