// The clocks that deadlines and commits go by, behind one seam so that tests can turn them.
#pragma once

#include <string>

#include "firedrill/units.hpp"

namespace firedrill::agent {

class Clock {
 public:
  virtual ~Clock() = default;
  /// The agent's own UTC clock: commits and the times in events. May be stepped at any time.
  [[nodiscard]] virtual UtcTime utc() const = 0;
  /// CLOCK_BOOTTIME since this boot: deadlines and leases. Only grows, while suspended too.
  [[nodiscard]] virtual Duration boottime() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] UtcTime utc() const override;
  [[nodiscard]] Duration boottime() const override;
};

/// The running boot's identity (/proc/sys/kernel/random/boot_id), 36 characters.
[[nodiscard]] Result<std::string> read_boot_id();

}  // namespace firedrill::agent
