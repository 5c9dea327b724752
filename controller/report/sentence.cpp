// One plain sentence of what happened, from the measures alone.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "controller/report/report.hpp"
#include "controller/report/words.hpp"

namespace firedrill {
namespace {

using namespace reporting;

std::string joined(const std::set<std::string>& words) {
  if (words.size() > 3) return fmt::format("{} of them", words.size());
  std::string out;
  std::size_t i = 0;
  for (const std::string& word : words) {
    if (i > 0) out += i + 1 == words.size() ? " and " : ", ";
    out += word;
    ++i;
  }
  return out;
}

std::string injected_words(const Measures& measures) {
  std::set<std::string> faults, hosts;
  for (const InjectionSpan& span : measures.injections)
    if (span.active) faults.insert(span.fault), hosts.insert(span.host);
  const std::string where =
      hosts.size() > 3 ? fmt::format("{} hosts", hosts.size()) : joined(hosts);
  const std::string what =
      faults.size() > 3 ? fmt::format("{} faults", faults.size()) : joined(faults);
  return fmt::format("{} hit {}", what, where);
}

std::string impact_words(const Measures& measures) {
  if (!measures.points.impacted) {
    const bool measured = !measures.series.empty();
    return measured ? "users were never hurt" : "no probe measured what users felt";
  }
  std::string probe;
  UtcTime first = UtcTime::max();
  for (const SliSeries& series : measures.series)
    for (const auto& [from, to] : series.breaches)
      if (to > measures.points.injected->at && from < first) first = from, probe = series.probe;
  return fmt::format("{} left its tolerance {} later", probe.empty() ? "a probe" : probe,
                     spoken(measures.points.impacted->at - measures.points.injected->at));
}

std::string alert_words(const Measures& measures, const Experiment& experiment) {
  const ClockPoints& points = measures.points;
  if (!points.fired) return experiment.expected.empty() ? "" : "none of the expected alerts fired";
  std::string name = "an expected alert";
  for (const AlertSpan& alert : measures.alerts)
    if (alert.expected && alert.fired && alert.fired->at == points.fired->at)
      name = alert.alertname;
  const UtcTime from = points.impacted ? points.impacted->at : points.injected->at;
  const std::string_view after = points.impacted ? "that" : "the injection";
  if (points.fired->at < from)
    return fmt::format("{} fired {} before users were hurt", name, spoken(from - points.fired->at));
  std::string out =
      fmt::format("{} fired {} after {}", name, spoken(points.fired->at - from), after);
  // The alert's instant is an estimate, and may lie a little behind the page that it caused.
  if (points.acknowledged && points.acknowledged->at <= points.fired->at)
    out += ", acknowledged at once";
  else if (points.acknowledged)
    out +=
        fmt::format(", acknowledged within {}", spoken(points.acknowledged->at - points.fired->at));
  else if (measures.response_asked) out += ", and nobody acknowledged it";
  return out;
}

std::string recovery_words(const Measures& measures) {
  const ClockPoints& points = measures.points;
  if (!points.impacted) return {};
  if (!points.recovered) return "users were not whole again when watching ended";
  const std::string took = spoken(points.recovered->at - points.impacted->at);
  if (measures.mitigated_by == "responders")
    return fmt::format("responders had users whole again {} after the impact", took);
  if (measures.mitigated_by == "system")
    return fmt::format("the system mended itself {} after the impact, and nobody acted", took);
  if (measures.undo_too_near)
    return fmt::format(
        "users were whole again after {}, too shortly before the fault was taken off "
        "to be told apart from it",
        took);
  return fmt::format("users were whole again after {}, only because the fault was taken off", took);
}

}  // namespace

std::string what_happened(const Measures& measures, const Experiment& experiment) {
  if (measures.sham) {
    const bool alarm = std::ranges::any_of(measures.alerts, [](const AlertSpan& alert) {
      return alert.fired && !alert.before_injection && (alert.expected || alert.forbidden);
    });
    if (alarm) return "A sham run: nothing was injected, and an alert fired all the same.";
    if (!measures.doubts.empty())
      return fmt::format("A sham run that cannot say whether monitoring stays quiet: {}.",
                         measures.doubts.front());
    return "A sham run: nothing was injected, and monitoring stayed quiet.";
  }
  if (!measures.points.injected)
    return "No fault was confirmed on any host, so nothing can be said.";
  std::string out = injected_words(measures);
  const std::string clauses[] = {impact_words(measures), alert_words(measures, experiment),
                                 recovery_words(measures)};
  for (const std::string& clause : clauses)
    if (!clause.empty()) out += "; " + clause;
  if (!measures.halted_by.empty()) out += "; stopped by " + measures.halted_by;
  return out + ".";
}

}  // namespace firedrill
