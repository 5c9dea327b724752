// Error budgets: what was left before, how fast it burned, and what the exercise spent of it.
#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

std::optional<BadOfTotal> counts_of(const Json& data) {
  const auto total = number_of(data, "total");
  if (!total) return std::nullopt;
  return BadOfTotal{.bad = number_of(data, "bad").value_or(0), .total = *total};
}

std::optional<Duration> span_of(const Json& data, std::string_view key) {
  const auto value = number_of(data, key);
  if (!value || !(*value >= 0) || *value > 1e17) return std::nullopt;
  return Duration{static_cast<std::int64_t>(*value)};
}

/// The burn rates of an SLO's windows at one instant.
using Rates = std::map<Duration, std::optional<double>>;

void raise(std::optional<double>& most, std::optional<double> value) {
  if (value && (!most || *value > *most)) most = value;
}

/// Takes in one instant. Before the injection only the last look counts: was it firing already?
void observe(UtcTime at, const Rates& rates, std::optional<UtcTime> injected, SloResult& out) {
  const auto rate_of = [&](Duration window) {
    const auto found = rates.find(window);
    return found == rates.end() ? std::nullopt : found->second;
  };
  ++out.samples;
  for (BurnResult& row : out.rows) {
    const auto longer = rate_of(row.row.longer);
    const auto shorter = rate_of(row.row.shorter);
    const bool fires = row_fires(row.row, longer, shorter);
    if (injected && at < *injected) {
      row.before = fires;
      continue;
    }
    raise(row.longer, longer);
    raise(row.shorter, shorter);
    if (longer && shorter) raise(row.both, std::min(*longer, *shorter));
    if (fires && !row.fired) row.fired = at;
  }
}

/// What Prometheus counted over the window before the run: the budget that was left, and how many
/// events a whole window brings.
std::optional<double> read_budget(const Log& log, const Slo& slo, SloResult& out) {
  std::optional<double> expected;
  for (const Event* event : log) {
    if (event->kind != event_kind::slo_budget || text_of(event->data, "slo") != slo.name) continue;
    const auto counted = counts_of(event->data);
    if (!counted) continue;
    out.covered = span_of(event->data, "covered_us").value_or(Duration{0});
    expected = expected_total(counted->total, out.covered, slo.window);
    if (!expected) continue;
    if (const auto spent = budget_spent(counted->bad, *expected, slo.objective))
      out.left_before = 1 - *spent;
  }
  return expected;
}

Rates rates_of(const Event& sample, const Slo& slo) {
  Rates out;
  const auto windows = sample.data.find("windows");
  if (windows == sample.data.end() || !windows->is_array()) return out;
  for (const Json& one : *windows) {
    const auto window = span_of(one, "window_us");
    const auto counted = counts_of(one);
    if (window && counted) out[*window] = burn_rate(*counted, slo.objective);
  }
  return out;
}

void spend(BadOfTotal counted, std::optional<double> expected, const Slo& slo, SloResult& out) {
  out.bad = counted.bad;
  out.total = counted.total;
  if (!expected) {
    out.why_none = "no events came, so that nothing can be said of the budget";
    return;
  }
  out.spent = budget_spent(counted.bad, *expected, slo.objective);
  if (out.spent) out.outage = outage_equivalent(*out.spent, slo.window, slo.objective);
}

/// The last count that covers the exercise, and nothing before it.
void spent_by_events(const Log& log, const Slo& slo, std::optional<UtcTime> injected,
                     std::optional<double> expected, SloResult& out) {
  const Json* last = nullptr;
  UtcTime to{};
  for (const Event* event : log) {
    if (event->kind != event_kind::slo_sample || text_of(event->data, "slo") != slo.name) continue;
    const Json* exercise = object_of(event->data, "exercise");
    if (exercise == nullptr || !counts_of(*exercise)) continue;
    const auto from = time_of(*exercise, "from_us");
    if (!from || (injected && *from < *injected)) continue;
    last = exercise;
    to = time_of(event->data, "to_us").value_or(event->at);
  }
  if (last == nullptr) {
    out.why_none = out.samples == 0 ? "Prometheus never told its counts"
                                    : "no events were counted while the exercise lasted";
    return;
  }
  const BadOfTotal counted = *counts_of(*last);
  // Without an answer from before, the exercise's own traffic says what a window brings.
  if (!expected)
    expected = expected_total(counted.total, to - *time_of(*last, "from_us"), slo.window);
  spend(counted, expected, slo, out);
}

void by_events(const Log& log, const Slo& slo, std::optional<UtcTime> injected, UtcTime ended,
               SloResult& out) {
  const auto expected = read_budget(log, slo, out);
  std::optional<UtcTime> lost;
  for (const Event* event : log) {
    if (text_of(event->data, "slo") != slo.name) continue;
    if (event->kind == event_kind::slo_lost && !lost)
      lost = time_of(event->data, "since_us").value_or(event->at);
    if (event->kind != event_kind::slo_sample) continue;
    if (lost) out.blind.emplace_back(*lost, event->at);
    lost.reset();
    observe(event->at, rates_of(*event, slo), injected, out);
  }
  if (lost) out.blind.emplace_back(*lost, ended);
  spent_by_events(log, slo, injected, expected, out);
}

void by_time(const std::vector<Track>& tracks, const Slo& slo, std::optional<UtcTime> injected,
             const Measures& measures, SloResult& out) {
  out.of_time = true;
  TimeSli sli;
  std::vector<std::tuple<UtcTime, UtcTime, std::string, bool>> samples;
  for (const Track& track : tracks)
    if (track.series.probe == slo.probe)
      for (const Mood& mood : track.moods)
        if (mood.state != Mood::State::unknown)
          samples.emplace_back(mood.to, mood.from, track.series.host,
                               mood.state == Mood::State::good);
  std::ranges::sort(samples);
  for (const auto& [to, from, host, good] : samples) sli.add(host, from, to, good);
  if (sli.empty()) {
    out.why_none = fmt::format("probe '{}' never gave a value", slo.probe);
    return;
  }
  for (const auto& [to, from, host, good] : samples) {
    Rates rates;
    for (const Duration window : slo.windows())
      rates[window] = burn_rate(sli.count(to, window), slo.objective);
    observe(to, rates, injected, out);
  }
  const UtcTime begin = injected.value_or(measures.started);
  const UtcTime end = std::max(measures.ended, begin + Duration{1});
  spend(sli.count(end, end - begin), static_cast<double>(slo.window.count()) / 1e6, slo, out);
}

}  // namespace

void slos(const Log& log, const Experiment& experiment, const std::vector<Track>& tracks,
          Measures& measures) {
  std::optional<UtcTime> injected;
  if (measures.points.injected) injected = measures.points.injected->earliest();
  for (const Slo& slo : experiment.slos) {
    SloResult out;
    out.name = slo.name;
    out.objective = slo.objective;
    out.window = slo.window;
    for (const BurnRow& row : slo.rows) {
      const bool wakes =
          std::ranges::find(experiment.paging.wakes, row.severity) != experiment.paging.wakes.end();
      out.rows.push_back({.row = row, .wakes = wakes});
    }
    if (slo.probe.empty()) by_events(log, slo, injected, measures.ended, out);
    else by_time(tracks, slo, injected, measures, out);
    measures.slos.push_back(std::move(out));
  }
}

}  // namespace firedrill::measuring
