// The part of a host that faults touch, as text; and how long it takes to become that text again
// after a process was killed. Reads through the kernel room; changes nothing but by SIGKILL.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>

#include "agent/guardian/pidfd.hpp"
#include "agent/host.hpp"
#include "agent/kernel/linux_host.hpp"
#include "tests/support/host_text.hpp"

namespace {

using namespace firedrill;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

std::int64_t since(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(end - begin).count();
}

Result<std::string> host_state(agent::Host& host) {
  auto network = test::network_text(host);
  if (!network) return network;
  auto disks = test::disk_text(host);
  if (!disks) return disks;
  return *network + *disks;
}

/// How many interfaces there are, read without the kernel's network lock, which an undo needs.
std::size_t count_interfaces() {
  std::ifstream in("/proc/self/net/dev");
  std::size_t lines = 0;
  for (std::string line; std::getline(in, line);) ++lines;
  constexpr std::size_t kHeading = 2;
  return lines - std::min(lines, kHeading);
}

std::size_t count_links(const std::string& state) {
  std::istringstream in(state);
  std::size_t count = 0;
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("link ")) ++count;
  return count;
}

/// Both, or what differs already. Under emulation reading the disks takes as long as an undo.
struct Look {
  bool equal = false;
  Clock::time_point network_read{};
  std::string state;
};
Look look(agent::Host& host, const std::string& before) {
  Look out;
  out.network_read = Clock::now();
  out.state = fmt::format("{} interfaces\n", count_interfaces());
  if (out.state != fmt::format("{} interfaces\n", count_links(before))) return out;
  const auto network = test::network_text(host);
  out.network_read = Clock::now();
  out.state = network ? *network : describe(network.error());
  if (!network || !before.starts_with(*network)) return out;
  const auto disks = test::disk_text(host);
  out.state += disks ? *disks : describe(disks.error());
  out.equal = out.state == before;
  return out;
}

int complain(std::string_view what) {
  fmt::print(stderr, "host_snapshot: {}\n", what);
  return 255;
}

std::string read_file(const char* path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// "12" or "12,34"; "-" names none.
std::vector<pid_t> parse_pids(std::string_view text) {
  std::vector<pid_t> out;
  for (; !text.empty() && text != "-";) {
    const std::string_view word = text.substr(0, text.find(','));
    out.push_back(std::atoi(std::string(word).c_str()));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return out;
}

/// What is measured is the host, not how long this program waits for a processor among the host's
/// load. Of the guardian's class, never above it: both take turns.
void take_processor() {
  sched_param priority{};
  priority.sched_priority = 1;
  ::sched_setscheduler(0, SCHED_RR, &priority);
}

bool all_dead(std::vector<pollfd>& processes) {
  return poll(processes.data(), processes.size(), 0) == static_cast<int>(processes.size());
}

/// Signals, then looks again and again. Prints milliseconds until the state is `before`; and to
/// standard error, until the killed were dead, before which nobody may undo. The disks are always
/// compared, but the time of reading them counts only where the fault had changed them.
int kill_and_wait(agent::Host& host, const std::string& before, const std::vector<pid_t>& pids,
                  int signal, std::chrono::milliseconds limit) {
  take_processor();
  const auto on = host_state(host);
  if (!on) return complain(describe(on.error()));
  if (*on == before) return complain("the host equals its snapshot already; no fault is on");
  const auto disks = test::disk_text(host);
  if (!disks) return complain(describe(disks.error()));
  const bool disks_differ = !before.ends_with(*disks);
  std::vector<pollfd> processes;
  for (const pid_t pid : pids) processes.push_back({pidfd_open(pid, 0), POLLIN, 0});
  for (const pid_t pid : pids)
    if (pid <= 0 || kill(pid, signal) != 0)
      return complain(fmt::format("cannot signal process {}", pid));
  const auto begin = Clock::now();
  std::string dead = "not dead yet";
  for (bool alive = !pids.empty();;) {
    if (alive && all_dead(processes)) {
      alive = false;
      dead = fmt::format("dead after {} ms", since(begin, Clock::now()));
    }
    const Look now = look(host, before);
    const auto end = disks_differ ? Clock::now() : now.network_read;
    const auto took = since(begin, end);
    // A link that goes away while it is being read is no failure: look again.
    if (now.equal) {
      fmt::print("{}\n", took);
      if (!pids.empty()) fmt::print(stderr, "{}\n", dead);
      return 0;
    }
    if (took > limit.count()) {
      fmt::print(stderr, "{}", now.state);
      return complain("the host did not come back to its snapshot");
    }
    // A whole look takes the kernel's network lock many times: without a pause it would measure
    // itself.
    std::this_thread::sleep_for(10ms);
  }
}

}  // namespace

/// host_snapshot                              prints the state
/// host_snapshot BEFORE PIDS LIMIT_MS [STOP]  kills (or stops) PIDS, prints the milliseconds until
///                                            BEFORE
int main(int argc, char** argv) {
  auto host = agent::kernel::open_linux_host({});
  if (!host) return complain(describe(host.error()));
  const bool stops = argc == 5 && std::string_view(argv[4]) == "STOP";
  if (argc == 4 || stops)
    return kill_and_wait(**host, read_file(argv[1]), parse_pids(argv[2]), stops ? SIGSTOP : SIGKILL,
                         std::chrono::milliseconds{std::atoi(argv[3])});
  if (argc != 1) return complain("usage: host_snapshot [BEFORE PIDS LIMIT_MS [STOP]]");
  const auto state = host_state(**host);
  if (!state) return complain(describe(state.error()));
  fmt::print("{}", *state);
  return 0;
}
