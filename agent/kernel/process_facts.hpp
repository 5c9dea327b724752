// What a process is, gathered from /proc/PID and /proc/PID/task. Reads only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/kernel/process_types.hpp"
#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// Waits up to 0.2 s for a process all of whose threads are in uninterruptible sleep.
/// @errors not_found  no such process, or only a zombie
[[nodiscard]] Result<ProcessFacts> read_process_facts(pid_t pid);

/// Processes whose comm or executable's base name is `name`, by number; no zombies.
[[nodiscard]] Result<std::vector<ProcessFacts>> find_processes(const std::string& name);

/// The same process, found again, or another of that name. As find_processes, but cheap.
[[nodiscard]] Result<std::vector<ProcessId>> find_process_ids(const std::string& name);
/// The identity of a living process. @errors not_found
[[nodiscard]] Result<ProcessId> read_process_id(pid_t pid);

/// Still there, and no zombie? @errors not_found
[[nodiscard]] Result<void> check_alive(const ProcessId& process);

/// The thread that minds a stop least: one that waits where the kernel starts the wait again, else
/// one that runs, else any. @errors timed_out  all are in uninterruptible sleep
[[nodiscard]] Result<pid_t> choose_thread(const ProcessId& process);

/// Who traces one of its threads, 0: nobody.
[[nodiscard]] Result<pid_t> tracer_of(pid_t pid);

/// /proc/PID/comm, empty when it is gone.
[[nodiscard]] std::string name_of(pid_t pid);

}  // namespace firedrill::agent::kernel
