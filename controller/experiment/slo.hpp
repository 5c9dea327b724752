// Service level objectives and the target's own operating modes, as an experiment gives them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/experiment/method.hpp"

namespace firedrill {

/// An alert on two windows: it fires while the error budget burns at more than `factor` times the
/// pace that would spend it in the SLO's whole window, over the long and over the short window.
/// Beyer et al., "The Site Reliability Workbook" (2018), chapter 5, table 5-8.
struct BurnRow {
  double factor = 0;
  Duration longer{}, shorter{};
  std::string severity;
};

/// The workbook's rows for a 30-day window, with the row over a day that it uses in its rules:
/// the first two wake somebody, the others are for the working day.
[[nodiscard]] std::vector<BurnRow> default_burn_rows();

struct Slo {
  std::string name;
  double objective = 0;  ///< share of good events, above 0 and below 1
  Duration window{30LL * 86'400 * 1'000'000};
  std::string url;               ///< Prometheus' base URL, or empty when a probe measures
  std::string total, bad, good;  ///< PromQL; one of bad and good. See count_expression()
  std::string probe;             ///< a steady-state probe by name: time out of tolerance is bad
  Duration poll{5'000'000};
  double minimum_budget = 0.1;  ///< share that must be left before the exercise begins
  std::vector<BurnRow> rows;
  std::string pointer;

  /// 1 − objective: the share of events that may be bad.
  [[nodiscard]] double allowed() const { return 1 - objective; }
  /// The windows of its rows, each once, from the shortest.
  [[nodiscard]] std::vector<Duration> windows() const;
};

/// The PromQL that counts events over `window`, as one series without labels. A counter,
/// `x_total{code="500"}`, becomes sum(increase(x_total{code="500"}[300s])); in any other
/// expression `$window` is replaced by the window.
[[nodiscard]] std::string count_expression(std::string_view expression, Duration window);
/// Can count_expression() take it? @errors invalid_input with how to write it, no pointer
[[nodiscard]] Result<void> check_count_expression(std::string_view expression);

enum class Mode : std::uint8_t { normal, degraded, floor, recovery, unknown };
[[nodiscard]] std::string_view to_string(Mode mode);

/// How the target says it works.
struct OperatingMode {
  std::string name;
  std::string url;    ///< of Prometheus with `query`, else of the target's own page
  std::string query;  ///< PromQL, or empty
  std::string field;  ///< JSON pointer into the page, or empty for its whole text
  std::string probe;  ///< a steady-state probe by name, when there is no url
  Duration poll{1'000'000};
  std::vector<std::pair<Mode, Tolerance>> modes;  ///< the first that tolerates the answer
  Duration flapping_within{60'000'000};
  std::string pointer;
};

/// Which mode an answer means; unknown when it means none.
[[nodiscard]] Mode mode_of(const OperatingMode& spec, const Json& answer);

}  // namespace firedrill
