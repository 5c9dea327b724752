// What the host is, and counters it keeps: read-only, from /proc, /sys and ethtool. Serves the
// agent's hello and the probes. Changes nothing. All calls are about the caller's own network
// namespace, block for well under a second, and may be called from any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kernel/types.hpp"
#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

struct InterfaceFacts {
  IfIndex index;
  std::string name;
  std::string driver;  ///< "vmxnet3", "veth", …; empty when the kernel names none
  bool up = false;
  bool carrier = false;
  std::uint32_t mtu = 0;
  std::vector<std::string> addresses;  ///< "10.0.0.7/24"
  std::optional<RingSizes> ring;       ///< none: the driver has no ring sizes
};

struct HostFacts {
  std::string host_name;
  std::string kernel_release;  ///< uname -r
  std::string distribution;    ///< PRETTY_NAME of os-release, or empty
  std::string boot_id;         ///< new at each boot
  std::uint32_t cpus = 0;      ///< online
  std::uint64_t memory_bytes = 0;
  std::vector<InterfaceFacts> interfaces;  ///< by ifindex; loopback included
};

/// A counter's name and its value.
using Counters = std::map<std::string, std::uint64_t>;

[[nodiscard]] Result<HostFacts> read_host_facts();

/// Current and greatest ring sizes, by ethtool netlink.
/// @errors not_found  no such interface;  unsupported  the driver has none (veth, lo)
[[nodiscard]] Result<RingSizes> read_ring(std::string_view interface);

/// The driver's own counters (`ethtool -S`) under the driver's names without surrounding blanks,
/// summed over queues when a name repeats (vmxnet3: "pkts rx OOB"), and the kernel's own from
/// /proc/net/dev as "dev.rx_packets", "dev.rx_errors", "dev.rx_drop", "dev.tx_bytes" and so on.
/// A driver without counters gives only the latter. Emulated NICs may count too much
/// [kernel-facts §3]: judge by "increased", not by amounts.
/// @errors not_found  no such interface
[[nodiscard]] Result<Counters> read_nic_counters(std::string_view interface);

/// TCP's counters of the whole namespace, named as nstat(8) does: "TcpRetransSegs",
/// "TcpOutSegs", "TcpExtTCPTimeouts", … Settings among them that are negative are left out.
[[nodiscard]] Result<Counters> read_tcp_counters();

// The parsers behind these, on text, so that tests need no kernel.

/// /proc/net/snmp and /proc/net/netstat: pairs of lines "Tcp: names…" and "Tcp: values…". Gives
/// the groups whose name starts with `group`.
[[nodiscard]] Result<Counters> parse_paired_counters(std::string_view text, std::string_view group);
/// One interface's line of /proc/net/dev. @errors not_found
[[nodiscard]] Result<Counters> parse_proc_net_dev(std::string_view text,
                                                  std::string_view interface);
/// The value of KEY=value or KEY="value" in os-release(5) text, or empty.
[[nodiscard]] std::string parse_os_release(std::string_view text, std::string_view key);
/// "MemTotal:  16337368 kB" in bytes.
[[nodiscard]] Result<std::uint64_t> parse_mem_total(std::string_view text);

}  // namespace firedrill::agent::kernel
