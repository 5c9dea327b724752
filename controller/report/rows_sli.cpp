// Rows of the picture: what users felt, a small panel for each probe, all on the same time axis.
#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "controller/report/picture.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr std::size_t kMostPanels = 12;
constexpr std::size_t kPointBudget = 3000;  ///< over all panels: keeps the page small
constexpr double kHeight = 84;
constexpr double kLogFrom = 30;  ///< a wider ratio than this is unreadable on a linear scale

struct Scale {
  bool log = false;
  double low = 0, high = 1, top = 0;
  [[nodiscard]] double y(double value) const {
    const double share = log ? std::log(std::max(value, low) / low) / std::log(high / low)
                             : (value - low) / (high - low);
    return top + kHeight * (1 - std::clamp(share, 0.0, 1.0));
  }
};

/// The next of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten.
double round_up(double value) {
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0})
    if (step * power >= value * 0.999999) return step * power;
  return 10 * power;
}

Scale scale_of(const SliSeries& series, double top) {
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  for (const SliPoint& point : series.points) {
    if (!point.known) continue;
    least = std::min(least, point.value);
    most = std::max(most, point.value);
  }
  Scale scale;
  scale.top = top;
  if (!(least <= most)) return scale;
  if (series.bounded && series.high <= 4 * std::fabs(most) + 1e-12)
    most = std::max(most, series.high);
  if (series.bounded && series.high <= 1 && least >= 0 && most < series.high) most = series.high;
  scale.log = least > 0 && most / least > kLogFrom;
  scale.low = scale.log ? least * 0.8 : std::min(0.0, least * 1.08);
  // Round in the unit in which it is written.
  double unit = 1;
  if (series.unit == kByteUnit)
    while (most / unit >= kByteStep) unit *= kByteStep;
  scale.high = scale.log ? most * 1.3 : (most > 0 ? round_up(most / unit * 1.06) * unit : 1);
  if (scale.high <= scale.low) scale.high = scale.low + 1;
  return scale;
}

std::vector<double> ticks_of(const Scale& scale) {
  if (!scale.log) return {scale.low, (scale.low + scale.high) / 2, scale.high};
  std::vector<double> ticks;
  for (double power = std::pow(10, std::floor(std::log10(scale.low))); power < scale.high;
       power *= 10)
    for (const double step : {1.0, 3.0})
      if (step * power >= scale.low && step * power <= scale.high) ticks.push_back(step * power);
  while (ticks.size() > 4) {
    std::vector<double> fewer;
    for (std::size_t i = 0; i < ticks.size(); i += 2) fewer.push_back(ticks[i]);
    ticks = std::move(fewer);
  }
  return ticks;
}

/// A count of bytes is short with its unit; the row names the unit of all others.
std::string brief(double value, const SliSeries& series) {
  return series.unit == kByteUnit ? quantity(value, series.unit) : number(value);
}

/// "15.8 → 27.8 MiB", "512 B → 2 MiB": a unit that both have stands once.
std::string change(double before, double after, const SliSeries& series) {
  std::string from = brief(before, series);
  const std::string to = quantity(after, series.unit);
  const std::size_t space = from.find(' ');
  if (space != std::string::npos && to.ends_with(from.substr(space))) from.resize(space);
  return fmt::format("{} → {}", from, to);
}

/// At most `most` points: of each stretch the lowest and the highest, so that no peak is lost.
std::vector<const SliPoint*> thinned(const SliSeries& series, std::size_t most) {
  std::vector<const SliPoint*> out;
  const std::size_t stretch =
      series.points.size() <= most ? 1 : 2 * series.points.size() / most + 1;
  for (std::size_t begin = 0; begin < series.points.size(); begin += stretch) {
    const std::size_t end = std::min(begin + stretch, series.points.size());
    const SliPoint *least = nullptr, *greatest = nullptr;
    for (std::size_t i = begin; i < end; ++i) {
      const SliPoint& point = series.points[i];
      if (!point.known) {
        out.push_back(&point);
        continue;
      }
      if (least == nullptr || point.value < least->value) least = &point;
      if (greatest == nullptr || point.value > greatest->value) greatest = &point;
    }
    if (least != nullptr) out.push_back(least);
    if (greatest != nullptr && greatest != least) out.push_back(greatest);
  }
  std::ranges::sort(out, [](const SliPoint* a, const SliPoint* b) { return a->at < b->at; });
  return out;
}

struct Curve {
  std::string line, area, values;
};

Curve curve_of(const Picture& picture, const std::vector<const SliPoint*>& points,
               const Scale& scale, double floor_y) {
  Curve curve;
  bool pen_down = false;
  double last_x = 0;
  const auto lift = [&] {
    if (pen_down) curve.area += fmt::format("L{:.1f} {:.1f}Z", last_x, floor_y);
    pen_down = false;
  };
  for (const SliPoint* point : points) {
    const double x = picture.axis.x(point->at);
    if (x < 0 || x > kPlot) continue;
    if (!point->known) {
      lift();
      continue;
    }
    const std::string at = fmt::format("{:.1f} {:.1f}", x, scale.y(point->value));
    if (!pen_down) curve.area += fmt::format("M{:.1f} {:.1f}L", x, floor_y) + at;
    else curve.area += 'L' + at;
    curve.line += (pen_down ? 'L' : 'M') + at;
    curve.values += fmt::format("{:.1f},{} ", x, number(point->value));
    pen_down = true;
    last_x = x;
  }
  lift();
  return curve;
}

void draw_limit(Picture& picture, const SliSeries& series, const Scale& scale, double limit,
                std::string_view sign) {
  if (limit < scale.low || limit > scale.high) return;
  const double y = scale.y(limit);
  picture.raw(fmt::format(
      "<line class=\"limit\" x1=\"0\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kPlot, y, y));
  picture.raw(
      fmt::format("<text class=\"limit-text\" x=\"4\" y=\"{:.1f}\">objective {} {}</text>\n", y - 4,
                  sign, escape(quantity(limit, series.unit))));
}

/// Breach times as clip shapes: the same curve is drawn again through them, in the breach's colour.
std::string breach_clip(const Picture& picture, const SliSeries& series, double top,
                        std::size_t panel) {
  std::string out = fmt::format("<clipPath id=\"breach{}\">", panel);
  for (const auto& [from, to] : series.breaches)
    out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.0f}\"/>",
                       picture.axis.inside(from), top - 3,
                       picture.axis.inside(to) - picture.axis.inside(from), kHeight + 6);
  return out + "</clipPath>\n";
}

void draw_failures(Picture& picture, const SliSeries& series, double top) {
  std::size_t drawn = 0;
  for (const SliPoint& point : series.points) {
    if (point.known || ++drawn > 200) continue;
    picture.mark(
        picture.axis.inside(point.at), top + 8, "<path d=\"M-3 -3L3 3M3 -3L-3 3\"/>", "noval",
        fmt::format("{}: no value, {}", since(point.at, picture.axis.origin),
                    point.error_ratio > 0 ? "every operation failed" : "the probe said nothing"));
  }
}

void draw_panel(Picture& picture, const SliSeries& series, std::size_t panel, std::size_t budget) {
  const double top = picture.y + 4;
  const Scale scale = scale_of(series, top);
  picture.line(series.probe, fmt::format("{} from {}", series.measure, series.host), top + 12);
  if (series.baseline_median && series.fault_median) {
    const bool same = number(*series.baseline_median) == number(*series.fault_median);
    picture.gutter(
        10, top + 42, "sub",
        fmt::format("{} {}", same ? "p99" : "median",
                    same ? change(*series.baseline_p99, *series.fault_p99, series)
                         : change(*series.baseline_median, *series.fault_median, series)));
  }
  if (scale.log) picture.gutter(10, top + 56, "sub", "log scale");
  for (const double tick : ticks_of(scale)) {
    picture.raw(
        fmt::format("<line class=\"grid\" x1=\"0\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                    kPlot, scale.y(tick), scale.y(tick)));
    picture.gutter(kGutter - 6, scale.y(tick) + 3.5, "ytick", brief(tick, series));
  }
  for (const auto& [from, to] : series.breaches)
    picture.bar(picture.axis.inside(from), picture.axis.inside(to), top, kHeight, "breach-band",
                fmt::format("out of tolerance for {}", spoken(to - from)));
  const bool above = !series.bounded || series.high < scale.high;
  const double floor_y = series.bounded ? scale.y(above ? series.high : series.low) : top + kHeight;
  const Curve curve = curve_of(picture, thinned(series, budget), scale, floor_y);
  const std::string clip = fmt::format("clip-path=\"url(#breach{})\"", panel);
  picture.raw(breach_clip(picture, series, top, panel));
  picture.path(curve.area, "breach-area", clip);
  picture.path(curve.line, "sli",
               fmt::format("data-p=\"{}\" data-n=\"{}\" data-u=\"{}\"", curve.values,
                           escape(shorten(series.probe, 40)), escape(shorten(series.unit, 10))));
  picture.path(curve.line, "sli breach-line", clip);
  if (series.bounded) {
    draw_limit(picture, series, scale, series.high, "≤");
    if (series.low > 0) draw_limit(picture, series, scale, series.low, "≥");
  }
  draw_failures(picture, series, top);
  picture.y += kHeight + 16;
}

}  // namespace

void draw_series(Picture& picture) {
  const std::vector<SliSeries>& series = picture.measures.series;
  if (series.empty()) return;
  const std::size_t panels = std::min(series.size(), kMostPanels);
  picture.open("sli", "What users felt");
  for (std::size_t i = 0; i < panels; ++i) draw_panel(picture, series[i], i, kPointBudget / panels);
  if (series.size() > panels) {
    picture.gutter(10, picture.y + 8, "sub", fmt::format("and {} more", series.size() - panels));
    picture.y += 14;
  }
  picture.close();
}

}  // namespace firedrill::reporting
