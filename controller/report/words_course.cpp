// What faults did by themselves, and what that did to users, in words.
#include <fmt/format.h>

#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

std::string percent(double share) { return fmt::format("{:.0f}%", 100 * share); }

std::string period_words(const InjectionSpan& span, UtcTime until) {
  Duration on{};
  for (const auto& [from, to] : span.on) on += to - from;
  if (span.on_since) on += std::max(Duration{}, until - *span.on_since);
  const std::size_t periods = span.on.size() + (span.on_since ? 1 : 0);
  std::string out;
  if (span.pattern)
    out =
        fmt::format("on for {}, off for {}: ", spoken(span.pattern->on), spoken(span.pattern->off));
  out += fmt::format("{} period{}", periods, periods == 1 ? "" : "s");
  const Duration life = (span.ended ? span.ended->at : until) - span.active->at;
  if (life <= Duration{}) return out;
  const double share = static_cast<double>(on.count()) / static_cast<double>(life.count());
  return out + fmt::format(", on {} of the time", percent(std::min(1.0, share)));
}

}  // namespace

std::string course_words(const InjectionSpan& span, UtcTime until) {
  if (!span.active) return {};
  std::string out;
  if (span.pattern || span.on.size() + (span.on_since ? 1 : 0) > 1) out = period_words(span, until);
  if (!span.ramp) return out;
  if (!out.empty()) out += "; ";
  out += fmt::format("{} from {} in {} steps over {}", span.ramp->parameter, span.ramp->from,
                     span.ramp->steps, spoken(span.ramp->over));
  return out + (span.ramped_to ? ", came to " + *span.ramped_to : ", no step came");
}

std::string modes_words(const SliSeries& series) {
  if (!series.spread || !series.spread->bimodal) return {};
  const Spread& spread = *series.spread;
  return fmt::format("two modes: {} ({}) and {} ({})", quantity(spread.lower, series.unit),
                     percent(1 - spread.upper_share), quantity(spread.upper, series.unit),
                     percent(spread.upper_share));
}

std::string periods_words(const SliSeries& series) {
  if (!series.on_median || !series.off_median) return {};
  return fmt::format("{} while on, {} while off", quantity(*series.on_median, series.unit),
                     quantity(*series.off_median, series.unit));
}

}  // namespace firedrill::reporting
