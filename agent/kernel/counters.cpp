// The counters of facts.hpp: /proc/net and `ethtool -S`.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/kernel/facts.hpp"
#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos) return words;
    line.remove_prefix(start);
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
  if (error != std::errc{} || end != text.end()) return std::nullopt;
  return value;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(' ');
  if (start == std::string_view::npos) return {};
  return text.substr(start, text.find_last_not_of(' ') - start + 1);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

/// One ethtool ioctl. Returns errno, 0 when it went well. Driver counters have no netlink form.
int ethtool_ioctl(int fd, std::string_view interface, void* request) {
  ifreq device{};
  std::memcpy(device.ifr_name, interface.data(),
              std::min<std::size_t>(interface.size(), IFNAMSIZ - 1));
  device.ifr_data = static_cast<char*>(request);
  return ioctl(fd, SIOCETHTOOL, &device) < 0 ? errno : 0;
}

/// A buffer for one of ethtool's structures with `count` elements of `size` bytes behind it.
/// Of 8-byte words, so that the structures lie aligned.
template <class Head>
std::vector<std::uint64_t> ethtool_buffer(std::size_t count, std::size_t size) {
  return std::vector<std::uint64_t>((sizeof(Head) + count * size + 7) / 8 + 1);
}

std::uint32_t counter_count(int fd, std::string_view interface) {
  auto buffer = ethtool_buffer<ethtool_sset_info>(1, sizeof(std::uint32_t));
  auto* info = reinterpret_cast<ethtool_sset_info*>(buffer.data());
  info->cmd = ETHTOOL_GSSET_INFO;
  info->sset_mask = 1ULL << ETH_SS_STATS;
  if (ethtool_ioctl(fd, interface, info) != 0 || info->sset_mask == 0) return 0;
  return info->data[0];
}

/// Adds the driver's counters; a driver without any adds nothing.
Result<void> add_driver_counters(std::string_view interface, Counters& out) {
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return fail_errno(errno, "socket");
  const std::uint32_t count = counter_count(socket.get(), interface);
  if (count == 0) return {};

  auto names = ethtool_buffer<ethtool_gstrings>(count, ETH_GSTRING_LEN);
  auto* strings = reinterpret_cast<ethtool_gstrings*>(names.data());
  strings->cmd = ETHTOOL_GSTRINGS;
  strings->string_set = ETH_SS_STATS;
  strings->len = count;
  auto values = ethtool_buffer<ethtool_stats>(count, sizeof(std::uint64_t));
  auto* stats = reinterpret_cast<ethtool_stats*>(values.data());
  stats->cmd = ETHTOOL_GSTATS;
  stats->n_stats = count;
  for (void* request : {static_cast<void*>(strings), static_cast<void*>(stats)})
    if (const int error = ethtool_ioctl(socket.get(), interface, request); error != 0)
      return fail_errno(error, fmt::format("counters of '{}'", interface));
  // A driver that changes its queues in between answers with fewer.
  const std::uint32_t both = std::min({count, strings->len, stats->n_stats});
  for (std::uint32_t i = 0; i < both; ++i) {
    const auto* raw = reinterpret_cast<const char*>(strings->data) + i * ETH_GSTRING_LEN;
    const std::string name(trimmed({raw, strnlen(raw, ETH_GSTRING_LEN)}));
    out[name] += stats->data[i];
  }
  return {};
}

}  // namespace

Result<Counters> parse_paired_counters(std::string_view text, std::string_view group) {
  Counters out;
  const std::vector<std::string_view> lines = lines_of(text);
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    const auto names = words_of(lines[i]);
    const auto values = words_of(lines[i + 1]);
    if (names.empty() || values.size() != names.size() || names[0] != values[0])
      return fail(ErrorCode::corrupt, fmt::format("counter lines do not pair: '{}'", lines[i]));
    const std::string_view prefix = names[0].substr(0, names[0].find(':'));
    if (!prefix.starts_with(group)) continue;
    for (std::size_t k = 1; k < names.size(); ++k)
      if (const auto value = number(values[k])) out[fmt::format("{}{}", prefix, names[k])] = *value;
  }
  return out;
}

Result<Counters> parse_proc_net_dev(std::string_view text, std::string_view interface) {
  constexpr std::array kColumns{"rx_bytes", "rx_packets", "rx_errors",     "rx_drop",
                                "rx_fifo",  "rx_frame",   "rx_compressed", "rx_multicast",
                                "tx_bytes", "tx_packets", "tx_errors",     "tx_drop",
                                "tx_fifo",  "tx_colls",   "tx_carrier",    "tx_compressed"};
  for (const std::string_view line : lines_of(text)) {
    const std::size_t colon = line.rfind(':');
    if (colon == std::string_view::npos || trimmed(line.substr(0, colon)) != interface) continue;
    const auto values = words_of(line.substr(colon + 1));
    if (values.size() < kColumns.size())
      return fail(ErrorCode::corrupt, fmt::format("/proc/net/dev: '{}' is cut short", interface));
    Counters out;
    for (std::size_t i = 0; i < kColumns.size(); ++i)
      if (const auto value = number(values[i])) out[fmt::format("dev.{}", kColumns[i])] = *value;
    return out;
  }
  return fail(ErrorCode::not_found, fmt::format("there is no interface '{}'", interface));
}

Result<Counters> read_nic_counters(std::string_view interface) {
  const auto table = read_file("/proc/thread-self/net/dev");
  if (!table) return std::unexpected(table.error());
  auto counters = parse_proc_net_dev(*table, interface);
  if (!counters) return counters;
  if (auto added = add_driver_counters(interface, *counters); !added)
    return std::unexpected(added.error());
  return counters;
}

Result<Counters> read_tcp_counters() {
  Counters out;
  for (const char* path : {"/proc/thread-self/net/snmp", "/proc/thread-self/net/netstat"}) {
    const auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    auto part = parse_paired_counters(*text, "Tcp");
    if (!part) return with_context(part.error(), path);
    out.merge(*part);
  }
  return out;
}

}  // namespace firedrill::agent::kernel
