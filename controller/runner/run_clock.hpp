// The clock that a run's deadlines go by: takes readings of the machine's clocks, gives instants
// that no step of the machine's clock moves. Pure. Events and what is measured stay on the
// machine's own.
#pragma once

#include "firedrill/units.hpp"

namespace firedrill {

/// Both clocks of the controller's machine at one moment.
struct ClockReading {
  UtcTime utc{};
  Duration boot{};  ///< CLOCK_BOOTTIME
};

class RunClock {
 public:
  explicit RunClock(const ClockReading& begin) : begin_(begin) {}

  /// UTC as it was when the run began, counted on from there.
  [[nodiscard]] UtcTime now(const ClockReading& reading) const {
    return begin_.utc + (reading.boot - begin_.boot);
  }
  /// What the machine's own clock calls the instant `at` by now: others know that one.
  [[nodiscard]] UtcTime on_machine(UtcTime at, const ClockReading& reading) const {
    return at + (reading.utc - now(reading));
  }

 private:
  ClockReading begin_;
};

}  // namespace firedrill
