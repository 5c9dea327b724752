// A run's deadlines when somebody sets the controller's clock.
#include "controller/runner/run_clock.hpp"

#include <gtest/gtest.h>

namespace firedrill {
namespace {

using namespace std::chrono_literals;

const ClockReading kBegin{from_micros(1'700'000'000'000'000), 5h};

ClockReading later(Duration passed, Duration stepped) {
  return {kBegin.utc + passed + stepped, kBegin.boot + passed};
}

TEST(RunClock, CountsOnWhateverTheMachinesClockIsSetTo) {
  const RunClock clock(kBegin);
  for (const Duration step : {Duration{0}, Duration{1h}, Duration{-1h}})
    EXPECT_EQ(clock.now(later(90s, step)), kBegin.utc + 90s);
}

TEST(RunClock, AnInstantIsTheSameMomentOnTheMachinesClock) {
  const RunClock clock(kBegin);
  const ClockReading reading = later(90s, -1h);
  EXPECT_EQ(clock.on_machine(kBegin.utc + 92s, reading), reading.utc + 2s);
}

}  // namespace
}  // namespace firedrill
