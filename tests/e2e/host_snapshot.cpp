// The part of a host that faults touch, as text; and how long it takes to become that text again
// after a process was killed. Reads through the kernel room; changes nothing but by SIGKILL.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <signal.h>

#include "agent/host.hpp"
#include "agent/host_disk.hpp"
#include "agent/kernel/linux_host.hpp"

namespace {

using namespace firedrill;
using namespace std::chrono_literals;

Result<std::string> link_state(agent::Host& host, const agent::kernel::Link& link) {
  std::string out = fmt::format("link {} {}\n", link.name, link.kind);
  if (const auto ring = host.ethtool().ring(link.index))
    out += fmt::format("  ring rx {} tx {}\n", ring->rx, ring->tx);
  auto qdiscs = host.network().qdiscs(link.index);
  if (!qdiscs) return std::unexpected(qdiscs.error());
  for (const agent::kernel::Qdisc& qdisc : *qdiscs) {
    out += fmt::format("  qdisc {} {:x} {:x}", qdisc.kind, qdisc.handle, qdisc.parent);
    for (const std::byte byte : qdisc.options) out += fmt::format(" {:02x}", unsigned(byte));
    out += "\n";
  }
  for (const auto side : {agent::kernel::Side::egress, agent::kernel::Side::ingress}) {
    auto filters = host.network().filters(link.index, side);
    if (!filters) return std::unexpected(filters.error());
    for (const agent::kernel::Filter& filter : *filters)
      out += fmt::format("  filter {} {} {} {}\n", to_string(side), filter.pref, filter.kind,
                         filter.content);
  }
  return out;
}

/// Device-mapper devices: all that dm-delay touches.
Result<std::string> disk_state(agent::Host& host) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/block", none))
    if (entry.path().filename().string().starts_with("dm-"))
      names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  std::string out;
  for (const std::string& name : names) {
    const auto device = host.disks().find(name);
    if (!device) return std::unexpected(device.error());
    const auto state = host.disks().state(device->number);
    if (!state) return std::unexpected(state.error());
    if (!*state) continue;
    out += fmt::format("disk {} {} suspended {} loaded {}\n", name, (*state)->name,
                       (*state)->suspended, (*state)->inactive.has_value());
    for (const auto& target : (*state)->live) out += "  " + to_string(target) + "\n";
  }
  return out;
}

Result<std::string> network_state(agent::Host& host) {
  auto links = host.network().links();
  if (!links) return std::unexpected(links.error());
  std::string out;
  for (const agent::kernel::Link& link : *links) {
    auto one = link_state(host, link);
    if (!one) return one;
    out += *one;
  }
  return out;
}

/// @param before  when given and the network differs from it already, the disks are not read: under
///                emulation that takes longer than the undo that is being timed
Result<std::string> host_state(agent::Host& host, const std::string* before = nullptr) {
  auto network = network_state(host);
  if (!network || (before != nullptr && !before->starts_with(*network))) return network;
  auto disks = disk_state(host);
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
