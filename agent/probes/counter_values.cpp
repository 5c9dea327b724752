#include "agent/probes/counter_values.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace firedrill::agent {
namespace {

/// Our name, and what the kernel calls it in /proc/net/dev.
constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kKernelCounters{
    {{"rx_dropped", "dev.rx_drop"}, {"rx_errors", "dev.rx_errors"}, {"tx_dropped", "dev.tx_drop"}}};

void add(Values& values, const Counters& before, const Counters& now,
         std::optional<Duration> elapsed, std::string_view name, std::string_view counter) {
  const auto current = now.find(std::string(counter));
  if (current == now.end()) return;
  values[std::string(name)] = static_cast<double>(current->second);
  const auto earlier = before.find(std::string(counter));
  if (earlier == before.end() || !elapsed || *elapsed <= Duration{0}) return;
  if (const auto by = moved(earlier->second, current->second))
    values[std::string(name) + "_per_s"] = *by * 1e6 / static_cast<double>(elapsed->count());
}

/// Our name, and what the kernel calls it: how far each moved says which way TCP suffers.
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kTcpCounters{
    {{"timeouts", "TcpExtTCPTimeouts"},
     {"lost_retransmits", "TcpExtTCPLostRetransmit"},
     {"syn_retransmits", "TcpExtTCPSynRetrans"},
     {"aborts_on_timeout", "TcpExtTCPAbortOnTimeout"},
     {"failed_connects", "TcpAttemptFails"},
     {"resets_sent", "TcpOutRsts"},
     {"connections_reset", "TcpEstabResets"}}};

std::uint64_t at_or_zero(const Counters& counters, const std::string& name) {
  const auto found = counters.find(name);
  return found == counters.end() ? 0 : found->second;
}

}  // namespace

Values nic_values(const Counters& before, const Counters& now, std::optional<Duration> elapsed,
                  const std::vector<std::string>& chosen) {
  Values values;
  for (const auto& [name, counter] : kKernelCounters)
    add(values, before, now, elapsed, name, counter);
  for (const std::string& counter : chosen) add(values, before, now, elapsed, counter, counter);
  return values;
}

std::vector<std::string> loss_counters(const Counters& counters) {
  constexpr std::array<std::string_view, 8> kWords{"drop", "discard", "miss",   "oob",
                                                   "fifo", "err",     "no_buf", "buf alloc fail"};
  std::vector<std::string> names;
  for (const auto& [name, value] : counters) {
    if (name.starts_with("dev.")) continue;
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
    if (std::ranges::any_of(kWords, [&](auto word) { return lower.contains(word); }))
      names.push_back(name);
  }
  return names;
}

Values tcp_values(const Counters& before, const Counters& now) {
  Values values;
  const auto retransmitted =
      moved(at_or_zero(before, "TcpRetransSegs"), at_or_zero(now, "TcpRetransSegs"));
  const auto sent = moved(at_or_zero(before, "TcpOutSegs"), at_or_zero(now, "TcpOutSegs"));
  if (!retransmitted || !sent) return values;
  values["retrans_segs"] = *retransmitted;
  values["out_segs"] = *sent;
  // The kernel leaves retransmissions out of OutSegs, so this is a share of all that was sent.
  if (*sent + *retransmitted > 0)
    values["retransmit_ratio"] = *retransmitted / (*sent + *retransmitted);
  for (const auto& [name, counter] : kTcpCounters) {
    const auto current = now.find(std::string(counter));
    if (current == now.end()) continue;  // an older kernel has no such counter
    const auto by = moved(at_or_zero(before, current->first), current->second);
    if (by) values[std::string(name)] = *by;
  }
  return values;
}

}  // namespace firedrill::agent
