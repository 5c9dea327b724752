// Shows the guardian that a call into a fault is running.
#pragma once

#include "agent/executor/clock.hpp"
#include "agent/executor/pulse.hpp"

namespace firedrill::agent {

/// Marks in the pulse that a call into a fault is running, and since when.
class OperationMark {
 public:
  OperationMark(Pulse& pulse, const Clock& clock) : pulse_(pulse) {
    pulse_.operation_since_us.store(clock.boottime().count());
  }
  OperationMark(const OperationMark&) = delete;
  OperationMark& operator=(const OperationMark&) = delete;
  ~OperationMark() { pulse_.operation_since_us.store(0); }

 private:
  Pulse& pulse_;
};

}  // namespace firedrill::agent
