// The part of an injection that runs in the helper process, in signal-safe calls only; see
// injection.hpp.
#pragma once

#include <array>
#include <cstdint>

#include "agent/kernel/injection.hpp"

namespace firedrill::agent::kernel {

enum class TraceEnd : std::uint8_t {
  done,
  gone,     ///< the thread or its process went, or is another one by now
  foreign,  ///< 32-bit mode
  no_stop,  ///< no stop within 2 s
  failed,   ///< a call of ptrace's failed: see `error`
};

struct TraceJob {
  InjectionTarget target;
  std::array<InjectedCall, kMostCalls> calls{};
  int count = 0;
  std::array<char, 64> thread_path{};  ///< /proc/PID/task/TID
};

struct TraceReport {
  TraceEnd end = TraceEnd::failed;
  int error = 0;
  std::int64_t stopped_ns = 0;
  std::array<std::int64_t, kMostCalls> results{};
};

[[nodiscard]] bool trace_supported();

/// A DetachedBody: `job` is a TraceJob; writes a TraceReport.
void trace_and_report(const void* job);

}  // namespace firedrill::agent::kernel
