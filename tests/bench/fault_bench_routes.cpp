// route-flap and bgp-flap: how much of the time the route is really away, and how soon a
// neighbour's kernel follows. Makes two namespaces joined by a veth pair; BIRD where there is one.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "agent/fault.hpp"
#include "agent/kernel/linux_host.hpp"
#include "agent/kernel/route_watch.hpp"
#include "tests/bench/fault_bench.hpp"

namespace firedrill::bench {
namespace {

using namespace agent;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using kernel::RouteWatch;

constexpr int kRounds = 10;
constexpr const char* kPrefix = "10.200.0.0/24";

bool shell(const std::string& command) {
  return system((command + " >/dev/null 2>&1").c_str()) == 0;
}

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::nth_element(values, values.begin() + static_cast<long>(values.size() / 2));
  return values[values.size() / 2];
}

/// Two namespaces, "here" 10.77.0.1 and "peer" 10.77.0.2. Both go with this object.
class Pair {
 public:
  Pair()
      : here_(fmt::format("fdbench-h-{}", getpid())),
        peer_(fmt::format("fdbench-p-{}", getpid())) {}
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    for (const std::string& pid_file : birds_) shell(fmt::format("kill $(cat {})", pid_file));
    for (const std::string& name : {here_, peer_}) shell("ip netns del " + name);
    std::error_code ignored;  // BIRD takes its own files away as it ends
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }

  Result<void> make() {
    const std::string commands = fmt::format(
        "ip netns add {0} && ip netns add {1} && "
        "ip -n {0} link add v0 type veth peer name v1 netns {1} && "
        "ip -n {0} addr add 10.77.0.1/24 dev v0 && ip -n {1} addr add 10.77.0.2/24 dev v1 && "
        "ip -n {0} link set v0 up && ip -n {1} link set v1 up && ip -n {0} link set lo up && "
        "ip -n {1} link set lo up",
        here_, peer_);
    if (shell(commands)) return {};
    return fail(ErrorCode::unsupported, "cannot make two namespaces with a veth pair: needs root");
  }

  Result<void> start_birds() {
    if (!shell("command -v bird"))
      return fail(ErrorCode::unsupported, "there is no program 'bird'");
    folder_ = std::filesystem::temp_directory_path() / fmt::format("fdbench-{}", getpid());
    std::filesystem::create_directories(folder_);
    const bool both = start_bird(here_, "10.77.0.1", 65001, "10.77.0.2", 65002, kPrefix) &&
                      start_bird(peer_, "10.77.0.2", 65002, "10.77.0.1", 65001, "10.201.0.0/24");
    if (both) return {};
    return fail(ErrorCode::io_failed, "BIRD does not start");
  }

  [[nodiscard]] const std::string& here() const { return here_; }
  [[nodiscard]] const std::string& peer() const { return peer_; }
  [[nodiscard]] std::string socket() const { return folder_ / (here_ + ".ctl"); }

 private:
  bool start_bird(const std::string& where, const std::string& own, int as,
                  const std::string& other, int other_as, const std::string& announced) {
    const std::string base = folder_ / where;
    std::ofstream(base + ".conf")
        << "router id " << own
        << ";\nprotocol device {}\nprotocol kernel { ipv4 { export all; }; }\n"
        << "protocol static s1 { ipv4; route " << announced << " blackhole; }\n"
        << "protocol bgp edge1 { local " << own << " as " << as << "; neighbor " << other << " as "
        << other_as << "; connect delay time 1; ipv4 { import all; export all; }; }\n";
    birds_.push_back(base + ".pid");
    return shell(
        fmt::format("ip netns exec {0} bird -c {1}.conf -s {1}.ctl -P {1}.pid", where, base));
  }

  std::string here_;
  std::string peer_;
  std::filesystem::path folder_;
  std::vector<std::string> birds_;
};

Result<void> enter(const std::string& name) {
  const int fd = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  const bool entered = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
  const int saved = errno;
  if (fd >= 0) close(fd);
  if (entered) return {};
  return fail_errno(saved, "enter " + name);
}

/// Notes, in a thread inside a namespace, when the kernel told of each change to kPrefix.
class Witness {
 public:
  struct Seen {
    Clock::time_point when;
    bool present = false;
  };

  explicit Witness(const std::string& where) {
    thread_ = std::thread([this, where] { watch(where); });
    while (!ready_) std::this_thread::sleep_for(1ms);
  }
  ~Witness() {
    stop_ = true;
    thread_.join();
  }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;

  std::vector<Seen> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  /// The first change to `present` since `from`; none within a minute.
  std::optional<Clock::time_point> wait_for(bool present, Clock::time_point from) {
    while (Clock::now() < from + 60s) {
      for (const Seen& one : seen())
        if (one.present == present && one.when >= from) return one.when;
      std::this_thread::sleep_for(1ms);
    }
    return std::nullopt;
  }

 private:
  void watch(const std::string& where) {
    const auto entered = enter(where);
    auto opened = RouteWatch::open();
    ready_ = true;
    if (!entered || !opened) return;
    const kernel::IpPrefix prefix = *kernel::parse_ip_prefix(kPrefix);
    pollfd readable{opened->descriptor(), POLLIN, 0};
    while (!stop_) {
      if (poll(&readable, 1, 50) <= 0) continue;
      const auto now = Clock::now();
      const std::lock_guard lock(mutex_);
      static_cast<void>(opened->drain([&](const RouteWatch::Change& change) {
        if (change.route.destination == prefix) seen_.push_back({now, change.added});
      }));
    }
  }

  std::atomic<bool> stop_ = false;
  std::atomic<bool> ready_ = false;
  std::mutex mutex_;
  std::vector<Seen> seen_;
  std::thread thread_;
};

/// Enters `where` for as long as it lives.
class Visit {
 public:
  Visit() : home_(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {}
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() {
    if (setns(home_, CLONE_NEWNET) < 0) std::abort();  // what follows would measure elsewhere
    close(home_);
  }

 private:
  int home_;
};

struct Injection {
  const Fault* fault = nullptr;
  std::unique_ptr<Host> host;
  Params params;
  Json record;
};

Result<Injection> prepare(std::string_view fault, const Json& given) {
  Injection out;
  out.fault = find_fault(fault);
  auto host = kernel::open_linux_host({});
  if (!host) return std::unexpected(host.error());
  out.host = std::move(*host);
  auto params = validate_params(out.fault->schema(), given, "");
  if (!params) return std::unexpected(params.error());
  out.params = std::move(*params);
  auto record = out.fault->capture(*out.host, out.params);
  if (!record) return std::unexpected(record.error());
  out.record = std::move(*record);
  return out;
}

/// The share of the time between the first and the last withdrawal that the route was away.
double share_down(const std::vector<Witness::Seen>& seen) {
  Clock::duration down{};
  std::optional<Clock::time_point> first;
  std::optional<Clock::time_point> last;
  std::optional<Clock::time_point> since;
  for (const Witness::Seen& one : seen) {
    if (!one.present) {
      if (!first) first = one.when;
      last = since = one.when;
    } else if (since) {
      down += one.when - *since;
      since.reset();
    }
  }
  if (!first || *last == *first) return 0;
  if (!since) return -1;  // the last thing seen must be a withdrawal
  return milliseconds(down) / milliseconds(*last - *first);
}

Result<std::vector<Row>> flap_for(const Pair& pair, const char* period, const char* share) {
  const auto injection =
      prepare("route-flap", {{"prefix", kPrefix}, {"period", period}, {"down-share", share}});
  if (!injection) return std::unexpected(injection.error());
  const Pattern pattern = *injection->fault->pattern(injection->params);
  Witness witness(pair.here());
  std::vector<double> apply_ms;
  std::vector<double> undo_ms;
  auto due = Clock::now();
  for (int round = 0; round <= kRounds; ++round) {
    std::this_thread::sleep_until(due);
    const auto start = Clock::now();
    const auto applied =
        injection->fault->apply(*injection->host, injection->params, injection->record);
    if (!applied) return std::unexpected(applied.error());
    apply_ms.push_back(milliseconds(Clock::now() - start));
    std::this_thread::sleep_until(due += pattern.on);
    // What ends the last round is not part of the measurement.
    if (round == kRounds) std::this_thread::sleep_for(100ms);
    const double observed = round == kRounds ? share_down(witness.seen()) : 0;
    const auto back = Clock::now();
    const auto undone = injection->fault->undo(*injection->host, injection->record);
    if (!undone) return std::unexpected(undone.error());
    undo_ms.push_back(milliseconds(Clock::now() - back));
    due += pattern.off;
    if (round < kRounds) continue;
    const std::string asked = fmt::format("period {}, down {}", period, share);
    return std::vector<Row>{
        {"route-flap", asked, "share of time without the route", 0, observed * 100, "%"},
        {"route-flap", asked, "apply, with reading back, p50", 0, median(apply_ms), "ms"},
        {"route-flap", asked, "undo, with reading back, p50", 0, median(undo_ms), "ms"}};
  }
  return std::vector<Row>{};
}

}  // namespace

Result<std::vector<Row>> measure_route_flap() {
  Pair pair;
  if (auto made = pair.make(); !made) return std::unexpected(made.error());
  const Visit visit;
  if (auto entered = enter(pair.here()); !entered) return std::unexpected(entered.error());
  if (!shell(fmt::format("ip route add {} via 10.77.0.2", kPrefix)))
    return fail(ErrorCode::io_failed, "cannot add the route that is to flap");
  std::vector<Row> rows;
  for (const auto& [period, share] :
       {std::pair("200ms", "50%"), {"1s", "20%"}, {"1s", "50%"}, {"2s", "50%"}, {"2s", "80%"}}) {
    auto some = flap_for(pair, period, share);
    if (!some) return std::unexpected(some.error());
    rows.insert(rows.end(), some->begin(), some->end());
  }
  return rows;
}

Result<std::vector<Row>> measure_bgp_flap() {
  Pair pair;
  if (auto made = pair.make(); !made) return std::unexpected(made.error());
  Witness peer(pair.peer());
  const auto began = Clock::now();
  if (auto started = pair.start_birds(); !started) return std::unexpected(started.error());
  const Visit visit;
  if (auto entered = enter(pair.here()); !entered) return std::unexpected(entered.error());
  if (!peer.wait_for(true, began)) return fail(ErrorCode::timed_out, "the session never came up");
  const auto injection = prepare("bgp-flap", {{"protocol", "edge1"}, {"socket", pair.socket()}});
  if (!injection) return std::unexpected(injection.error());
  std::vector<double> gone_ms;
  std::vector<double> back_ms;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = Clock::now();
    if (auto on = injection->fault->apply(*injection->host, injection->params, injection->record);
        !on)
      return std::unexpected(on.error());
    const auto gone = peer.wait_for(false, start);
    const auto enabled = Clock::now();
    if (auto off = injection->fault->undo(*injection->host, injection->record); !off)
      return std::unexpected(off.error());
    const auto back = peer.wait_for(true, enabled);
    if (!gone || !back) return fail(ErrorCode::timed_out, "the peer's route did not follow");
    gone_ms.push_back(milliseconds(*gone - start));
    back_ms.push_back(milliseconds(*back - enabled));
  }
  return std::vector<Row>{
      {"bgp-flap", "disable", "peer's kernel route gone after, p50", 0, median(gone_ms), "ms"},
      {"bgp-flap", "disable", "… at most", 0, std::ranges::max(gone_ms), "ms"},
      {"bgp-flap", "enable, connect delay 1s", "peer's kernel route back after, p50", 0,
       median(back_ms), "ms"}};
}

}  // namespace firedrill::bench
