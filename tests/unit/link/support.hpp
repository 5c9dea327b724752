// What the link's tests share: an authority in a temporary directory, and a fleet and agents that
// note what happens. support_net.hpp has the peers that misbehave.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/uplink/uplink.hpp"
#include "controller/fleet/fleet.hpp"
#include "controller/pki/pki.hpp"
#include "controller/pki/x509.hpp"

namespace firedrill::link_test {

using agent::LinkEnds;
using agent::Uplink;
using agent::UplinkConfig;
using agent::UplinkHandlers;

/// Waits for something that must come to be; long enough for a slow machine, so that only a fault
/// of the code makes it false.
bool wait_for(const std::function<bool()>& condition);

class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class Authority {
 public:
  Authority();
  [[nodiscard]] std::filesystem::path dir() const { return dir_.path() / "pki"; }
  [[nodiscard]] FleetConfig fleet_config() const;
  /// Issues on first use.
  [[nodiscard]] pki::Identity agent(const std::string& host) const;
  [[nodiscard]] pki::Identity operator_identity() const;
  /// A certificate of any kind, signed by this authority.
  [[nodiscard]] pki::Identity odd(const pki::CertificateSpec& spec) const;

 private:
  TempDir dir_;
};

/// A certificate as issue() would make it today, to be bent.
pki::CertificateSpec valid_spec(const std::string& name, const std::string& role);

/// What a fleet's handlers were told.
class FleetLog {
 public:
  FleetHandlers handlers();
  [[nodiscard]] std::vector<std::string> connected() const { return copy(connected_); }
  [[nodiscard]] std::vector<std::string> lost() const { return copy(lost_); }
  [[nodiscard]] std::vector<std::string> refused() const { return copy(refused_); }
  [[nodiscard]] std::vector<rpc::AgentEvent> events() const { return copy(events_); }
  [[nodiscard]] std::vector<ClockEstimate> estimates() const { return copy(estimates_); }

 private:
  template <class T>
  std::vector<T> copy(const std::vector<T>& from) const {
    const std::scoped_lock lock{mutex_};
    return from;
  }
  mutable std::mutex mutex_;
  std::vector<std::string> connected_, lost_, refused_;
  std::vector<rpc::AgentEvent> events_;
  std::vector<ClockEstimate> estimates_;
};

/// An agent that notes what its uplink tells it. `on_call` answers with the method's name.
class TestAgent {
 public:
  TestAgent(const pki::Identity& identity, std::uint16_t port, std::string host = "db-1");
  TestAgent(const TestAgent&) = delete;
  TestAgent& operator=(const TestAgent&) = delete;
  ~TestAgent() { uplink.reset(); }  // before what its callbacks use

  UplinkConfig config;
  UplinkHandlers handlers;
  std::unique_ptr<Uplink> uplink;

  void start();
  /// One event of `kind` whose data is {"n": n}.
  void send(int n, const std::string& kind = "injection.progress") const;
  [[nodiscard]] std::string last_failure() const;
  [[nodiscard]] int connections() const { return connections_; }

 private:
  mutable std::mutex mutex_;
  std::string last_failure_;
  std::atomic<int> connections_ = 0;
};

std::string text_of(const std::filesystem::path& path);

std::string hello_message(const std::string& host);
std::string http_get(const std::string& target, const std::string& headers = "");

}  // namespace firedrill::link_test
