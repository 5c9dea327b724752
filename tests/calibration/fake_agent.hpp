// An agent whose fault is nothing, but whose link, clock exchange and probes are the real ones.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/probes/probe_runner.hpp"
#include "agent/uplink/uplink.hpp"
#include "tests/calibration/ledger.hpp"

namespace firedrill::calibration {

class FakeAgent {
 public:
  /// `identity` holds agent.pem, agent.key and ca.pem.
  FakeAgent(Ledger& ledger, Skewed clock, std::uint16_t port,
            const std::filesystem::path& identity);
  ~FakeAgent();
  FakeAgent(const FakeAgent&) = delete;
  FakeAgent& operator=(const FakeAgent&) = delete;

 private:
  Result<Json> call(const std::string& method, const Json& params);
  void act(std::string injection, UtcTime at, Duration duration);
  void send(std::string_view kind, const std::string& run, UtcTime at, Json data);
  void send_sample(const rpc::ProbeRequest& request, const rpc::Sample& sample);

  Ledger& ledger_;
  const Skewed clock_;
  std::mutex mutex_;
  std::string run_;
  Duration duration_{};
  std::vector<std::jthread> acts_;
  std::unique_ptr<agent::Uplink> uplink_;
  std::unique_ptr<agent::ProbeRunner> probes_;
};

}  // namespace firedrill::calibration
