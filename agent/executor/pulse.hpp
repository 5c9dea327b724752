// The page of memory by which the agent shows its guardian that it is alive. It lies in a memfd: a
// page of a file could block its writer while the disk below is suspended by one of our own faults.
#pragma once

#include <atomic>
#include <cstdint>

namespace firedrill::agent {

/// Written by the agent, read by the guardian. A guardian believes none of it about the host: what
/// is open it reads from the journal.
struct Pulse {
  std::atomic<std::uint64_t> beat{0};             ///< grows while injections are open
  std::atomic<std::uint64_t> journal_version{0};  ///< grows with each journal record
  std::atomic<std::uint32_t> open{0};             ///< injections that are not undone
  /// CLOCK_BOOTTIME microseconds at which the running fault operation began; 0: none is running.
  std::atomic<std::int64_t> operation_since_us{0};
  /// CLOCK_BOOTTIME microseconds at which the first lease of an injection that is on ends; 0: none
  /// has one. Moved by each renewal that the executor's thread has taken.
  std::atomic<std::int64_t> lease_until_us{0};
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "it is shared between processes");

}  // namespace firedrill::agent
