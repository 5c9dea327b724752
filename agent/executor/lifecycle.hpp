// Decides what an injection needs next. Pure: takes its times and the clocks' readings, gives one
// act; the engine carries it out.
#pragma once

#include <optional>

#include "agent/executor/course.hpp"
#include "firedrill/fault_request.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent {

inline constexpr Duration kPreparedLife = std::chrono::seconds{30};
inline constexpr Duration kFarthestCommit = std::chrono::seconds{60};
inline constexpr Duration kLatestCommit = std::chrono::seconds{1};
inline constexpr Duration kFirstRetry = std::chrono::milliseconds{100};
inline constexpr Duration kSlowestRetry = std::chrono::seconds{10};

struct Instants {
  UtcTime utc{};
  Duration boot{};  ///< CLOCK_BOOTTIME
};

/// One injection's times; those named `Duration` are instants on CLOCK_BOOTTIME.
struct Schedule {
  InjectionState state = InjectionState::prepared;
  Duration prepared{};
  std::optional<UtcTime> commit_at;  ///< as it was asked for
  Duration commit_due{};             ///< the same, fixed when it was asked: steps do not move it
  Duration deadline{};
  std::optional<Duration> lease_until;
  std::optional<Duration> next_poll;  ///< of its cure; absent while a sample is under way
  Duration next_undo{};               ///< when undoing or dirty
  Course course;
  Duration active_since{};  ///< from where the course counts
  bool on = true;           ///< false in an off period, when undo has been verified
  int step = 0;             ///< of the ramp, as the fault has it or will be applied with
  std::optional<Duration> next_advance;  ///< absent when the fault does not go on by itself
};

enum class Act : std::uint8_t {
  wait,
  drop,         ///< prepared, and never committed
  too_late,     ///< the instant of the commit was missed by more than kLatestCommit
  lost_before,  ///< committed, but the lease ran out before the instant came
  apply,
  poll_cure,
  pause,    ///< an off period begins
  resume,   ///< an on period begins
  adjust,   ///< a step of the ramp is due
  advance,  ///< the fault goes on by itself
  begin_undo,
  undo_again,
};

struct Decision {
  Act act = Act::wait;
  UndoCause cause = UndoCause::requested;  ///< for begin_undo
  Duration due = Duration::max();          ///< when waiting: look again at this CLOCK_BOOTTIME
};

[[nodiscard]] Decision decide(const Schedule& schedule, const Instants& now);

/// Is `at` an instant that a commit may name?
/// @errors invalid_input  more than 60 s ahead, or more than 1 s past
[[nodiscard]] Result<void> check_commit(UtcTime at, const Instants& now);

/// The pause after the `failures`-th failed undo (1, 2, …): 0.1 s doubling to 10 s.
[[nodiscard]] Duration retry_pause(int failures);

}  // namespace firedrill::agent
