// Turns this process into a guardian: what `firedrill-agent guardian` does.
#pragma once

#include <filesystem>
#include <string>

#include "agent/executor/engine.hpp"

namespace firedrill::agent {

struct GuardianArguments {
  std::filesystem::path state_directory;
  pid_t agent = 0;
  std::string host_name;
};

/// Shields the process (ignores the polite signals, locks itself into memory, asks the kernel's OOM
/// killer to spare it, moves into a cgroup of its own), takes over the descriptors that
/// GuardianLink handed down, reports ready, and guards. Logs to standard error. Returns the
/// process's exit code: 0 when all is undone.
[[nodiscard]] int run_guardian_process(const GuardianArguments& arguments, Host& host,
                                       const FindFault& find_fault);

}  // namespace firedrill::agent
