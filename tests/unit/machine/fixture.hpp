// A plan of two injections on two hosts, and a run of the machine on a clock that is moved by hand.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "controller/machine/machine.hpp"

namespace firedrill::machine {

using namespace std::chrono_literals;

inline PlannedInjection planned(std::string id, std::string host, Duration start) {
  PlannedInjection out;
  out.id = out.request.id = std::move(id);
  out.host = std::move(host);
  out.request.duration = 60s;
  out.request.lease = 20s;
  out.start = start;
  return out;
}

inline Plan plan_of_two(bool sham = false) {
  Plan plan;
  plan.run = "r";
  plan.sham = sham;
  plan.injections = {planned("r.1", "db-1", 0s), planned("r.2", "db-2", 5s)};
  PlannedProbe probe;
  probe.host = "client-1";
  plan.probes = {probe};
  plan.phases = {.baseline = 15s, .recovery = 60s, .steady_for = 5s};
  plan.has_responder = true;
  return plan;
}

inline Plan with_processes(Plan plan) {
  PlannedProcess process;
  process.action.name = "load";
  process.action.timeout = 10s;
  process.start = 2s;
  plan.processes = {process};
  ProcessAction rollback;
  rollback.timeout = 10s;
  rollback.name = "tidy";
  plan.rollbacks.push_back(rollback);
  rollback.name = "tidy-more";
  plan.rollbacks.push_back(rollback);
  Inject inject;
  inject.id = "mail";
  inject.at = 20s;
  plan.injects = {inject};
  return plan;
}

/// Drives the machine and remembers what it asked for.
class Drive {
 public:
  explicit Drive(const Plan& plan) : state(initial_state(plan)) {}

  void feed(const Input& input) {
    auto [next, commands] = step(state, input, now);
    state = std::move(next);
    last = commands;
    all.insert(all.end(), commands.begin(), commands.end());
  }

  /// Moves the clock to the next deadline and ticks.
  void tick() {
    now = std::max(now, next_deadline(state).value());
    feed(input::Tick{});
  }

  void to_preparing() {
    feed(input::Start{});
    feed(input::PreflightDone{true, {}});
    tick();
    feed(input::BaselineDone{true, true, {}});
  }

  void to_injecting() {
    to_preparing();
    for (const char* id : {"r.1", "r.2"}) feed(input::Prepared{id});
  }

  void to_active() {
    to_injecting();
    for (const char* id : {"r.1", "r.2"}) feed(input::Applied{id});
  }

  void to_recovering() {
    to_active();
    for (const char* id : {"r.1", "r.2"}) feed(input::Undone{id, UndoCause::time_up, true});
  }

  template <class T>
  [[nodiscard]] std::vector<T> asked(const std::vector<Command>& commands) const {
    std::vector<T> out;
    for (const Command& command : commands)
      if (const T* one = std::get_if<T>(&command)) out.push_back(*one);
    return out;
  }
  template <class T>
  [[nodiscard]] std::vector<T> asked() const {
    return asked<T>(all);
  }
  template <class T>
  [[nodiscard]] std::vector<T> asked_last() const {
    return asked<T>(last);
  }

  State state;
  UtcTime now{std::chrono::seconds{1'000'000}};
  std::vector<Command> last, all;
};

}  // namespace firedrill::machine
