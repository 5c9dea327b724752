// The picture of a sweep: zones, what users felt, when it was noticed, on one axis of intensity.
#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "controller/report/study_parts.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr double kLeft = 150, kWidth = 1010, kRight = 40;
constexpr double kInset = 34;  ///< so that the first and last point do not sit on the edge
constexpr double kZoneTop = 40, kZoneHeight = 46;
constexpr double kHurtTop = 120, kHurtHeight = 120;
constexpr double kSeenTop = 280, kSeenHeight = 150;
constexpr double kBottom = kSeenTop + kSeenHeight;

double place(const Sweep& sweep, double value, double x, double width) {
  const double at = std::clamp(strength(sweep.vary, value), 0.0, 1.0);
  return x + kInset + at * (width - 2 * kInset);
}

double place(const Sweep& sweep, double value) { return place(sweep, value, kLeft, kWidth); }

/// A strip over the height of all panels for where a threshold lies.
std::string bracket(const Sweep& sweep, const Threshold& threshold, std::string_view style) {
  using Place = Threshold::Place;
  if (threshold.place == Place::unknown || threshold.place == Place::above) return {};
  const double low = threshold.low ? place(sweep, *threshold.low) : kLeft;
  const double high = threshold.high ? place(sweep, *threshold.high) : kLeft + kWidth;
  return svg_rect(low, kHurtTop - 8, high - low, kBottom - kHurtTop + 8,
                  fmt::format("bracket {}", style)) +
         svg_line(high, kHurtTop - 8, high, kBottom, fmt::format("edge {}", style));
}

/// From where users are surely hurt to where monitoring surely does not yet notice.
std::string gray_band(const Sweep& sweep) {
  std::string out;
  const auto& points = sweep.points;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].zone != Zone::gray) continue;
    std::size_t last = i;
    while (last + 1 < points.size() && points[last + 1].zone == Zone::gray) ++last;
    const double a = place(sweep, points[i].value), b = place(sweep, points[last].value);
    out += svg_rect(a - 6, kHurtTop - 8, b - a + 12, kBottom - kHurtTop + 8, "grayband");
    i = last;
  }
  return out;
}

std::string hurt_panel(const Sweep& sweep) {
  std::string out = svg_text(0, kHurtTop + 14, "name", "Users hurt") +
                    svg_text(0, kHurtTop + 31, "soft", "share of the fault's") +
                    svg_text(0, kHurtTop + 46, "soft", "time in breach");
  const auto y = [](double share) { return kHurtTop + kHurtHeight * (1 - share); };
  for (const double share : {0.0, 0.5, 1.0}) {
    out += svg_line(kLeft, y(share), kLeft + kWidth, y(share), share == 0 ? "axis" : "gridline");
    out += svg_text(kLeft - 8, y(share) + 4, "ytick", fmt::format("{:.0f} %", 100 * share));
  }
  for (const SweepPoint& point : sweep.points) {
    if (point.zone == Zone::unknown) continue;
    const double x = place(sweep, point.value);
    const std::string tip =
        fmt::format("{}: in breach {} % of the time{}", value_text(sweep.vary, point.value),
                    number(100 * point.hurt_share),
                    point.hurt ? ", from " + timed_words(point.impact) + " on" : "");
    if (point.hurt) {
      out += svg_line(x, y(0), x, y(std::max(point.hurt_share, 0.02)), "stem hurt");
      out += svg_circle(x, y(std::max(point.hurt_share, 0.02)), 5.5, "dot imp", tip);
    } else {
      out += svg_circle(x, y(0), 5, "dot none", tip);
    }
  }
  return out;
}

double longest(const Sweep& sweep) {
  double most = 1;
  for (const SweepPoint& point : sweep.points)
    if (point.detection) most = std::max(most, point.detection->time);
  return most * 1.12;
}

std::string seen_panel(const Sweep& sweep) {
  std::string out = svg_text(0, kSeenTop + 14, "name", "Noticed after") +
                    svg_text(0, kSeenTop + 31, "soft", "since the fault;") +
                    svg_text(0, kSeenTop + 46, "soft", "△ not so far");
  const double top = longest(sweep), step = round_step(top, 5);
  const auto y = [&](double seconds) { return kSeenTop + kSeenHeight * (1 - seconds / top); };
  for (double tick = 0; tick <= top; tick += step) {
    out += svg_line(kLeft, y(tick), kLeft + kWidth, y(tick), tick == 0 ? "axis" : "gridline");
    out += svg_text(kLeft - 8, y(tick) + 4, "ytick", spoken_s(tick));
  }
  for (const SweepPoint& point : sweep.points) {
    if (point.zone == Zone::unknown || !point.detection) continue;
    const double x = place(sweep, point.value), at = y(std::max(point.detection->time, 0.0));
    const std::string tip =
        fmt::format("{}: {}", value_text(sweep.vary, point.value),
                    point.noticed ? "noticed after " + timed_words(point.detection)
                                  : "not noticed in " + spoken_s(point.detection->time));
    if (point.noticed) {
      out += svg_line(x, y(0), x, at, "stem seen") + svg_circle(x, at, 6, "dot seen", tip);
    } else {
      out += svg_line(x, y(0), x, at, "stem quiet");
      out += svg_path(fmt::format("M{:.1f} {:.1f}l6.5 11h-13Z", x, at - 7), "dot open", tip);
    }
  }
  return out;
}

/// Without the tries of an intensity that told nothing where a later one did.
std::vector<SweepPoint> settled(const Sweep& sweep) {
  std::vector<SweepPoint> points = sweep.points;
  std::erase_if(points, [&](const SweepPoint& point) {
    return point.zone == Zone::unknown &&
           std::ranges::any_of(sweep.points, [&](const SweepPoint& other) {
             return other.value == point.value && other.zone != Zone::unknown;
           });
  });
  return points;
}

/// The two thresholds in words, above the panels; on two lines when they would meet.
std::string threshold_labels(const Sweep& sweep) {
  const auto label = [&](const Threshold& threshold, std::string_view style, std::string_view verb,
                         double y) {
    using Place = Threshold::Place;
    if (threshold.place == Place::unknown || threshold.place == Place::above) return std::string();
    const double x = threshold.high ? place(sweep, *threshold.high) : kLeft + kWidth;
    const bool right = x > kLeft + kWidth / 2;
    return svg_line(x, y + 4, x, kHurtTop - 8,
                    fmt::format("edge {}", style == "bad" ? "hurt" : "seen")) +
           svg_text(right ? x - 6 : x + 6, y + 6, fmt::format("{}{}", style, right ? " end" : ""),
                    fmt::format("{} {}", verb, threshold_words(threshold, sweep.vary)));
  };
  return label(sweep.hurt, "bad", "users hurt:", 10) + label(sweep.noticed, "al", "noticed:", 26);
}

}  // namespace

std::string draw_zones(const Sweep& sweep, double x, double y, double width, double height) {
  const std::vector<SweepPoint> points = settled(sweep);
  std::string cells, labels, marks;
  double begin = x;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double at = place(sweep, points[i].value, x, width);
    if (i > 0 && points[i].zone == points[i - 1].zone) {
      marks += svg_circle(at, y + height, 4, "dot point", value_text(sweep.vary, points[i].value));
      continue;
    }
    std::size_t last = i;
    while (last + 1 < points.size() && points[last + 1].zone == points[i].zone) ++last;
    const bool ends = last + 1 == points.size();
    const double end = ends ? x + width
                            : (place(sweep, points[last].value, x, width) +
                               place(sweep, points[last + 1].value, x, width)) /
                                  2;
    const std::string_view word = to_string(points[i].zone);
    const std::string_view style = points[i].zone == Zone::false_alarm ? "false" : word;
    cells += svg_rect(begin, y, end - begin, height, fmt::format("cell {}", style), word);
    if (end - begin > 7.2 * static_cast<double>(word.size()) + 10)
      labels += svg_text(
          (begin + end) / 2, y + height / 2 + 4.5, fmt::format("zone {}", style),
          points[i].zone == Zone::gray && end - begin > 150 ? "gray: hurt and silent" : word);
    marks += svg_circle(at, y + height, 4, "dot point", value_text(sweep.vary, points[i].value));
    begin = end;
  }
  return cells + labels + marks;
}

std::string draw_intensities(const Sweep& sweep, double x, double y, double width) {
  const Vary& vary = sweep.vary;
  std::string out = svg_line(x, y, x + width, y, "axis");
  std::vector<double> taken;
  const auto tick = [&](double value) {
    const double at = place(sweep, value, x, width);
    if (std::ranges::any_of(taken, [&](double other) { return std::fabs(other - at) < 46; }))
      return;
    taken.push_back(at);
    out +=
        svg_line(at, y, at, y + 5, "axis") + svg_text(at, y + 19, "tick", value_text(vary, value));
  };
  tick(vary.from);
  tick(vary.to);
  const double low = std::min(vary.from, vary.to), high = std::max(vary.from, vary.to);
  const double scale = vary.unit == Vary::Unit::ratio ? 100 : 1;  // ticks are round as percent
  for (const double digit : {1.0, 2.0, 5.0})
    for (double decade = std::pow(10, std::floor(std::log10(low * scale))); decade <= high * scale;
         decade *= 10)
      if (const double value = rounded(vary, digit * decade / scale);
          digit * decade / scale >= low && digit * decade / scale <= high)
        tick(value);
  return out;
}

std::string draw_sweep(const Sweep& sweep) {
  const double height = kBottom + 52;
  std::string out = fmt::format(
      "<svg class=\"study\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n",
      kLeft + kWidth + kRight, height, escape(gray_words(sweep)));
  out +=
      "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
      "patternTransform=\"rotate(45)\"><line class=\"hatch\" y2=\"6\"/></pattern></defs>\n";
  out += svg_text(0, kZoneTop + 20, "name", "Zones") +
         svg_text(0, kZoneTop + 37, "soft", "○ one run each");
  out +=
      gray_band(sweep) + bracket(sweep, sweep.hurt, "hurt") + bracket(sweep, sweep.noticed, "seen");
  out += threshold_labels(sweep);
  out += draw_zones(sweep, kLeft, kZoneTop, kWidth, kZoneHeight);
  out += hurt_panel(sweep) + seen_panel(sweep);
  out += draw_intensities(sweep, kLeft, kBottom + 6, kWidth);
  out +=
      svg_text(kLeft + kWidth / 2, kBottom + 46, "mid soft",
               fmt::format("{}.{}, from mild to strong", sweep.vary.subject, sweep.vary.parameter));
  return out + "</svg>\n";
}

std::string draw_map(std::span<const Sweep> sweeps) {
  constexpr double kName = 290, kRow = 92, kStrip = 34;
  const double width = kLeft + kWidth + kRight - kName - 20;
  std::string out = fmt::format(
      "<svg class=\"study\" viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"Map of blind "
      "spots: a row for each fault, from mild to strong\">\n",
      kLeft + kWidth + kRight, kRow * static_cast<double>(sweeps.size()) + 6);
  out +=
      "<defs><pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
      "patternTransform=\"rotate(45)\"><line class=\"hatch\" y2=\"6\"/></pattern></defs>\n";
  double y = 8;
  for (const Sweep& sweep : sweeps) {
    out +=
        svg_text(0, y + 14, "name", shorten(sweep.vary.subject + "." + sweep.vary.parameter, 38));
    out += svg_text(0, y + 31, "soft", shorten(sweep.title, 44));
    out += draw_zones(sweep, kName, y, width, kStrip);
    out += draw_intensities(sweep, kName, y + kStrip + 9, width);
    y += kRow;
  }
  return out + "</svg>\n";
}

}  // namespace firedrill::reporting
