// Those who tell the controller by themselves: webhooks over real HTTPS, a person by the command
// line, and a service that writes its log. Each notes the truth at the instant of its act.
#pragma once

#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "tests/calibration/ledger.hpp"

namespace firedrill::calibration {

struct PushWorld {
  std::filesystem::path home;  ///< of the controller
  std::filesystem::path log;   ///< the file that the agent reads
  std::uint16_t port = 0;
  Skewed monitor, agent;
};

/// One thread each, from the injection on; joined by the destructor.
class Pushers {
 public:
  Pushers(Ledger& ledger, PushWorld world);
  Pushers(const Pushers&) = delete;
  Pushers& operator=(const Pushers&) = delete;

 private:
  void post_webhooks(const std::string& source, std::uint64_t seed);
  void speak();
  void write_log();

  Ledger& ledger_;
  const PushWorld world_;
  std::vector<std::jthread> threads_;
};

}  // namespace firedrill::calibration
