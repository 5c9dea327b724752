// Rows of the picture: clock points, phases, and faults by host.
#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "controller/report/picture.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr std::size_t kMostFaults = 40;
constexpr double kRow = 33;
constexpr double kBelow = 9999;  ///< down to the clip's edge

struct Flag {
  double x = 0;
  std::size_t order = 0;  ///< among those of the same instant
  std::string text, tip;
};

std::vector<Flag> flags_of(const Picture& picture) {
  const ClockPoints& p = picture.measures.points;
  const std::array<std::pair<std::string_view, const std::optional<Instant>*>, 8> all{
      {{"t_inj", &p.injected},
       {"t_imp", &p.impacted},
       {"t_fire", &p.fired},
       {"t_ntf", &p.notified},
       {"t_ack", &p.acknowledged},
       {"t_mit", &p.mitigated},
       {"t_rec", &p.recovered},
       {"t_rev", &p.reverted}}};
  std::vector<Flag> flags;
  for (const auto& [name, point] : all) {
    if (!*point) continue;
    const Instant& at = **point;
    flags.push_back(
        {picture.axis.inside(at.at), flags.size(), std::string(point_name(name)),
         fmt::format("{} ({}) {}\nsurely between {} and {}", point_name(name), name,
                     since(at.at, picture.axis.origin), since(at.earliest(), picture.axis.origin),
                     since(at.latest(), picture.axis.origin))});
  }
  std::ranges::sort(flags, [](const Flag& a, const Flag& b) {
    return std::tie(a.x, a.order) < std::tie(b.x, b.order);
  });
  std::vector<Flag> merged;
  for (Flag& flag : flags) {
    if (!merged.empty() && flag.x - merged.back().x < 3) {
      merged.back().text += " · " + flag.text;
      merged.back().tip += "\n" + flag.tip;
    } else {
      merged.push_back(std::move(flag));
    }
  }
  return merged;
}

/// On periods closer than this, in plot units, are drawn as one: nobody could tell them apart.
constexpr double kFinest = 0.4;

/// A thread for the injection's whole life, and a bar for each on period.
void draw_periods(Picture& picture, const InjectionSpan& span, double b, double middle,
                  std::string_view tip) {
  std::vector<std::pair<double, double>> bars;
  const auto add = [&](double from, double to) {
    if (!bars.empty() && from <= bars.back().second + kFinest)
      bars.back().second = std::max(bars.back().second, to);
    else bars.emplace_back(from, to);
  };
  for (const auto& [from, to] : span.on) add(picture.axis.inside(from), picture.axis.inside(to));
  if (span.on_since) add(picture.axis.inside(*span.on_since), b);
  picture.bar(picture.axis.inside(span.active->at), b, middle - 1, 2, "fault", tip);
  for (const auto& [from, to] : bars) picture.bar(from, to, middle - 7, 14, "fault", tip, 0.5);
}

/// Shades the times when a fault was on, behind every row.
void shade(Picture& picture) {
  std::vector<std::pair<double, double>> windows;
  for (const InjectionSpan& span : picture.measures.injections) {
    for (const auto& [from, to] : span.on)
      windows.emplace_back(picture.axis.inside(from), picture.axis.inside(to));
    if (span.on_since) windows.emplace_back(picture.axis.inside(*span.on_since), kPlot);
  }
  std::ranges::sort(windows);
  std::vector<std::pair<double, double>> merged;
  for (const auto& window : windows) {
    if (!merged.empty() && window.first <= merged.back().second + kFinest)
      merged.back().second = std::max(merged.back().second, window.second);
    else merged.push_back(window);
  }
  for (const auto& [a, b] : merged)
    picture.backdrop(fmt::format(
        "<rect class=\"window\" data-a=\"{0:.2f}\" data-b=\"{1:.2f}\" x=\"{0:.2f}\" y=\"20\" "
        "width=\"{2:.2f}\" height=\"{3:.0f}\"/>\n",
        a, b, b - a, kBelow));
}

void draw_fault(Picture& picture, const InjectionSpan& span) {
  const double middle = picture.y + 13;
  picture.line(span.fault, fmt::format("{} · {}", span.host, span.action), picture.y + 10);
  if (!span.active) {
    picture.label(4, middle + 4, "bad", "✕ never on: " + shorten(span.failure, 70));
    return;
  }
  const double a = picture.axis.inside(span.active->at);
  const std::optional<UtcTime> off = span.dirty   ? span.dirty_at
                                     : span.ended ? std::optional(span.ended->at)
                                                  : std::nullopt;
  const double b = off ? picture.axis.inside(*off) : kPlot;
  const std::string ending = span.dirty   ? "left the host changed"
                             : span.ended ? cause_words(span.cause)
                                          : "not known to be off";
  const std::string course = course_words(span, picture.measures.ended);
  const std::string tip =
      fmt::format("{} on {}\non {}\n{}{}{}\n{}", span.fault, span.host,
                  since(span.active->at, picture.axis.origin), course.empty() ? "" : course + "\n",
                  ending, span.ended ? " " + since(span.ended->at, picture.axis.origin) : "",
                  shorten(span.values.dump(-1, ' ', false, Json::error_handler_t::replace), 120));
  draw_periods(picture, span, b, middle, tip);
  if (span.dirty || !span.ended) picture.bar(b, kPlot, middle - 7, 14, "leak", tip);
  std::string_view shape = "<path d=\"M0 -9V9\"/>";
  std::string_view style = "end";
  if (span.cured)
    shape = "<circle r=\"7\"/><path d=\"M-3 0l2.2 2.6L3.2 -2.6\"/>", style = "end cured";
  if (span.dirty || !span.ended)
    shape = "<path d=\"M0 -9L8.5 6.5H-8.5Z\"/><path d=\"M0 -3.5V1.5M0 3.4V4.6\"/>",
    style = "end dirty";
  picture.mark(off ? b : kPlot - 12, middle, shape, style, tip);
  const std::string words = span.superseded.empty() ? ending : ending + ", their change kept";
  // Words on a bar with gaps would stand half on paper.
  const bool whole = span.on.size() + (span.on_since ? 1 : 0) < 2;
  if (!span.dirty && b + 14 + text_width(words) < kPlot)
    picture.label(b, middle + 4, "", words, 13);
  else if (whole) picture.label(a, middle + 4, "on-fault", words, 8);
}

}  // namespace

void draw_points(Picture& picture) {
  shade(picture);
  picture.raw("<g data-row=\"points\">\n");
  std::vector<double> lanes;
  for (const Flag& flag : flags_of(picture)) {
    const double width = 1.12 * text_width(flag.text) + 20;
    const bool flip = flag.x + width > kPlot;
    const double left = flip ? flag.x - width : flag.x;
    std::size_t lane = 0;
    while (lane < lanes.size() && lanes[lane] > left) ++lane;
    if (lane == lanes.size()) lanes.push_back(0);
    lanes[lane] = left + width;
    const double y = picture.y + 10 + 15 * static_cast<double>(lane);
    picture.backdrop(fmt::format(
        "<g data-x=\"{0:.2f}\" data-y=\"{1:.1f}\" transform=\"translate({0:.2f} {1:.1f})\">"
        "<path class=\"drop\" d=\"M0 0V{2:.0f}\"/></g>\n",
        flag.x, y, kBelow));
    picture.mark(flag.x, y,
                 fmt::format("<circle r=\"3.2\"/><text x=\"{}\" y=\"4\"{}>{}</text>", flip ? -8 : 8,
                             flip ? " text-anchor=\"end\"" : "", escape(flag.text)),
                 "flag", flag.tip);
  }
  picture.raw("</g>\n");
  picture.gutter(0, picture.y + 14, "grp", "Moments");
  picture.y += 8 + 15 * static_cast<double>(std::max<std::size_t>(lanes.size(), 1));
}

void draw_phases(Picture& picture) {
  picture.y += 6;
  picture.raw("<g data-row=\"phases\">\n");
  picture.gutter(0, picture.y + 13, "grp", "Phase");
  for (const PhaseSpan& phase : picture.measures.phases) {
    if (phase.to < picture.axis.from) continue;
    const double a = picture.axis.inside(phase.from);
    const double b = picture.axis.inside(phase.to);
    picture.bar(a, b, picture.y, 18, fmt::format("phase ph-{}", escape(phase.phase)),
                fmt::format("{}\n{} to {}", phase.phase, since(phase.from, picture.axis.origin),
                            since(phase.to, picture.axis.origin)));
    if (b - a > text_width(phase.phase) + 12)
      picture.label(a, picture.y + 13, "strong", phase.phase, 7);
  }
  picture.raw("</g>\n");
  picture.y += 20;
}

void draw_faults(Picture& picture) {
  if (picture.measures.injections.empty()) return;
  picture.open("faults", "Faults");
  std::size_t drawn = 0;
  for (const InjectionSpan& span : picture.measures.injections) {
    if (drawn++ >= kMostFaults) continue;
    draw_fault(picture, span);
    picture.y += kRow;
  }
  if (drawn > kMostFaults) {
    picture.gutter(10, picture.y + 10, "sub", fmt::format("and {} more", drawn - kMostFaults));
    picture.y += 14;
  }
  picture.close();
}

}  // namespace firedrill::reporting
