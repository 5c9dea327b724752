// System calls made by another process because we say so: one of its threads is stopped by ptrace,
// makes them, and goes on as if nothing had been. x86-64 only. The tracer is a short-lived detached
// process, so that killing the agent never hits the middle of an injection: that would kill the
// target [kernel-facts §6].
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "agent/kernel/process_types.hpp"
#include "firedrill/result.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent::kernel {

/// How the helper calls itself (comm), so that whoever finds it at work knows what it is.
inline constexpr const char* kInjectorName = "firedrill-inj";
inline constexpr int kMostCalls = 3;

struct InjectedCall {
  long number = 0;
  std::array<std::uint64_t, 6> arguments{};
};

struct InjectionTarget {
  pid_t pid = 0;
  pid_t thread = 0;               ///< the one to stop
  int pidfd = -1;                 ///< of the process, opened before its identity was checked
  std::uint64_t instruction = 0;  ///< where the process has a `syscall` instruction
};

struct InjectionOutcome {
  /// As the kernel returned them: -errno. Of calls that were not made any more: 0.
  std::array<std::int64_t, kMostCalls> results{};
  Duration stopped{};  ///< from the request to stop to the release
};

/// Can this program inject on the processor it was built for?
[[nodiscard]] bool injection_supported();

/// Makes the calls in order, until one of them fails. `started` is called when the
/// helper is at work. Blocks until it is done: milliseconds; 2 s when the thread does not stop.
/// @errors timed_out    no stop within 2 s: nothing was done. Or the thread stopped but its call
///                      takes more than 5 s: it goes on, and ends in good order
///         not_found    the thread or process went
///         permission_denied  somebody else traces it, or a security module says no
///         refused      the thread is in 32-bit mode
[[nodiscard]] Result<InjectionOutcome> inject(const InjectionTarget& target,
                                              std::span<const InjectedCall> calls,
                                              void (*started)(void* context), void* context);

}  // namespace firedrill::agent::kernel
