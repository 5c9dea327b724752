// The arithmetic of error budgets. Pure; formulas are those of Beyer et al., "The Site Reliability
// Workbook" (2018), chapter 5, "Alerting on SLOs".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controller/experiment/slo.hpp"

namespace firedrill {

/// Events, or seconds, of which some were bad.
struct BadOfTotal {
  double bad = 0, total = 0;
};

/// Error ratio over the ratio that the objective allows: 1 spends the whole budget in exactly the
/// SLO's window. Nothing without events.
[[nodiscard]] std::optional<double> burn_rate(const BadOfTotal& counted, double objective);

/// Share of the budget that burning at `rate` for `span` spends: rate × span / window.
[[nodiscard]] double budget_share(double rate, Duration span, Duration window);

/// Share of the budget that `bad` events spend when `expected` come in the whole window. 1 is all
/// of it; it may be more. Nothing without events.
[[nodiscard]] std::optional<double> budget_spent(double bad, double expected, double objective);

/// How long a full outage spends that share: 43 min 12 s for all of 99.9 % over 30 days.
[[nodiscard]] Duration outage_equivalent(double spent, Duration window, double objective);

/// Events that come in the whole window, when `total` came in the part of it that was seen.
[[nodiscard]] std::optional<double> expected_total(double total, Duration seen, Duration window);

/// A row fires while both windows burn above its factor. A window without events does not burn.
[[nodiscard]] bool row_fires(const BurnRow& row, std::optional<double> longer,
                             std::optional<double> shorter);

/// An SLI made of time: how much of it the samples of a probe call bad. Each host that measures
/// has an equal say; time that no sample covers counts as good, so that what is said is a least.
class TimeSli {
 public:
  /// A sample of `host`. What an earlier sample of the host covers already counts once.
  void add(const std::string& host, UtcTime from, UtcTime to, bool good);
  /// Seconds of bad time in the window that ends at `at`, of the window's length.
  [[nodiscard]] BadOfTotal count(UtcTime at, Duration window) const;
  [[nodiscard]] bool empty() const { return hosts_.empty(); }

 private:
  struct Span {
    UtcTime from{}, to{};
    Duration before{};  ///< bad time of the host in all spans before this
  };
  struct Host {
    UtcTime seen_to{};
    std::vector<Span> bad;  ///< by time, apart from each other
  };
  std::map<std::string, Host> hosts_;
};

}  // namespace firedrill
