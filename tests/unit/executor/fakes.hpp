// A host that has nothing, and a clock that stands still.
#pragma once

#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/executor/engine.hpp"
#include "agent/host.hpp"
#include "tests/support/no_host.hpp"
#include "tests/unit/executor/fake_fault.hpp"

namespace firedrill::agent::testing {

class ManualClock final : public Clock {
 public:
  [[nodiscard]] UtcTime utc() const override {
    return from_micros(1'700'000'000'000'000) + elapsed + stepped;
  }
  [[nodiscard]] Duration boottime() const override { return std::chrono::hours{1} + elapsed; }
  Duration elapsed{};
  Duration stepped{};  ///< by whoever sets the clock: UTC only
};

struct SeenEvent {
  std::string kind, run;
  UtcTime at;
  Json data;
};

}  // namespace firedrill::agent::testing
