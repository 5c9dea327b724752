// Ctrl-C while something goes on: halt, undo everywhere, and say so.
#pragma once

#include <ctime>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <signal.h>

#include "controller/runner/runner.hpp"

namespace firedrill::cli {

/// Turns Ctrl-C and SIGTERM into a halt. The signals are blocked in every thread but this one.
class HaltOnSignal {
 public:
  explicit HaltOnSignal(Runner& runner)
      : thread_([&runner](const std::stop_token& stop) { watch(runner, stop); }) {}

  /// Call once, before any thread starts, so that all inherit it.
  static void block() {
    const sigset_t set = signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
  }

 private:
  static sigset_t signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
  }
  static void watch(Runner& runner, const std::stop_token& stop) {
    const sigset_t set = signals();
    bool told = false;
    while (!stop.stop_requested()) {
      const timespec brief{.tv_sec = 0, .tv_nsec = 100'000'000};
      const int got = sigtimedwait(&set, nullptr, &brief);
      if (got <= 0) continue;
      const std::string_view name = got == SIGINT ? "Ctrl-C" : "SIGTERM";
      if (told) fmt::print(stderr, "firedrill: still undoing; the hosts will be clean shortly\n");
      else runner.halt(std::string(name), "stopped by " + std::string(name));
      told = true;
    }
  }

  std::jthread thread_;
};

}  // namespace firedrill::cli
