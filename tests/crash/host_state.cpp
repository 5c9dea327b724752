#include "tests/crash/host_state.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <optional>
#include <set>
#include <system_error>

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "agent/host_routes.hpp"
#include "agent/kernel/netlink.hpp"
#include "agent/kernel/proc_files.hpp"
#include "agent/kernel/read_file.hpp"
#include "tests/support/host_text.hpp"

namespace firedrill::crash {
namespace {

namespace fs = std::filesystem;
namespace kernel = agent::kernel;
using kernel::read_file;

std::string hex(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte byte : bytes) out += fmt::format("{:02x}", unsigned(byte));
  return out;
}

/// What follows a netlink message's own header in one kind of dump.
struct Dump {
  std::string_view label;
  int protocol = NETLINK_ROUTE;
  std::uint16_t type = 0;
  std::size_t header = 0;                ///< its size, all zero in the request
  std::vector<std::uint16_t> volatile_;  ///< attributes that change by themselves
};

std::string dumped(const Dump& dump, std::span<const std::byte> payload) {
  std::vector<std::byte> header(payload.begin(), payload.begin() + std::ptrdiff_t(dump.header));
  // That it is still being tried out, or is out of date, is the kernel's own doing.
  if (dump.type == RTM_GETADDR) header[offsetof(ifaddrmsg, ifa_flags)] = {};
  std::string out = fmt::format("{} {}", dump.label, hex(header));
  const auto table = kernel::AttributeTable::parse(payload.subspan(NLMSG_ALIGN(dump.header)));
  if (!table) return out + " unreadable";
  for (const auto& entry : table->entries())
    if (std::ranges::find(dump.volatile_, entry.type) == dump.volatile_.end())
      out += fmt::format(" {}={}", entry.type, hex(entry.payload));
  return out;
}

Result<void> append_dump(const Dump& dump, std::set<std::string>& out) {
  auto socket = kernel::NetlinkSocket::open(dump.protocol);
  // A kernel without nftables has none of its tables.
  if (!socket && dump.protocol == NETLINK_NETFILTER) return {};
  if (!socket) return std::unexpected(socket.error());
  const std::vector<std::byte> request(dump.header);
  std::vector<std::string> lines;
  const auto done = socket->dump(
      dump.type, request, dump.label, [&] { lines.clear(); },
      [&](std::uint16_t, std::span<const std::byte> payload) {
        if (payload.size() >= dump.header) lines.push_back(dumped(dump, payload));
      });
  if (!done && dump.protocol == NETLINK_NETFILTER) return {};
  if (!done) return done;
  out.insert(lines.begin(), lines.end());
  return {};
}

constexpr std::uint16_t nft(std::uint16_t message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
}

Result<void> append_netlink(std::set<std::string>& out) {
  const std::array dumps{
      Dump{"address", NETLINK_ROUTE, RTM_GETADDR, sizeof(ifaddrmsg), {IFA_CACHEINFO, IFA_FLAGS}},
      Dump{"rule", NETLINK_ROUTE, RTM_GETRULE, sizeof(rtmsg), {}},
      Dump{"nexthop", NETLINK_ROUTE, RTM_GETNEXTHOP, sizeof(nhmsg), {}},
      Dump{"nft table", NETLINK_NETFILTER, nft(NFT_MSG_GETTABLE), sizeof(nfgenmsg), {}},
      Dump{"nft chain",
           NETLINK_NETFILTER,
           nft(NFT_MSG_GETCHAIN),
           sizeof(nfgenmsg),
           {NFTA_CHAIN_COUNTERS}},
      Dump{"nft rule", NETLINK_NETFILTER, nft(NFT_MSG_GETRULE), sizeof(nfgenmsg), {}},
      Dump{"nft set", NETLINK_NETFILTER, nft(NFT_MSG_GETSET), sizeof(nfgenmsg), {}}};
  for (const Dump& dump : dumps)
    if (auto done = append_dump(dump, out); !done) return done;
  return {};
}

Result<void> append_routes(agent::Host& host, std::set<std::string>& out) {
  const auto links = host.network().links();
  if (!links) return std::unexpected(links.error());
  auto socket = kernel::NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return std::unexpected(socket.error());
  const rtmsg all{};
  std::vector<std::string> lines;
  const auto done = socket->dump(
      RTM_GETROUTE, std::as_bytes(std::span(&all, 1)), "routes", [&] { lines.clear(); },
      [&](std::uint16_t, std::span<const std::byte> payload) {
        // What is neither IPv4 nor IPv6 (multicast trees) is nobody's fault here.
        if (const auto route = kernel::parse_route(payload))
          lines.push_back(
              fmt::format("route {} [{}]", to_string(*route, *links), hex(route->message)));
      });
  if (!done) return done;
  out.insert(lines.begin(), lines.end());
  return {};
}

/// Settings of cgroups; what is not in this list and can be written is a command or a statistic.
constexpr std::array<std::string_view, 20> kCgroupSettings{"io.max",
                                                           "io.weight",
                                                           "io.latency",
                                                           "io.bfq.weight",
                                                           "memory.min",
                                                           "memory.low",
                                                           "memory.high",
                                                           "memory.max",
                                                           "cpu.max",
                                                           "cpu.weight",
                                                           "cpu.max.burst",
                                                           "cpuset.cpus",
                                                           "cpuset.mems",
                                                           "pids.max",
                                                           "memory.swap.max",
                                                           "cgroup.subtree_control",
                                                           "cgroup.freeze",
                                                           "blkio.throttle.write_bps_device",
                                                           "blkio.throttle.read_bps_device",
                                                           "memory.limit_in_bytes"};

/// Notes that faults leave on a cgroup beside its settings.
void append_attributes(const std::string& path, std::set<std::string>& out) {
  std::array<char, 4096> names{};
  const ssize_t size = ::listxattr(path.c_str(), names.data(), names.size());
  for (const char* name = names.data(); name < names.data() + std::max<ssize_t>(size, 0);
       name += std::strlen(name) + 1) {
    std::array<char, 4096> value{};
    const ssize_t length = ::getxattr(path.c_str(), name, value.data(), value.size());
    out.insert(fmt::format("cgroup {} {} {}", path, name,
                           std::string_view(value.data(), std::max<ssize_t>(length, 0))));
  }
}

void append_cgroups(std::set<std::string>& out) {
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (auto place = fs::recursive_directory_iterator("/sys/fs/cgroup", options, error);
       !error && place != fs::recursive_directory_iterator(); place.increment(error)) {
    std::error_code none;
    const std::string path = place->path();
    if (place->is_directory(none)) {
      out.insert(fmt::format("cgroup {}", path));
      append_attributes(path, out);
      continue;
    }
    const std::string name = place->path().filename();
    if (std::ranges::find(kCgroupSettings, name) == kCgroupSettings.end()) continue;
    if (const auto text = read_file(path); text && !text->empty())
      out.insert(fmt::format("cgroup {} {}", path, *text));
  }
}

void append_lines(std::string_view label, const std::string& path, std::set<std::string>& out,
                  const auto& wanted) {
  const auto text = read_file(path);
  if (!text) return;
  std::string_view rest = *text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    if (wanted(line)) out.insert(fmt::format("{} {}", label, line));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> out;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (read.ec == std::errc{} && read.ptr == name.data() + name.size()) out.push_back(pid);
  }
  std::ranges::sort(out);
  return out;
}

std::optional<kernel::ProcessStat> stat_of(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return std::nullopt;
  const auto stat = kernel::parse_stat(*text);
  return stat ? std::optional(*stat) : std::nullopt;
}

std::string program_of(pid_t pid) {
  std::error_code error;
  std::string path = fs::read_symlink(fmt::format("/proc/{}/exe", pid), error);
  return error ? std::string() : path;
}

pid_t parent_of(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/status", pid));
  return text ? static_cast<pid_t>(kernel::status_number(*text, "PPid").value_or(0)) : 0;
}

/// Those of this pid namespace that are neither we, nor who started us, nor the agent's.
std::vector<pid_t> processes_of_host(const fs::path& agent) {
  std::set<pid_t> not_its{::getpid()};
  for (pid_t above = ::getppid(); above > 1; above = parent_of(above)) not_its.insert(above);
  std::vector<pid_t> out;
  for (const pid_t pid : all_processes()) {
    const auto stat = stat_of(pid);
    if (!stat || stat->kernel_thread || stat->state == 'Z' || not_its.contains(pid)) continue;
    if (program_of(pid) != agent.string()) out.push_back(pid);
  }
  return out;
}

void append_processes(const fs::path& agent, std::set<std::string>& out) {
  for (const pid_t pid : processes_of_host(agent)) {
    const auto stat = stat_of(pid);
    if (!stat) continue;
    const std::string label = fmt::format("process {} ({})", pid, stat->name);
    const std::string place = fmt::format("/proc/{}", pid);
    const auto all = [](std::string_view) { return true; };
    out.insert(label);
    append_lines(label, place + "/cgroup", out, all);
    append_lines(label + " oom_score_adj", place + "/oom_score_adj", out, all);
    append_lines(label, place + "/limits", out, all);
    append_lines(label, place + "/status", out, [](std::string_view line) {
      return line.starts_with("TracerPid") || line.starts_with("Cpus_allowed_list");
    });
    append_lines(label, place + "/maps", out, [](std::string_view line) {
      return !line.ends_with("[heap]") && !line.ends_with("[stack]");
    });
  }
}

Result<void> append_bird(agent::Host& host, std::set<std::string>& out) {
  const auto sockets = host.bird().sockets();
  if (!sockets) return std::unexpected(sockets.error());
  for (const std::string& socket : *sockets) {
    const auto reply = host.bird().command(socket, "show protocols all");
    if (!reply && reply.error().code == ErrorCode::not_found) continue;  // of another host
    if (!reply) return std::unexpected(reply.error());
    for (const kernel::BirdProtocol& protocol : kernel::parse_bird_protocols(*reply))
      out.insert(fmt::format("bird {} {} {} {} {} '{}'", socket, protocol.name, protocol.kind,
                             protocol.state, protocol.info, protocol.message));
  }
  return {};
}

/// A line that begins with spaces belongs to the one above, and says so here.
std::multiset<std::string> lines_of(std::string_view text) {
  std::multiset<std::string> out;
  std::string_view head;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (!line.starts_with(' ')) head = line;
    out.insert(line.starts_with(' ') ? fmt::format("{}:{}", head, line) : std::string(line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

Result<std::string> host_state(agent::Host& host, const fs::path& agent) {
  auto network = test::network_text(host);
  if (!network) return network;
  const auto disks = test::disk_text(host);
  if (!disks) return disks;
  std::set<std::string> lines;
  if (auto done = append_netlink(lines); !done) return std::unexpected(done.error());
  if (auto done = append_routes(host, lines); !done) return std::unexpected(done.error());
  append_cgroups(lines);
  append_lines("mount", "/proc/self/mountinfo", lines, [](std::string_view) { return true; });
  append_processes(agent, lines);
  if (auto done = append_bird(host, lines); !done) return std::unexpected(done.error());
  std::string out = *network + *disks;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

std::vector<std::string> differences(std::string_view before, std::string_view now) {
  const auto had = lines_of(before);
  const auto has = lines_of(now);
  std::vector<std::string> gone;
  std::vector<std::string> added;
  std::ranges::set_difference(had, has, std::back_inserter(gone));
  std::ranges::set_difference(has, had, std::back_inserter(added));
  std::vector<std::string> out;
  for (const std::string& line : gone) out.push_back("- " + line);
  for (const std::string& line : added) out.push_back("+ " + line);
  return out;
}

std::vector<Running> running(const fs::path& program) {
  std::vector<Running> out;
  for (const pid_t pid : all_processes()) {
    if (program_of(pid) != program.string()) continue;
    const auto stat = stat_of(pid);
    if (stat && stat->state != 'Z' && stat->state != 'X')
      out.push_back({pid, parent_of(pid), stat->name});
  }
  return out;
}

}  // namespace firedrill::crash
