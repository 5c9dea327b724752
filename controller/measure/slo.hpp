// What a run did to each service level objective, and which modes its target went through.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "controller/measure/burn.hpp"
#include "controller/measure/instant.hpp"

namespace firedrill {

/// One burn-rate row while the exercise lasted.
struct BurnResult {
  BurnRow row{};
  std::optional<double> longer{}, shorter{};  ///< the greatest burn rate of each window
  /// The greatest rate at which both windows burned at one time: above the factor it fires.
  std::optional<double> both{};
  std::optional<UtcTime> fired{};  ///< the first sample from the injection on at which it fires
  bool before = false;             ///< it fired already when the injection came
  bool wakes = false;              ///< somebody would have been woken, had it fired
};

struct SloResult {
  std::string name;
  double objective = 0;
  Duration window{};
  bool of_time = false;               ///< bad time by a probe, instead of bad events
  std::optional<double> left_before;  ///< share of the budget; below 0 when overspent
  Duration covered{};                 ///< how much of the window that was known
  std::vector<BurnResult> rows;
  std::optional<double> bad, total;  ///< events, or seconds, from the injection to the end
  std::optional<double> spent;       ///< share of the budget that they spent
  std::optional<Duration> outage;    ///< so long a full outage spends the same
  std::size_t samples = 0;
  std::vector<Window> blind;  ///< when its counts could not be read
  std::string why_none;       ///< why nothing is known of what was spent
};

/// One stay in a mode.
struct ModeVisit {
  Mode mode = Mode::unknown;
  std::string value;  ///< the answer that began it
  Instant began;
  UtcTime until{};
};

struct ModeResult {
  std::string name;
  std::vector<ModeVisit> visits;                 ///< in order; unknown where it did not answer
  std::vector<std::pair<Mode, Duration>> times;  ///< those that were seen, unknown last
  std::size_t changes = 0;                       ///< from one known mode to another
  std::size_t flaps = 0;  ///< of those, returns to the mode before within `flapping_within`
  Duration flapping_within{};
};

[[nodiscard]] Json slos_json(std::span<const SloResult> slos);
[[nodiscard]] Json modes_json(std::span<const ModeResult> modes);

}  // namespace firedrill
