// The kinds of probe, for the registry.
#pragma once

#include <memory>

#include "agent/probes/probe.hpp"

namespace firedrill::agent {

[[nodiscard]] std::unique_ptr<Probe> make_http_probe();
[[nodiscard]] std::unique_ptr<Probe> make_tcp_probe();
[[nodiscard]] std::unique_ptr<Probe> make_etcd_probe();
[[nodiscard]] std::unique_ptr<Probe> make_nic_ring_probe();
[[nodiscard]] std::unique_ptr<Probe> make_nic_counters_probe();
[[nodiscard]] std::unique_ptr<Probe> make_tcp_stats_probe();
[[nodiscard]] std::unique_ptr<Probe> make_fsync_probe();
[[nodiscard]] std::unique_ptr<Probe> make_disk_probe();
[[nodiscard]] std::unique_ptr<Probe> make_kernel_log_probe();
[[nodiscard]] std::unique_ptr<Probe> make_process_memory_probe();
/// `root` stands before /proc and /sys, so that tests can build a tree.
[[nodiscard]] std::unique_ptr<Probe> make_cgroup_memory_probe(std::string root = {});
[[nodiscard]] std::unique_ptr<Probe> make_pressure_probe(std::string root = {});
[[nodiscard]] std::unique_ptr<Probe> make_route_probe();
[[nodiscard]] std::unique_ptr<Probe> make_bird_probe();
[[nodiscard]] std::unique_ptr<Probe> make_log_probe();

// Shared by the probes that perform operations.
inline constexpr double kMinTimeoutUs = 1e3, kMaxTimeoutUs = 60e6, kMaxRate = 1000;
inline constexpr std::string_view kRateHelp = "operations per second, started evenly";
inline constexpr std::string_view kTimeoutHelp = "per operation, from its scheduled start";
[[nodiscard]] std::vector<std::string_view> operation_values();

/// @errors invalid_input when `url` is not http:// or https:// with a host
[[nodiscard]] Result<void> check_url(std::string_view url);

}  // namespace firedrill::agent
