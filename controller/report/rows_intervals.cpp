// Rows of the picture: the intervals to scale, with number, objective and uncertainty.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "controller/report/picture.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr double kRow = 34;

const std::optional<Instant>& point_of(const ClockPoints& points, std::string_view name) {
  static const std::optional<Instant> kNone;
  const std::array<std::pair<std::string_view, const std::optional<Instant>*>, 8> all{
      {{"t_inj", &points.injected},
       {"t_imp", &points.impacted},
       {"t_fire", &points.fired},
       {"t_ntf", &points.notified},
       {"t_ack", &points.acknowledged},
       {"t_mit", &points.mitigated},
       {"t_rev", &points.reverted},
       {"t_rec", &points.recovered}}};
  for (const auto& [key, point] : all)
    if (key == name) return *point;
  return kNone;
}

void draw_end(Picture& picture, const Instant& end, double y) {
  const double a = picture.axis.inside(end.earliest());
  const double b = picture.axis.inside(end.latest());
  picture.bar(a, b, y - 5, 10, "sure",
              fmt::format("surely between {} and {}", since(end.earliest(), picture.axis.origin),
                          since(end.latest(), picture.axis.origin)));
  picture.mark(picture.axis.inside(end.at), y, "<path d=\"M0 -7V7\"/>", "cap");
}

/// Where the objective ends: a flag, and a dotted way to it while there is time left. Gives how
/// far to the right it drew.
double draw_objective(Picture& picture, const Interval& interval, const Instant& from, double end,
                      double y) {
  if (!interval.objective) return end;
  const UtcTime due = from.at + *interval.objective;
  if (due > picture.axis.to) return end;
  const double x = picture.axis.inside(due);
  if (x > end) picture.bar(end, x, y - 0.5, 1, "left-over");
  picture.mark(x, y, "<path d=\"M0 -8V8\"/><path d=\"M0 -8L6 -5L0 -2Z\"/>",
               objective_word(interval) == "missed" ? "goal bad" : "goal",
               fmt::format("{} objective {}", interval.name, spoken(*interval.objective)));
  return std::max(end, x);
}

std::string caption(const Interval& interval) {
  std::string text = value_of(interval);
  if (interval.objective) {
    const std::string_view word = objective_word(interval);
    text += fmt::format("  {} {}",
                        word == "missed" ? "✕ over"
                        : word == "met"  ? "✓ within"
                                         : "of",
                        spoken(*interval.objective));
  }
  return text;
}

void draw_bracket(Picture& picture, const Interval& interval) {
  const Axis& axis = picture.axis;
  const double y = picture.y + 12;
  picture.line(interval.name,
               fmt::format("{} → {}", point_name(interval.from), point_name(interval.to)),
               picture.y + 9);
  const std::optional<Instant>& from = point_of(picture.measures.points, interval.from);
  const std::optional<Instant>& to = point_of(picture.measures.points, interval.to);
  if (!from || (!interval.value && !interval.censored_at)) {
    picture.label(4, y + 4, objective_word(interval) == "missed" ? "bad" : "quiet",
                  "none: " + shorten(interval.why_none, 100));
    return;
  }
  const bool bad = objective_word(interval) == "missed";
  const UtcTime end = interval.value ? to->at : from->at + *interval.censored_at;
  const double a = axis.inside(std::min(from->at, end));
  const double b = axis.inside(std::max(from->at, end));
  picture.bar(a, b, y - 1, 2, bad ? "dim bad" : "dim");
  draw_end(picture, *from, y);
  if (interval.value) draw_end(picture, *to, y);
  else
    picture.mark(b, y, "<path d=\"M-7 -5L0 0L-7 5\"/>", bad ? "cap bad" : "cap",
                 "still not when watching ended");
  const double right = draw_objective(picture, interval, *from, b, y);
  const std::string text = caption(interval);
  const double width = text_width(text) * 1.2;
  const std::string_view style = bad ? "num bad" : "num";
  if (right - b > width + 30)
    picture.label(b, y + 4.5, style, text, 12);  // on the way to its objective
  else if (right + 18 + width < kPlot) picture.label(right, y + 4.5, style, text, 12);
  else if (a - width - 12 > 0) picture.label(a, y + 4.5, style, text, -width - 10);
  else picture.label((a + b) / 2, y - 6, style, text, -width / 2);
}

}  // namespace

void draw_intervals(Picture& picture) {
  if (!picture.measures.points.injected) return;
  picture.open("intervals", "How long it took");
  for (const Interval& interval : picture.measures.intervals) {
    draw_bracket(picture, interval);
    picture.y += kRow;
  }
  picture.close();
}

}  // namespace firedrill::reporting
