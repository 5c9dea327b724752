// The after-action review: what was meant, what was true, what people believed, what came of it and
// what is left to ask. From the measures and the log alone; pure, and blame-free: people appear as
// roles or by number, with what they did and said, and nobody is judged.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/score/score.hpp"
#include "firedrill/event.hpp"

namespace firedrill {

enum class Goal : std::uint8_t { met, missed, open };

struct GoalRow {
  std::string what, measured;
  Goal outcome = Goal::open;  ///< open: could not be told
};

/// What was really on.
struct TruthRow {
  std::string action, fault, host, values;
  std::optional<UtcTime> from, to;  ///< absent: it never was, or is not known to be off
  std::string cause;                ///< of its end, as InjectionSpan has it
};

/// What somebody said, beside what was true at that instant.
struct BeliefRow {
  UtcTime at{};
  std::string who, said;
  std::string truth;  ///< "netem on db-2 on; users hurt; EtcdSlowWrites firing"
  std::int64_t seq = 0;
};

struct TimelineRow {
  UtcTime at{};
  std::string what, source;
  std::int64_t seq = 0;  ///< 0: computed from several events
};

enum class Heard : std::uint8_t { in_time, late, missed, already_on, unknown, false_alert, noise };

/// Expected detections first; then alerts that nobody expected. Noise: nobody had asked for it and
/// nobody acknowledged it.
struct HeardRow {
  std::string name;
  Heard outcome = Heard::unknown;
  std::optional<UtcTime> at;
  std::string why;
  bool wakes = false;
  std::int64_t seq = 0;
};

enum class Taken : std::uint8_t { on_time, late, skipped, out_of_order, improvised };

/// Steps of the runbook, then what was done beside it.
struct TakenRow {
  std::string title, role, detail;
  Taken outcome = Taken::skipped;
  StepEvidence evidence = StepEvidence::none;
  std::optional<UtcTime> at, due;
  std::int64_t seq = 0;
};

struct ImpactRow {
  std::string probe, host, unit;
  std::optional<double> usual, during, worst;  ///< medians; worst is the 99th percentile
  Duration breached{};                         ///< out of tolerance, since the injection
  std::size_t breaches = 0;
};

/// How often such a fault comes by itself, and whom it hurts: stated, never measured.
struct GapRates {
  std::optional<double> faults_per_year;
  std::optional<double> user_share;  ///< 0 to 1
};

/// Minutes that users are hurt: how long until an alert, and from it (or the impact, when that is
/// later) until they are whole again. Bounds are those of the clock points.
struct GapCost {
  Range detect{}, repair{}, whole{};       ///< of one such fault
  bool at_least = false;                   ///< something did not come while we watched
  std::string why_at_least;                ///< what
  std::optional<Range> minutes_a_year;     ///< as Duration; with both rates
  std::optional<Range> owed_to_detection;  ///< the part of it that passes before an alert
};

/// Something to ask about: a fact, an opening question, and what should be otherwise next time.
struct Finding {
  std::string fact, question, aim;
};

struct Review {
  std::string stopped_by;  ///< in roles; empty: it ran to its end
  std::vector<GoalRow> goals;
  std::vector<TruthRow> truth;
  std::vector<BeliefRow> beliefs;
  std::vector<TimelineRow> timeline;
  std::vector<HeardRow> heard;
  std::vector<TakenRow> taken;
  std::vector<ImpactRow> impact;
  Duration breached{};
  std::optional<double> budget_spent;  ///< share of the SLO's budget
  GapRates rates;
  std::optional<GapCost> cost;
  std::string why_no_cost;
  std::vector<std::string> held;  ///< what went as it should
  std::vector<Finding> findings;
};

[[nodiscard]] Review review(const Measures& measures, const Scorecard& card,
                            const Experiment& experiment, std::span<const Event> events,
                            const GapRates& rates);
[[nodiscard]] std::string_view to_string(Goal outcome);
[[nodiscard]] std::string_view to_string(Heard outcome);
[[nodiscard]] std::string_view to_string(Taken outcome);
[[nodiscard]] Json to_json(const Review& review);

}  // namespace firedrill
