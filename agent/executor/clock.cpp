#include "agent/executor/clock.hpp"

#include <fstream>

#include <time.h>

namespace firedrill::agent {
namespace {

Duration read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::duration_cast<Duration>(std::chrono::seconds{now.tv_sec} +
                                              std::chrono::nanoseconds{now.tv_nsec});
}

}  // namespace

UtcTime SystemClock::utc() const { return UtcTime{read_clock(CLOCK_REALTIME)}; }

Duration SystemClock::boottime() const { return read_clock(CLOCK_BOOTTIME); }

Result<std::string> read_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (!std::getline(file, id) || id.size() != 36)
    return fail(ErrorCode::unavailable, "cannot read /proc/sys/kernel/random/boot_id");
  return id;
}

}  // namespace firedrill::agent
