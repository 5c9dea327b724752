// Sentences about error budgets and operating modes; the same ones in every report.
#include <algorithm>

#include <fmt/format.h>

#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

std::string percent(double share) {
  const std::string text = number(100 * share);
  return text + " %";
}

}  // namespace

std::string objective_words(const SloResult& slo) {
  return fmt::format("{:.6g} % over {}", 100 * slo.objective, to_string(slo.window));
}

std::string left_words(const SloResult& slo) {
  if (!slo.left_before) return slo.of_time ? "not known: measured by a probe" : "not known";
  std::string out = percent(*slo.left_before);
  if (slo.covered < slo.window - slo.window / 50) {
    using std::chrono::floor;
    out += fmt::format(" at most ({} known)", to_string(floor<std::chrono::seconds>(slo.covered)));
  }
  return out;
}

std::string spent_words(const SloResult& slo) {
  if (!slo.spent) return "not known: " + slo.why_none;
  std::string out = percent(*slo.spent);
  if (slo.outage) out += fmt::format(", like {} of full outage", spoken(*slo.outage));
  if (!slo.bad || !slo.total) return out;
  if (slo.of_time) return out + fmt::format(" ({} s bad)", number(*slo.bad));
  return out + fmt::format(" ({} of {} events bad)", number(*slo.bad), number(*slo.total));
}

std::string row_words(const BurnRow& row) {
  return fmt::format("{:g}x over {} and {}", row.factor, to_string(row.longer),
                     to_string(row.shorter));
}

std::string burn_words(const BurnResult& result) {
  if (!result.longer && !result.shorter) return "no events in its windows";
  const auto rate = [](const std::optional<double>& value) {
    return value ? number(*value) + "x" : std::string("none");
  };
  return fmt::format("at worst {} and {}", rate(result.longer), rate(result.shorter));
}

std::string firing_words(const BurnResult& result, UtcTime origin) {
  if (!result.longer && !result.shorter) return {};
  if (result.before) return fmt::format("{} fired already before", result.row.severity);
  if (result.fired)
    return fmt::format("{} {}", result.wakes ? "would have paged," : result.row.severity + ",",
                       since(*result.fired, origin));
  return "quiet";
}

std::string mode_times_words(const ModeResult& mode) {
  if (mode.visits.empty()) return "it never told its mode";
  std::string out;
  for (const auto& [one, time] : mode.times)
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", to_string(one), spoken(time));
  out += fmt::format("; {} {}", mode.changes, mode.changes == 1 ? "change" : "changes");
  if (mode.flaps > 0)
    out += fmt::format(", {} of them back within {}: it flaps", mode.flaps,
                       to_string(mode.flapping_within));
  return out;
}

std::string mode_path_words(const ModeResult& mode, UtcTime origin) {
  constexpr std::size_t kMost = 12;
  std::string out;
  for (std::size_t i = 0; i < std::min(mode.visits.size(), kMost); ++i) {
    const ModeVisit& visit = mode.visits[i];
    out += fmt::format("{}{} {}", out.empty() ? "" : " → ", to_string(visit.mode),
                       i == 0 ? "" : since(visit.began.at, origin));
    while (out.ends_with(' ')) out.pop_back();
  }
  if (mode.visits.size() > kMost) out += fmt::format(" → and {} more", mode.visits.size() - kMost);
  return out;
}

}  // namespace firedrill::reporting
