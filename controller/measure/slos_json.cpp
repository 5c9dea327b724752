// SLOs and operating modes as JSON: shares as numbers, times in microseconds.
#include "controller/measure/slo.hpp"

namespace firedrill {
namespace {

template <class T>
Json maybe(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json to_json(const BurnResult& result) {
  return {{"factor", result.row.factor},
          {"long_us", result.row.longer.count()},
          {"short_us", result.row.shorter.count()},
          {"severity", result.row.severity},
          {"worst_long", maybe(result.longer)},
          {"worst_short", maybe(result.shorter)},
          {"worst_both", maybe(result.both)},
          {"fires", result.fired.has_value()},
          {"fired_us", result.fired ? Json(to_micros(*result.fired)) : Json(nullptr)},
          {"fired_before", result.before},
          {"wakes", result.wakes}};
}

Json to_json(const SloResult& slo) {
  Json rows = Json::array();
  for (const BurnResult& row : slo.rows) rows.push_back(to_json(row));
  Json blind = Json::array();
  for (const auto& [from, to] : slo.blind)
    blind.push_back({{"from_us", to_micros(from)}, {"to_us", to_micros(to)}});
  return {{"name", slo.name},
          {"objective", slo.objective},
          {"window_us", slo.window.count()},
          {"unit", slo.of_time ? "seconds" : "events"},
          {"budget_left_before", maybe(slo.left_before)},
          {"covered_us", slo.covered.count()},
          {"burn_rates", std::move(rows)},
          {"bad", maybe(slo.bad)},
          {"total", maybe(slo.total)},
          {"budget_spent", maybe(slo.spent)},
          {"outage_us", slo.outage ? Json(slo.outage->count()) : Json(nullptr)},
          {"samples", slo.samples},
          {"blind", std::move(blind)},
          {"why_none", slo.why_none}};
}

Json to_json(const ModeResult& result) {
  Json visits = Json::array();
  for (const ModeVisit& visit : result.visits)
    visits.push_back({{"mode", to_string(visit.mode)},
                      {"value", visit.value},
                      {"from_us", to_micros(visit.began.at)},
                      {"early_us", visit.began.early.count()},
                      {"late_us", visit.began.late.count()},
                      {"to_us", to_micros(visit.until)}});
  Json times = Json::object();
  for (const auto& [mode, time] : result.times) times[to_string(mode)] = time.count();
  return {{"name", result.name},          {"visits", std::move(visits)},
          {"times_us", std::move(times)}, {"changes", result.changes},
          {"flaps", result.flaps},        {"flapping_within_us", result.flapping_within.count()}};
}

template <class T>
Json list(std::span<const T> items) {
  Json out = Json::array();
  for (const T& item : items) out.push_back(to_json(item));
  return out;
}

}  // namespace

Json slos_json(std::span<const SloResult> slos) { return list(slos); }
Json modes_json(std::span<const ModeResult> modes) { return list(modes); }

}  // namespace firedrill
