// nic-ring, nic-counters and tcp-stats: what the kernel of this host says, read through
// agent/kernel/facts.hpp.
#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "agent/kernel/facts.hpp"
#include "agent/probes/counter_values.hpp"
#include "agent/probes/kinds.hpp"

namespace firedrill::agent {
namespace {

constexpr std::array kRingParams{ParamSpec{.name = "device",
                                           .required = true,
                                           .choices = {},
                                           .default_text = {},
                                           .help = "network interface"}};

constexpr std::array kCounterParams{
    ParamSpec{.name = "device",
              .required = true,
              .choices = {},
              .default_text = {},
              .help = "network interface"},
    ParamSpec{.name = "counters",
              .choices = {},
              .default_text = {},
              .help = "driver counters (ethtool -S); those that tell of loss when not given",
              .list = true}};

class NicRingProbe final : public Probe {
 public:
  std::string_view name() const override { return "nic-ring"; }
  std::string_view summary() const override { return "ring sizes of a network interface"; }
  std::span<const ParamSpec> schema() const override { return kRingParams; }
  std::vector<std::string_view> values() const override {
    return {"rx_slots", "tx_slots", "rx_max", "tx_max"};
  }
  Json example() const override { return {{"device", "eth0"}}; }

  Support probe_support() const override {
    const auto facts = kernel::read_host_facts();
    if (!facts) return {.supported = false, .reason = facts.error().what};
    if (std::ranges::any_of(facts->interfaces,
                            [](const auto& one) { return one.ring.has_value(); }))
      return {.supported = true, .reason = {}};
    return {.supported = false, .reason = "no interface of this host has ring sizes"};
  }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    const std::string device = params.text("device");
    auto read = [device](std::optional<Duration>) -> Result<Values> {
      const auto ring = kernel::read_ring(device);
      if (!ring) return std::unexpected(ring.error());
      return Values{{"rx_slots", ring->rx},
                    {"tx_slots", ring->tx},
                    {"rx_max", ring->rx_max},
                    {"tx_max", ring->tx_max}};
    };
    if (auto first = read(std::nullopt); !first) return std::unexpected(first.error());
    return std::make_unique<PacedSession>(std::move(read));
  }
};

/// The driver counters to report: those asked for, each of which must exist, or those of loss.
Result<std::vector<std::string>> choose_counters(const Params& params, const Counters& counters) {
  if (!params.has("counters")) return loss_counters(counters);
  std::vector<std::string> chosen = params.texts("counters");
  std::vector<std::string_view> known;
  for (const auto& [name, value] : counters) known.push_back(name);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (counters.contains(chosen[i])) continue;
    Error error = fail_at(pointer_join("/counters", i),
                          fmt::format("'{}' has no counter '{}'.{}", params.text("device"),
                                      chosen[i], suggestion(chosen[i], known)))
                      .error();
    error.code = ErrorCode::not_found;
    return std::unexpected(std::move(error));
  }
  return chosen;
}

class NicCountersProbe final : public Probe {
 public:
  std::string_view name() const override { return "nic-counters"; }
  std::string_view summary() const override { return "drops and errors of a network interface"; }
  std::span<const ParamSpec> schema() const override { return kCounterParams; }
  std::vector<std::string_view> values() const override {
    return {"rx_dropped",       "rx_errors",       "tx_dropped",
            "rx_dropped_per_s", "rx_errors_per_s", "tx_dropped_per_s"};
  }
  Json example() const override { return {{"device", "eth0"}}; }
  Support probe_support() const override { return {.supported = true, .reason = {}}; }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    const std::string device = params.text("device");
    auto first = kernel::read_nic_counters(device);
    if (!first) return std::unexpected(first.error());
    auto chosen = choose_counters(params, *first);
    if (!chosen) return std::unexpected(chosen.error());
    auto read = [device, chosen = std::move(*chosen),
                 before = Counters{}](std::optional<Duration> elapsed) mutable -> Result<Values> {
      auto now = kernel::read_nic_counters(device);
      if (!now) return std::unexpected(now.error());
      Values values = nic_values(before, *now, elapsed, chosen);
      before = std::move(*now);
      return values;
    };
    auto session = std::make_unique<PacedSession>(std::move(read));
    if (auto taken = session->take_baseline(); !taken) return std::unexpected(taken.error());
    return session;
  }
};

class TcpStatsProbe final : public Probe {
 public:
  std::string_view name() const override { return "tcp-stats"; }
  std::string_view summary() const override {
    return "TCP retransmissions, time-outs and resets of the whole host";
  }
  std::span<const ParamSpec> schema() const override { return {}; }
  std::vector<std::string_view> values() const override {
    return {"retrans_segs",     "out_segs",         "retransmit_ratio",  "timeouts",
            "lost_retransmits", "syn_retransmits",  "aborts_on_timeout", "failed_connects",
            "resets_sent",      "connections_reset"};
  }
  Json example() const override { return Json::object(); }
  Support probe_support() const override {
    const auto counters = kernel::read_tcp_counters();
    if (!counters) return {.supported = false, .reason = counters.error().what};
    return {.supported = true, .reason = {}};
  }

  Result<std::unique_ptr<ProbeSession>> open(const Params&) const override {
    auto read = [before = Counters{}](std::optional<Duration>) mutable -> Result<Values> {
      auto now = kernel::read_tcp_counters();
      if (!now) return std::unexpected(now.error());
      Values values = tcp_values(before, *now);
      before = std::move(*now);
      return values;
    };
    auto session = std::make_unique<PacedSession>(std::move(read));
    if (auto taken = session->take_baseline(); !taken) return std::unexpected(taken.error());
    return session;
  }
};

}  // namespace

std::unique_ptr<Probe> make_nic_ring_probe() { return std::make_unique<NicRingProbe>(); }
std::unique_ptr<Probe> make_nic_counters_probe() { return std::make_unique<NicCountersProbe>(); }
std::unique_ptr<Probe> make_tcp_stats_probe() { return std::make_unique<TcpStatsProbe>(); }

}  // namespace firedrill::agent
