// memory-leak on etcd and Redis under load: growth asked and observed, how long the process stands
// still for an injection, what its clients notice, and whether it lives when whoever injects is
// killed. FIREDRILL_BENCH_SECONDS, _INJECTIONS and _KILLS make it shorter than 60, 1000 and 50.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/fault.hpp"
#include "agent/host_memory.hpp"
#include "agent/kernel/linux_host.hpp"
#include "agent/kernel/memory_files.hpp"
#include "agent/kernel/proc_files.hpp"
#include "agent/probes/trend.hpp"
#include "tests/bench/fault_bench.hpp"
#include "tests/bench/fault_bench_service.hpp"

namespace firedrill::bench {
namespace {

using namespace std::chrono_literals;
using namespace firedrill::agent;
using Clock = std::chrono::steady_clock;

constexpr int kConnections = 4;
constexpr std::uint64_t kRate = 4 << 20;

Duration since(Clock::time_point begin) {
  return std::chrono::duration_cast<Duration>(Clock::now() - begin);
}

/// Everything about one service; rows gather in `rows`.
class MemoryBench {
 public:
  MemoryBench(Host& host, const Service& service, std::vector<Row>& rows)
      : host_(host), service_(service), rows_(rows) {}

  Result<void> measure() {
    for (const auto step : {&MemoryBench::slope, &MemoryBench::stops, &MemoryBench::kills})
      if (auto done = (this->*step)(); !done) return with_context(done.error(), service_.name());
    return {};
  }

 private:
  void add(std::string asked, std::string measured, double without, double with, std::string unit) {
    // It takes minutes: whoever waits sees that it moves.
    fmt::print(stderr, "{}: {}, {}: {} {} (without: {})\n", service_.name(), asked, measured, with,
               unit, without);
    rows_.push_back({"memory-leak", fmt::format("{}: {}", service_.name(), asked),
                     std::move(measured), without, with, std::move(unit)});
  }
  Result<Params> params(std::uint64_t limit) const {
    const Json given{{"pid", service_.pid()},
                     {"rate", to_string(ByteCount{kRate})},
                     {"limit", to_string(ByteCount{limit})}};
    return validate_params(fault_.schema(), given, "");
  }
  /// Observes the resident size four times a second for so long, calling `each` second.
  Result<double> observe(int seconds, const std::function<Result<void>(Duration)>& each);
  /// One injection and its undo; adds how long each stopped a thread.
  Result<void> map_and_unmap(const kernel::ProcessId& process, std::vector<double>& stopped);
  Result<void> slope();
  Result<void> stops();
  Result<void> kills();

  Host& host_;
  const Service& service_;
  std::vector<Row>& rows_;
  const Fault& fault_ = *find_fault("memory-leak");
  kernel::MemoryFiles files_;
};

Result<double> MemoryBench::observe(int seconds,
                                    const std::function<Result<void>(Duration)>& each) {
  Trend trend(24h);
  const auto begin = Clock::now();
  for (int quarter = 0; quarter <= 4 * seconds; ++quarter) {
    std::this_thread::sleep_until(begin + quarter * 250ms);
    if (quarter % 4 == 0)
      if (auto done = each(since(begin)); !done) return std::unexpected(done.error());
    const auto memory = files_.process(service_.pid());
    if (!memory) return std::unexpected(memory.error());
    trend.add(since(begin), static_cast<double>(memory->resident));
  }
  return trend.slope_per_second().value_or(0);
}

Result<void> MemoryBench::slope() {
  const int seconds = setting("FIREDRILL_BENCH_SECONDS", 60);
  const auto asked = params(kRate * static_cast<std::uint64_t>(seconds + 1));
  if (!asked) return std::unexpected(asked.error());
  // A load that makes the service grow little by itself. What it does grow is measured before and
  // after: a garbage-collected heap grows by leaps and then not at all.
  const Load load(service_, kConnections, 20ms);
  std::this_thread::sleep_for(std::chrono::seconds(seconds / 6));
  const auto quiet = observe(seconds, [](Duration) -> Result<void> { return {}; });
  if (!quiet) return std::unexpected(quiet.error());
  const auto record = fault_.capture(host_, *asked);
  if (!record) return std::unexpected(record.error());
  if (auto applied = fault_.apply(host_, *asked, *record); !applied)
    return std::unexpected(applied.error());
  std::uint64_t filled = 0;
  const auto grown = observe(seconds, [&](Duration active) -> Result<void> {
    const auto values = fault_.advance(host_, *asked, *record, active);
    if (!values) return std::unexpected(values.error());
    filled = values->at("filled_bytes");
    return {};
  });
  const auto undone = fault_.undo(host_, *record);
  if (!grown) return std::unexpected(grown.error());
  if (!undone) return std::unexpected(undone.error());
  const auto again = observe(seconds, [](Duration) -> Result<void> { return {}; });
  if (!again) return std::unexpected(again.error());
  const auto error = [](double slope) {
    constexpr auto kAsked = static_cast<double>(kRate);
    return (slope - kAsked) / kAsked * 100;
  };
  add("rate 4MiB", fmt::format("RSS slope over {} s", seconds), *quiet, *grown, "B/s");
  add("rate 4MiB", "own growth: before, and after", *quiet, *again, "B/s");
  add("rate 4MiB", "error of the slope", 0, error(*grown), "%");
  add("rate 4MiB", "error, mean own growth taken off", 0, error(*grown - (*quiet + *again) / 2),
      "%");
  add("rate 4MiB", "filled", 0, static_cast<double>(filled), "B");
  return {};
}

Result<void> MemoryBench::map_and_unmap(const kernel::ProcessId& process,
                                        std::vector<double>& stopped) {
  Processes& processes = host_.processes();
  const auto mappings = processes.mappings(process);
  if (!mappings) return std::unexpected(mappings.error());
  const auto region = kernel::choose_region(*mappings, 64 << 20, host_.fresh_token());
  if (!region) return fail(ErrorCode::refused, "no room in the address space");
  const auto mapped = processes.map(process, *region);
  if (!mapped) return std::unexpected(mapped.error());
  if (auto filled = processes.fill(process, {region->address, 1 << 20}); !filled) return filled;
  const auto unmapped = processes.unmap(process, *region);
  if (!unmapped) return std::unexpected(unmapped.error());
  for (const Duration one : {*mapped, *unmapped})
    stopped.push_back(static_cast<double>(one.count()));
  return {};
}

Result<void> MemoryBench::stops() {
  const int count = setting("FIREDRILL_BENCH_INJECTIONS", 1000);
  Processes& processes = host_.processes();
  const auto facts = processes.facts(service_.pid());
  if (!facts) return std::unexpected(facts.error());
  Load load(service_, kConnections, 0ms);
  std::this_thread::sleep_for(1s);
  static_cast<void>(load.take());
  std::this_thread::sleep_for(5s);
  const LoadReport quiet = load.take();
  std::vector<double> stopped;
  int late = 0;
  for (int i = 0; i < count; ++i) {
    const auto cycle = map_and_unmap(facts->id, stopped);
    if (!cycle && cycle.error().code == ErrorCode::timed_out) {
      fmt::print(stderr, "{}: {}\n", service_.name(), describe(cycle.error()));
      ++late;
      while (processes.injection_pending(facts->id).value_or(false))
        std::this_thread::sleep_for(1s);
    } else if (!cycle) {
      return cycle;
    }
  }
  const LoadReport busy = load.take();
  std::ranges::sort(stopped);
  const std::string what = fmt::format("{} times map 64MiB, fill 1MiB, unmap", count);
  add(what, "stopped p50", 0, stopped[stopped.size() / 2], "us");
  add(what, "stopped p99", 0, stopped[stopped.size() * 99 / 100], "us");
  add(what, "stopped max", 0, stopped.back(), "us");
  add(what, "not done within 7 s", 0, late, "");
  add(what, "requests", static_cast<double>(quiet.requests), static_cast<double>(busy.requests),
      "");
  add(what, "errors of clients", static_cast<double>(quiet.errors),
      static_cast<double>(busy.errors), "");
  add(what, "request p99", quiet.p99_ms, busy.p99_ms, "ms");
  add(what, "request max", quiet.max_ms, busy.max_ms, "ms");
  return {};
}

/// A child that leaks and undoes without end, as an agent would that has too much to do.
[[noreturn]] void leak_until_killed(const Fault& fault, const Params& params, const Json& record) {
  ::setpgid(0, 0);
  const auto host = kernel::open_linux_host({});
  if (!host) ::_exit(1);
  while (true) {
    static_cast<void>(fault.apply(**host, params, record));
    for (int second = 1; second <= 4; ++second)
      static_cast<void>(fault.advance(**host, params, record, second * 1s));
    static_cast<void>(fault.undo(**host, record));
  }
}

Result<void> MemoryBench::kills() {
  const int count = setting("FIREDRILL_BENCH_KILLS", 50);
  std::mt19937 random(20260301);
  std::uniform_int_distribution<int> microseconds(0, 60'000);
  const auto asked = params(64 << 20);
  if (!asked) return std::unexpected(asked.error());
  Load load(service_, kConnections, 0ms);
  int lived = 0;
  int clean = 0;
  int found_half_way = 0;
  for (int i = 0; i < count; ++i) {
    const auto record = fault_.capture(host_, *asked);
    if (!record) return std::unexpected(record.error());
    const pid_t child = ::fork();
    if (child < 0) return fail_errno(errno, "fork");
    if (child == 0) leak_until_killed(fault_, *asked, *record);
    ::setpgid(child, child);
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds(random)));
    ::kill(-child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto undone = fault_.undo(host_, *record);
    if (!undone) return std::unexpected(undone.error());
    if (*undone == UndoOutcome::restored) ++found_half_way;
    const auto verified = fault_.verify(host_, *record);
    if (verified && verified->clean()) ++clean;
    if (service_.alive()) ++lived;
  }
  const LoadReport busy = load.take();
  const std::string what = fmt::format("{} times kill -9 of the injector's group", count);
  add(what, "alive afterwards", count, lived, "");
  add(what, "clean after undo", count, clean, "");
  add(what, "memory found by undo", 0, found_half_way, "");
  add(what, "errors of clients", 0, static_cast<double>(busy.errors), "");
  return {};
}

}  // namespace

Result<std::vector<Row>> measure_memory_leak() {
  auto host = kernel::open_linux_host({});
  if (!host) return std::unexpected(host.error());
  std::vector<Row> rows;
  for (const ServiceKind kind : {ServiceKind::etcd, ServiceKind::redis}) {
    const auto service = Service::start(kind);
    if (!service) return std::unexpected(service.error());
    if (auto measured = MemoryBench(**host, **service, rows).measure(); !measured)
      return std::unexpected(measured.error());
  }
  return rows;
}

}  // namespace firedrill::bench
