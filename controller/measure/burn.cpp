#include "controller/measure/burn.hpp"

#include <algorithm>
#include <cmath>

namespace firedrill {
namespace {

double seconds(Duration duration) { return static_cast<double>(duration.count()) / 1e6; }

}  // namespace

std::optional<double> burn_rate(const BadOfTotal& counted, double objective) {
  if (!(counted.total > 0) || !(objective < 1)) return std::nullopt;
  return counted.bad / counted.total / (1 - objective);
}

double budget_share(double rate, Duration span, Duration window) {
  return rate * static_cast<double>(span.count()) / static_cast<double>(window.count());
}

std::optional<double> budget_spent(double bad, double expected, double objective) {
  if (!(expected > 0) || !(objective < 1)) return std::nullopt;
  return bad / (expected * (1 - objective));
}

Duration outage_equivalent(double spent, Duration window, double objective) {
  const double micros = spent * (1 - objective) * static_cast<double>(window.count());
  // Counters of a server may hold anything: a span that no clock can name is cut to 10,000 years.
  constexpr double kLongest = 3.2e17;
  if (!std::isfinite(micros)) return Duration{0};
  return Duration{static_cast<std::int64_t>(std::llround(std::clamp(micros, -kLongest, kLongest)))};
}

std::optional<double> expected_total(double total, Duration seen, Duration window) {
  if (seen <= Duration{0} || !(total > 0)) return std::nullopt;
  return total * static_cast<double>(window.count()) /
         static_cast<double>(std::min(seen, window).count());
}

bool row_fires(const BurnRow& row, std::optional<double> longer, std::optional<double> shorter) {
  return longer && shorter && *longer > row.factor && *shorter > row.factor;
}

void TimeSli::add(const std::string& host, UtcTime from, UtcTime to, bool good) {
  Host& known = hosts_[host];
  from = std::max(from, known.seen_to);
  if (to <= from) return;
  known.seen_to = to;
  if (good) return;
  if (!known.bad.empty() && known.bad.back().to == from) {
    known.bad.back().to = to;
    return;
  }
  Duration before{};
  if (!known.bad.empty())
    before = known.bad.back().before + (known.bad.back().to - known.bad.back().from);
  known.bad.push_back({.from = from, .to = to, .before = before});
}

BadOfTotal TimeSli::count(UtcTime at, Duration window) const {
  if (hosts_.empty() || window <= Duration{0}) return {};
  // Bad time of one host up to an instant: the spans before it, and its part of the last.
  const auto until = [](const Host& host, UtcTime instant) {
    const auto after = std::ranges::upper_bound(host.bad, instant, {}, &Span::from);
    if (after == host.bad.begin()) return Duration{0};
    const Span& last = *std::prev(after);
    return last.before + (std::min(instant, last.to) - last.from);
  };
  Duration bad{};
  for (const auto& [name, host] : hosts_) bad += until(host, at) - until(host, at - window);
  return {.bad = seconds(bad) / static_cast<double>(hosts_.size()), .total = seconds(window)};
}

}  // namespace firedrill
