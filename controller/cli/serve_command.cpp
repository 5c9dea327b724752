// firedrill serve: the controller between runs. Agents stay connected, hosts join, certificates are
// renewed. And how other commands of this machine get the port from it.
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include "controller/cli/cli.hpp"

namespace firedrill::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto kAnswerGetsOut = 200ms;  // before the port closes under the answer
constexpr auto kOtherBegins = 3s;       // time for the other command to take the port
constexpr auto kLookAgain = 500ms;
constexpr auto kPortIsFreed = 10s;

sigset_t stopping_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

/// Sleeps; true when the program shall end.
bool stopped_within(std::chrono::nanoseconds span) {
  const sigset_t set = stopping_signals();
  const timespec time{.tv_sec = span / 1s, .tv_nsec = (span % 1s).count()};
  const int got = sigtimedwait(&set, nullptr, &time);
  return got == SIGINT || got == SIGTERM;
}

/// Every agent is an open file; the usual limit is 1024.
void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void note(std::string_view line) { fmt::print(stderr, "firedrill: {}\n", line); }

/// Serves until told to stop (true) or asked for the port (false).
bool keep_up(Runner& runner, const std::atomic<bool>& asked) {
  while (!asked) {
    runner.idle(kLookAgain);
    if (stopped_within(0ns)) return true;
  }
  note("giving the port to another command");
  return stopped_within(kAnswerGetsOut);
}

void serve(Context& context) {
  const sigset_t set = stopping_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);  // before any thread starts, so that all inherit it
  raise_file_limit();
  bool told_busy = false;
  for (;;) {
    std::atomic<bool> asked = false;
    Observers observers;
    observers.notice = note;
    observers.yield = [&asked] { asked = true; };
    auto runner = Runner::open(own_config(context), std::move(observers));
    if (runner) {
      told_busy = false;
      note(fmt::format("serving agents on {} port {}", context.address, context.port));
      if (keep_up(**runner, asked)) return;
      runner->reset();
      if (stopped_within(kOtherBegins)) return;
      continue;
    }
    if (runner.error().code != ErrorCode::conflict) return report_error(context, runner.error());
    if (!std::exchange(told_busy, true)) note("another command has the port; waiting for it");
    if (stopped_within(kLookAgain)) return;
  }
}

}  // namespace

RunnerConfig own_config(const Context& context) {
  RunnerConfig config;
  config.address = context.address;
  config.port = context.port;
  config.home = context.home;
  config.program = context.program;
  return config;
}

Result<std::unique_ptr<Runner>> open_runner(const Context& context, const RunnerConfig& config,
                                            const Observers& observers) {
  const auto give_up = std::chrono::steady_clock::now() + kPortIsFreed;
  auto runner = Runner::open(config, observers);
  if (runner || runner.error().code != ErrorCode::conflict ||
      !call_api(context, "POST", "controller/yield", Json::object()))
    return runner;
  while (!runner && runner.error().code == ErrorCode::conflict &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::sleep_for(50ms);
    runner = Runner::open(config, observers);
  }
  return runner;
}

void add_serve_command(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("serve", "Keep agents connected between runs, let hosts join and renew");
  command->footer(
      "'firedrill run' on this machine takes the port from it and gives it back.\n"
      "Example:\n  firedrill serve      or, as a service: controller/systemd/firedrill.service\n");
  command->callback([&context] { serve(context); });
}

}  // namespace firedrill::cli
