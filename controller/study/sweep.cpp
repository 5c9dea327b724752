#include "controller/study/sweep.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace firedrill {
namespace {

using Place = Threshold::Place;

double share_in_breach(const Measures& measures) {
  if (!measures.points.injected) return 0;
  const UtcTime end = measures.points.reverted ? measures.points.reverted->at : measures.ended;
  const auto lasted = static_cast<double>((end - measures.points.injected->at).count());
  return lasted <= 0 ? 0 : std::min(1.0, static_cast<double>(measures.breached.count()) / lasted);
}

SweepPoint point_of(const StudiedRun& run) {
  SweepPoint point{.run = run.run, .value = run.tag->value, .why = why_unusable(run)};
  if (run.measures.sham) point.why = "a sham run";
  if (!point.why.empty()) return point;
  point.hurt = run.measures.points.impacted.has_value();
  point.noticed = run.measures.points.fired.has_value();
  point.zone = point.hurt      ? point.noticed ? Zone::noticed : Zone::gray
               : point.noticed ? Zone::false_alarm
                               : Zone::healthy;
  point.hurt_share = share_in_breach(run.measures);
  point.impact = timed(run.measures, "TTI");
  point.detection = timed(run.measures, "TTD from injection");
  return point;
}

Threshold threshold_of(std::span<const SweepPoint> points, bool SweepPoint::* yes) {
  std::vector<const SweepPoint*> known;
  for (const SweepPoint& point : points)
    if (point.zone != Zone::unknown) known.push_back(&point);
  if (known.empty()) return {};
  const auto is_yes = [&](const SweepPoint* point) { return point->*yes; };
  const auto first_yes = std::ranges::find_if(known, is_yes);
  if (first_yes == known.end())
    return {.place = Place::above, .low = known.back()->value, .high = {}};
  auto after_last_no = known.end();
  while (after_last_no != known.begin() && is_yes(*std::prev(after_last_no))) --after_last_no;
  Threshold out;
  out.sharp = after_last_no <= first_yes;
  if (first_yes != known.begin()) out.low = (*std::prev(first_yes))->value;
  if (after_last_no != known.end()) out.high = (*after_last_no)->value;
  out.place = out.sharp && !out.low ? Place::below : Place::inside;
  return out;
}

bool same(double a, double b) { return std::fabs(a - b) <= 1e-9 * std::max(a, b); }

std::size_t tries_at(std::span<const SweepPoint> points, double value) {
  return static_cast<std::size_t>(std::ranges::count_if(
      points, [&](const SweepPoint& point) { return same(point.value, value); }));
}

/// Settled: it has a conclusive run, or has been tried twice.
bool tried_enough(std::span<const SweepPoint> points, double value) {
  return tries_at(points, value) >= 2 || std::ranges::any_of(points, [&](const SweepPoint& point) {
           return same(point.value, value) && point.zone != Zone::unknown;
         });
}

std::optional<double> halve(const Sweep& sweep, const Threshold& threshold, double precision) {
  if (threshold.place != Place::inside || !threshold.sharp) return std::nullopt;
  const double low = *threshold.low, high = *threshold.high;
  if (std::max(low, high) / std::min(low, high) <= 1 + precision) return std::nullopt;
  const double middle = rounded(sweep.vary, std::sqrt(low * high));
  if (tried_enough(sweep.points, middle)) return std::nullopt;
  return middle;
}

Json threshold_json(const Threshold& threshold, const Vary& vary) {
  constexpr std::array<std::string_view, 4> kPlaces{"unknown", "below", "inside", "above"};
  const auto end = [&](const std::optional<double>& value) {
    return value ? value_of(vary, *value) : Json(nullptr);
  };
  return {{"place", kPlaces.at(static_cast<std::size_t>(threshold.place))},
          {"low", end(threshold.low)},
          {"high", end(threshold.high)},
          {"sharp", threshold.sharp},
          {"words", threshold_words(threshold, vary)}};
}

Json timed_json(const std::optional<Timed>& one) {
  if (!one) return nullptr;
  return one->observed ? Json{{"s", one->time}} : Json{{"more_than_s", one->time}};
}

std::string silent_words(const Sweep& sweep) {
  const Vary& vary = sweep.vary;
  const std::string begin = threshold_words(sweep.hurt, vary);
  if (sweep.noticed.place == Place::above)
    return fmt::format("users are hurt from {} on; monitoring never notices, up to {}", begin,
                       value_text(vary, *sweep.noticed.low));
  return fmt::format("users are hurt from {} on; monitoring notices from {} on", begin,
                     threshold_words(sweep.noticed, vary));
}

}  // namespace

std::string_view to_string(Zone zone) {
  constexpr std::array<std::string_view, 5> kWords{"healthy", "noticed", "gray", "false alarm",
                                                   "unknown"};
  return kWords.at(static_cast<std::size_t>(zone));
}

std::string threshold_words(const Threshold& threshold, const Vary& vary) {
  const auto text = [&](const std::optional<double>& value, double end) {
    return value_text(vary, value.value_or(end));
  };
  switch (threshold.place) {
    case Place::below:
      return fmt::format("at most {}", text(threshold.high, vary.from));
    case Place::above:
      return fmt::format("beyond {}", text(threshold.low, vary.to));
    case Place::inside:
      return fmt::format("{} {} and {}", threshold.sharp ? "between" : "somewhere between",
                         text(threshold.low, vary.from), text(threshold.high, vary.to));
    case Place::unknown:
      break;
  }
  return "unknown";
}

std::string gray_words(const Sweep& sweep) {
  const Vary& vary = sweep.vary;
  if (sweep.hurt.place == Place::unknown) return "no run was conclusive: nothing can be said";
  if (sweep.hurt.place == Place::above)
    return fmt::format("no gray zone: users were not hurt, up to {}",
                       value_text(vary, *sweep.hurt.low));
  const bool gray =
      std::ranges::find(sweep.points, Zone::gray, &SweepPoint::zone) != sweep.points.end();
  if (gray) return "gray zone: " + silent_words(sweep);
  const auto end = [&](const Threshold& threshold) {
    return strength(vary, threshold.high.value_or(vary.to));
  };
  if (end(sweep.noticed) < end(sweep.hurt))
    return "no gray zone: monitoring notices before users are hurt; " + silent_words(sweep);
  return "no gray zone wider than the steps; " + silent_words(sweep);
}

Result<Sweep> summarize_sweep(std::span<const StudiedRun> runs) {
  Sweep out;
  if (runs.empty() || !runs.front().tag || !runs.front().tag->session.sweep)
    return fail(ErrorCode::corrupt, "these runs belong to no sweep");
  out.session = runs.front().tag->session;
  out.title = runs.front().title;
  auto vary = parse_vary(out.session.sweep->vary);
  if (!vary) return fail(ErrorCode::corrupt, vary.error().what);
  out.vary = std::move(*vary);
  for (const StudiedRun& run : runs) {
    if (settled(run)) out.points.push_back(point_of(run));
    else ++out.unfinished;
  }
  // Runs at one intensity stand in the order of their ids, which begin with the time.
  std::ranges::sort(out.points, {}, [&](const SweepPoint& point) {
    return std::pair(strength(out.vary, point.value), point.run);
  });
  out.hurt = threshold_of(out.points, &SweepPoint::hurt);
  out.noticed = threshold_of(out.points, &SweepPoint::noticed);
  return out;
}

std::optional<double> next_intensity(const SweepPlan& plan, const Sweep& sweep) {
  if (!plan.precision) {
    for (const double value : log_grid(sweep.vary, plan.steps))
      if (!tried_enough(sweep.points, value)) return value;
    return std::nullopt;
  }
  for (const double end : {sweep.vary.from, sweep.vary.to})
    if (!tried_enough(sweep.points, end)) return end;
  if (const auto next = halve(sweep, sweep.hurt, *plan.precision)) return next;
  return halve(sweep, sweep.noticed, *plan.precision);
}

Json to_json(const Sweep& sweep) {
  Json points = Json::array();
  for (const SweepPoint& point : sweep.points)
    points.push_back(
        {{"run", point.run},
         {"value", value_of(sweep.vary, point.value)},
         {"zone", to_string(point.zone)},
         {"hurt", point.zone == Zone::unknown ? Json(nullptr) : Json(point.hurt)},
         {"noticed", point.zone == Zone::unknown ? Json(nullptr) : Json(point.noticed)},
         {"hurt_share", point.hurt_share},
         {"tti", timed_json(point.impact)},
         {"ttd_from_injection", timed_json(point.detection)},
         {"why", point.why}});
  return {{"session", sweep.session.id},
          {"title", sweep.title},
          {"vary", sweep.session.sweep ? sweep.session.sweep->vary : ""},
          {"hurt", threshold_json(sweep.hurt, sweep.vary)},
          {"noticed", threshold_json(sweep.noticed, sweep.vary)},
          {"gray", gray_words(sweep)},
          {"unfinished", sweep.unfinished},
          {"points", std::move(points)}};
}

}  // namespace firedrill
