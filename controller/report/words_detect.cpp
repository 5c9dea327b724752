// Words on detection: who would have been woken, how well clocks are known, what was predicted.
#include <cmath>

#include <fmt/format.h>

#include "controller/report/words.hpp"

namespace firedrill::reporting {

std::string range_words(const std::optional<Range>& range) {
  if (!range) return "?";
  const std::string low = spoken(range->low), high = spoken(range->high);
  return low == high ? low : fmt::format("{} to {}", low, high);
}

std::string waking_words(const AlertSpan& alert) {
  if (!alert.muted_by.empty()) return fmt::format("muted by {}", alert.muted_by.front());
  if (alert.wakes)
    return fmt::format("{}: wakes somebody", alert.severity.empty() ? "pager" : alert.severity);
  return alert.severity.empty() ? "no severity: wakes nobody"
                                : fmt::format("{}: wakes nobody", alert.severity);
}

std::string clock_words(const ClockSpan& clock) {
  const double ms = static_cast<double>(clock.offset.count()) / 1000;
  const std::string offset =
      std::fabs(ms) < 1000 ? fmt::format("{:+.1f} ms", ms) : fmt::format("{:+.3f} s", ms / 1000);
  return fmt::format("{} ± {}", offset, spoken(clock.error));
}

std::string prediction_words(const Prediction& prediction) {
  if (!prediction.why_none.empty()) return "not predicted: " + prediction.why_none;
  std::string out = prediction.fire ? "predicted " + range_words(prediction.fire)
                                    : std::string("not predicted as a whole");
  out += prediction.fire_measured ? ", took " + range_words(prediction.fire_measured)
                                  : std::string(", did not fire");
  if (prediction.gap && prediction.gap->count() != 0)
    out += fmt::format("; {} {} than predicted", spoken(std::chrono::abs(*prediction.gap)),
                       prediction.gap->count() > 0 ? "later" : "earlier");
  return out;
}

}  // namespace firedrill::reporting
