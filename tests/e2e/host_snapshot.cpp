// The part of a host that faults touch, as text; and how long it takes to become that text again
// after a process was killed. Reads through the kernel room; changes nothing but by SIGKILL.
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>

#include <fmt/format.h>
#include <signal.h>

#include "agent/host.hpp"
#include "agent/kernel/linux_host.hpp"
#include "tests/support/host_text.hpp"

namespace {

using namespace firedrill;
using namespace std::chrono_literals;

/// @param before  when given and the network differs from it already, the disks are not read: under
///                emulation that takes longer than the undo that is being timed
Result<std::string> host_state(agent::Host& host, const std::string* before = nullptr) {
  auto network = test::network_text(host);
  if (!network || (before != nullptr && !before->starts_with(*network))) return network;
  auto disks = test::disk_text(host);
  if (!disks) return disks;
  return *network + *disks;
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

/// Signals, then looks again and again. Prints milliseconds until the state is `before`.
int kill_and_wait(agent::Host& host, const std::string& before, const std::vector<pid_t>& pids,
                  int signal, std::chrono::milliseconds limit) {
  const auto on = host_state(host);
  if (!on) return complain(describe(on.error()));
  if (*on == before) return complain("the host equals its snapshot already; no fault is on");
  for (const pid_t pid : pids)
    if (pid <= 0 || kill(pid, signal) != 0)
      return complain(fmt::format("cannot signal process {}", pid));
  const auto begin = std::chrono::steady_clock::now();
  while (true) {
    const auto state = host_state(host, &before);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - begin);
    // A link that goes away while it is being read is no failure: look again.
    if (state && *state == before) {
      fmt::print("{}\n", took.count());
      return 0;
    }
    if (took > limit) {
      fmt::print(stderr, "{}", state ? *state : describe(state.error()));
      return complain("the host did not come back to its snapshot");
    }
    // Each look takes the kernel's network lock, which the undo needs: looking without a pause
    // would measure the looking.
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
