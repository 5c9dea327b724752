// What the host is: uname, /proc, /etc/os-release, netlink.
#include "agent/kernel/facts.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/kernel/linux_ethtool.hpp"
#include "agent/kernel/linux_network.hpp"
#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

constexpr std::size_t kLongestFile = 4U << 20;

std::string first_line(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

/// The driver's name is where its link in /sys points; virtual devices have none.
std::string driver_of(const std::string& interface, const std::string& kind) {
  std::error_code error;
  const auto target =
      std::filesystem::read_symlink("/sys/class/net/" + interface + "/device/driver", error);
  return error ? kind : target.filename().string();
}

/// "10.0.0.7/24" for one entry of getifaddrs, or empty when it is no IP address.
std::string address_text(const ifaddrs& entry) {
  if (entry.ifa_addr == nullptr || entry.ifa_netmask == nullptr) return {};
  IpAddress address;
  IpAddress mask;
  if (entry.ifa_addr->sa_family == AF_INET) {
    const auto bytes = [](const sockaddr* from) {
      return &reinterpret_cast<const sockaddr_in*>(from)->sin_addr;
    };
    std::memcpy(address.bytes.data(), bytes(entry.ifa_addr), 4);
    std::memcpy(mask.bytes.data(), bytes(entry.ifa_netmask), 4);
  } else if (entry.ifa_addr->sa_family == AF_INET6) {
    const auto bytes = [](const sockaddr* from) {
      return &reinterpret_cast<const sockaddr_in6*>(from)->sin6_addr;
    };
    address.v6 = true;
    std::memcpy(address.bytes.data(), bytes(entry.ifa_addr), 16);
    std::memcpy(mask.bytes.data(), bytes(entry.ifa_netmask), 16);
  } else {
    return {};
  }
  int length = 0;
  for (const std::uint8_t byte : mask.bytes) length += std::popcount(byte);
  return fmt::format("{}/{}", to_string(address), length);
}

std::map<std::string, std::vector<std::string>> read_addresses() {
  std::map<std::string, std::vector<std::string>> out;
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) < 0) return out;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next)
    if (auto text = address_text(*entry); !text.empty())
      out[entry->ifa_name].push_back(std::move(text));
  freeifaddrs(first);
  return out;
}

Result<std::vector<InterfaceFacts>> read_interfaces() {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  if (!socket) return std::unexpected(socket.error());
  LinuxNetwork network(std::move(*socket), {});
  const auto links = network.links();
  if (!links) return std::unexpected(links.error());
  // Without ethtool netlink the rings stay unknown; the rest is still worth saying.
  auto ethtool = LinuxEthtool::open({});
  auto addresses = read_addresses();

  std::vector<InterfaceFacts> out;
  for (const Link& link : *links) {
    InterfaceFacts facts{link.index,
                         link.name,
                         driver_of(link.name, link.kind),
                         link.up,
                         link.carrier,
                         link.mtu,
                         addresses[link.name],
                         std::nullopt};
    if (ethtool)
      if (const auto ring = ethtool->ring(link.index)) facts.ring = *ring;
    out.push_back(std::move(facts));
  }
  std::ranges::sort(out, {}, &InterfaceFacts::index);
  return out;
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno(errno, path);
  std::string text;
  char buffer[16384];
  int error = 0;
  while (text.size() < kLongestFile) {
    const ssize_t count = read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) error = errno;
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  close(fd);
  if (error != 0) return fail_errno(error, path);
  if (text.size() >= kLongestFile) return fail(ErrorCode::io_failed, path + ": too long");
  return text;
}

std::string parse_os_release(std::string_view text, std::string_view key) {
  const std::string start = std::string(key) + "=";
  std::size_t at = text.starts_with(start) ? 0 : text.find("\n" + start);
  if (at == std::string_view::npos) return {};
  if (text[at] == '\n') ++at;
  std::string_view value = text.substr(at + start.size());
  value = value.substr(0, value.find('\n'));
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
      value.back() == value.front())
    value = value.substr(1, value.size() - 2);
  return std::string(value);
}

Result<std::uint64_t> parse_mem_total(std::string_view text) {
  constexpr std::string_view kKey = "MemTotal:";
  const std::size_t at = text.find(kKey);
  if (at == std::string_view::npos) return fail(ErrorCode::corrupt, "meminfo has no MemTotal");
  std::string_view rest = text.substr(at + kKey.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  std::uint64_t kib = 0;
  const auto [end, error] = std::from_chars(rest.begin(), rest.end(), kib);
  if (error != std::errc{} || !std::string_view(end, rest.end()).starts_with(" kB"))
    return fail(ErrorCode::corrupt, "meminfo: MemTotal is not a number of kB");
  return kib * 1024;
}

Result<RingSizes> read_ring(std::string_view interface) {
  const unsigned index = if_nametoindex(std::string(interface).c_str());
  if (index == 0)
    return fail(ErrorCode::not_found, fmt::format("there is no interface '{}'", interface));
  auto ethtool = LinuxEthtool::open({});
  if (!ethtool) return std::unexpected(ethtool.error());
  return ethtool->ring(IfIndex{index});
}

Result<HostFacts> read_host_facts() {
  HostFacts facts;
  utsname names{};
  if (uname(&names) < 0) return fail_errno(errno, "uname");
  facts.host_name = names.nodename;
  facts.kernel_release = names.release;
  if (const auto text = read_file("/etc/os-release"))
    facts.distribution = parse_os_release(*text, "PRETTY_NAME");
  auto boot_id = read_file("/proc/sys/kernel/random/boot_id");
  if (!boot_id) return std::unexpected(boot_id.error());
  facts.boot_id = first_line(std::move(*boot_id));
  facts.cpus = static_cast<std::uint32_t>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  const auto meminfo = read_file("/proc/meminfo");
  if (!meminfo) return std::unexpected(meminfo.error());
  const auto memory = parse_mem_total(*meminfo);
  if (!memory) return std::unexpected(memory.error());
  facts.memory_bytes = *memory;
  auto interfaces = read_interfaces();
  if (!interfaces) return std::unexpected(interfaces.error());
  facts.interfaces = std::move(*interfaces);
  return facts;
}

}  // namespace firedrill::agent::kernel
