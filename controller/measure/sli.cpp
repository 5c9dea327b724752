// Probe samples as series: what is in tolerance, breaches, medians, impact and recovery.
#include <algorithm>
#include <cmath>
#include <tuple>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

using State = Mood::State;

/// The measured value: as the sample names it, or the share of failed operations, which every
/// sample holds whether its probe says so or not.
std::optional<Json> value_of(const Json& data, const ProbeSpec& spec) {
  const Json* values = object_of(data, "values");
  if (values != nullptr && !values->empty()) {
    if (spec.measure.empty()) return values->begin().value();
    if (const auto found = values->find(spec.measure); found != values->end()) return *found;
  }
  const double count = number_of(data, "count").value_or(0);
  if (spec.measure == "error_ratio" && count > 0)
    return Json(number_of(data, "errors").value_or(0) / count);
  return std::nullopt;
}

/// Operations that all failed are what users feel, so they are bad though no value came. No
/// operation at all says nothing about users.
State state_of(const Json& data, const std::optional<Json>& value, const ProbeSpec& spec) {
  if (value && !value->is_null())
    return tolerates(spec.tolerance, *value) ? State::good : State::bad;
  const double count = number_of(data, "count").value_or(0);
  return count > 0 && number_of(data, "errors").value_or(0) >= count ? State::bad : State::unknown;
}

void add_sample(const Event& event, const ProbeSpec& spec, Track& track) {
  const UtcTime to = time_of(event.data, "to_us").value_or(event.at);
  const UtcTime from = std::min(to, time_of(event.data, "from_us").value_or(to));
  const std::optional<Json> value = value_of(event.data, spec);
  const State state = state_of(event.data, value, spec);
  const double count = number_of(event.data, "count").value_or(0);
  // Operations start evenly over the window: what begins after the last of them is not seen.
  const Json* values = object_of(event.data, "values");
  const bool operations = values != nullptr && values->contains("error_ratio") && count >= 1;
  const Duration unseen =
      operations ? Duration{(to - from).count() / std::llround(count)} : Duration{0};
  track.moods.push_back(
      {.state = state, .from = from, .to = to, .uncertainty = event.uncertainty, .unseen = unseen});
  SliPoint point{.at = from + (to - from) / 2};
  point.known = value && value->is_number() && std::isfinite(value->get<double>());
  if (point.known) point.value = value->get<double>();
  point.within = state == State::good;
  point.error_ratio = count > 0 ? number_of(event.data, "errors").value_or(0) / count : 0;
  track.series.points.push_back(point);
}

Track& track_for(const ProbeSpec& spec, const std::string& host, std::vector<Track>& tracks) {
  for (Track& track : tracks)
    if (track.series.probe == spec.name && track.series.host == host) return track;
  Track& track = tracks.emplace_back();
  track.breach_after = spec.breach_after;
  track.series.probe = spec.name;
  track.series.host = host;
  track.series.measure = spec.measure;
  track.series.unit = spec.unit;
  track.series.bounded = spec.tolerance.kind == Tolerance::Kind::range;
  track.series.low = spec.tolerance.low;
  track.series.high = spec.tolerance.high;
  return track;
}

std::optional<double> quantile(std::vector<double> values, double q) {
  if (values.empty()) return std::nullopt;
  std::ranges::sort(values);
  const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(values.size())));
  return values[std::max<std::size_t>(rank, 1) - 1];
}

/// Sorted by their end, so that a late batch from an agent falls into its place.
void sort_track(Track& track) {
  std::vector<std::size_t> order(track.moods.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return std::tie(track.moods[a].to, track.moods[a].from, a) <
           std::tie(track.moods[b].to, track.moods[b].from, b);
  });
  std::vector<Mood> moods;
  std::vector<SliPoint> points;
  for (const std::size_t i : order) {
    moods.push_back(track.moods[i]);
    points.push_back(track.series.points[i]);
  }
  track.moods = std::move(moods);
  track.series.points = std::move(points);
}

/// Only times are judged for their modes: a share of errors is made of few values by its nature.
bool is_latency(const SliSeries& series) {
  const auto ends = [&](std::string_view unit) { return series.measure.ends_with(unit); };
  return ends("_ms") || ends("_us") || ends("_s") || series.unit == "ms" || series.unit == "us" ||
         series.unit == "s";
}

bool has_off_periods(const Measures& measures) {
  return std::ranges::any_of(measures.injections, [](const InjectionSpan& span) {
    return span.on.size() + (span.on_since ? 1 : 0) > 1 ||
           (!span.on.empty() && span.ended && span.on.back().second < span.ended->earliest());
  });
}

/// Medians while on and while off. A sample that an edge falls into belongs to neither.
void split_by_periods(Track& track, std::span<const Window> windows, UtcTime from, UtcTime to) {
  std::vector<double> on, off;
  for (std::size_t i = 0; i < track.moods.size(); ++i) {
    const Mood& mood = track.moods[i];
    const SliPoint& point = track.series.points[i];
    if (!point.known || mood.from < from || mood.to > to) continue;
    const bool within = std::ranges::any_of(windows, [&](const Window& window) {
      return window.first <= mood.from && mood.to <= window.second;
    });
    const bool outside = std::ranges::none_of(windows, [&](const Window& window) {
      return mood.from < window.second && window.first < mood.to;
    });
    if (within) on.push_back(point.value);
    if (outside) off.push_back(point.value);
  }
  track.series.on_count = on.size();
  track.series.off_count = off.size();
  track.series.on_median = quantile(std::move(on), 0.5);
  track.series.off_median = quantile(std::move(off), 0.5);
}

}  // namespace

std::vector<Track> tracks_of(const Log& log, const Experiment& experiment) {
  std::vector<Track> tracks;
  for (const ProbeSpec& spec : experiment.probes) {
    for (const Event* event : log)
      if (event->kind == event_kind::probe_sample && text_of(event->data, "probe") == spec.name)
        add_sample(*event, spec, track_for(spec, text_of(event->data, "host"), tracks));
  }
  for (Track& track : tracks) sort_track(track);
  return tracks;
}

std::vector<Breach> breaches_of(const Track& track) {
  std::vector<Breach> breaches;
  std::optional<Mood> last_good;
  std::vector<Mood> bad;
  const auto close = [&](std::optional<UtcTime> next_good) {
    if (static_cast<int>(bad.size()) >= track.breach_after)
      breaches.push_back(
          {.began = between(last_good ? last_good->to - last_good->unseen : bad.front().from,
                            bad.front().to, bad.front().uncertainty),
           .first_bad_to = bad.front().to,
           .until = next_good.value_or(bad.back().to)});
    bad.clear();
  };
  for (const Mood& mood : track.moods) {
    if (mood.state == State::bad) bad.push_back(mood);
    if (mood.state == State::good) {
      close(mood.from);
      last_good = mood;
    }
  }
  close(std::nullopt);
  return breaches;
}

void describe_series(std::vector<Track>& tracks, const Measures& measures) {
  const auto& injected = measures.points.injected;
  UtcTime off = measures.points.reverted ? measures.points.reverted->at : measures.ended;
  if (measures.points.mitigated) off = std::min(off, measures.points.mitigated->at);
  const bool periods = injected && has_off_periods(measures);
  for (Track& track : tracks) {
    for (const Breach& breach : breaches_of(track))
      track.series.breaches.emplace_back(breach.began.at, breach.until);
    std::vector<double> before, during;
    for (const SliPoint& point : track.series.points) {
      if (!point.known) continue;
      if (!injected || point.at < injected->at) before.push_back(point.value);
      if (injected && point.at >= injected->at && point.at <= off) during.push_back(point.value);
    }
    track.series.baseline_median = quantile(before, 0.5);
    track.series.baseline_p99 = quantile(before, 0.99);
    track.series.fault_median = quantile(during, 0.5);
    track.series.fault_p99 = quantile(during, 0.99);
    if (is_latency(track.series)) track.series.spread = spread_of(std::move(during));
    if (periods) split_by_periods(track, on_windows(measures, off), injected->at, off);
  }
}

void impact(const std::vector<Track>& tracks, Measures& measures) {
  if (!measures.points.injected) return;
  const UtcTime start = measures.points.injected->earliest();
  std::vector<std::pair<UtcTime, UtcTime>> bad;
  for (const Track& track : tracks) {
    for (const Breach& breach : breaches_of(track)) {
      if (breach.until > start) bad.emplace_back(std::max(breach.began.at, start), breach.until);
      if (breach.first_bad_to <= start) continue;  // it began before: not the fault's doing
      Instant began = breach.began;
      if (began.earliest() < start) began = between(start, began.latest(), Duration{0});
      if (!measures.points.impacted || began.at < measures.points.impacted->at)
        measures.points.impacted = began;
    }
  }
  std::ranges::sort(bad);
  UtcTime counted = start;
  for (const auto& [from, to] : bad) {
    if (to > counted) measures.breached += to - std::max(from, counted);
    counted = std::max(counted, to);
  }
}

}  // namespace firedrill::measuring
