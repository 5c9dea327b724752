// How well the clocks of hosts and monitoring servers were known, and whether one was stepped.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

/// Two clocks that nobody steps drift apart by no more (the most that NTP slews one).
constexpr double kDrift = 500e-6;
constexpr double kLeastStepUs = 100'000;  ///< events that were delivered late carry a later offset

struct Known {
  UtcTime at{};
  double offset = 0, error = 0;
};

std::string name_of(const Event& event) {
  const std::string detector = text_of(event.data, "detector");
  return detector.empty() ? text_of(event.data, "host") : detector;
}

/// Every event of an agent carries the offset that it was mapped with.
std::optional<Known> known_by(const Event& event) {
  const bool estimate = event.kind == event_kind::clock_estimate;
  const auto offset = number_of(event.data, estimate ? "offset_us" : "clock_offset_us");
  if (!offset && !estimate) return std::nullopt;
  const auto error = estimate ? number_of(event.data, "error_us")
                              : std::optional(static_cast<double>(event.uncertainty.count()));
  return Known{event.at, offset.value_or(0), error.value_or(0)};
}

bool was_stepped(const Known& before, const Known& now) {
  const double apart = std::fabs(now.offset - before.offset);
  const double age = std::fabs(static_cast<double>((now.at - before.at).count()));
  return apart > before.error + now.error + kDrift * age + kLeastStepUs;
}

Duration micros(double value) { return Duration{std::llround(value)}; }

}  // namespace

void clocks(const Log& log, Measures& measures) {
  std::map<std::string, Known> last;
  std::set<std::string> stepped;
  for (const Event* event : log) {
    const auto known = known_by(*event);
    const std::string name = name_of(*event);
    if (!known || name.empty()) continue;
    const auto [entry, first] = last.try_emplace(name, *known);
    if (!first && was_stepped(entry->second, *known) && stepped.insert(name).second)
      measures.doubts.push_back(
          fmt::format("the clock of {} was set during the run: it moved by {}", name,
                      in_words(micros(std::fabs(known->offset - entry->second.offset)))));
    entry->second = *known;
    if (event->kind != event_kind::clock_estimate) continue;
    const bool monitor = !text_of(event->data, "detector").empty();
    const ClockSpan span{name, monitor, micros(known->offset), micros(known->error)};
    const auto found = std::ranges::find(measures.clocks, name, &ClockSpan::name);
    if (found == measures.clocks.end()) measures.clocks.push_back(span);
    else *found = span;
  }
}

void doubt_clocks(const Experiment& experiment, Measures& measures) {
  const Duration limit = experiment.objectives.clock_error;
  std::set<std::string> hosts;
  for (const InjectionSpan& span : measures.injections) hosts.insert(span.host);
  for (const SliSeries& series : measures.series) hosts.insert(series.host);
  for (const ClockSpan& clock : measures.clocks)
    if (!clock.monitor && hosts.contains(clock.name) && clock.error > limit)
      measures.doubts.push_back(fmt::format("the clock of {} is known only to ± {} (at most {})",
                                            clock.name, in_words(clock.error), in_words(limit)));
  // A monitor's own clock matters where its word was used, as far as our looks leave it open.
  for (const AlertSpan& span : measures.alerts)
    if (span.expected && span.fired && span.basis == Basis::source && !span.before_injection &&
        (span.fired->early + span.fired->late) / 2 > limit)
      measures.doubts.push_back(fmt::format(
          "when '{}' fired is known only to ± {}, by the clock of {} (at most {})", span.alertname,
          in_words((span.fired->early + span.fired->late) / 2), span.detector, in_words(limit)));
}

}  // namespace firedrill::measuring
