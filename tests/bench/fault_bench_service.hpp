// A real service for a benchmark, etcd or Redis, and a client load on it that counts what fails.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

#include "firedrill/result.hpp"

namespace firedrill::bench {

/// A number from the environment, so that a run can be made shorter.
[[nodiscard]] int setting(const char* name, int otherwise);

enum class ServiceKind : std::uint8_t { etcd, redis };

/// One server process with a directory of its own, gone with this object.
class Service {
 public:
  /// Looks for the program in the directory FIREDRILL_BENCH_PROGRAMS, then in PATH. Returns when
  /// the first request has succeeded.
  /// @errors not_found  the program is not on this host
  [[nodiscard]] static Result<std::unique_ptr<Service>> start(ServiceKind kind);
  Service(const Service&) = delete;
  ~Service();
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string_view name() const;
  [[nodiscard]] bool alive() const;

 private:
  friend class Load;
  Service(ServiceKind kind, std::string directory)
      : kind_(kind), directory_(std::move(directory)) {}
  ServiceKind kind_;
  std::string directory_;
  pid_t pid_ = -1;
};

struct LoadReport {
  std::uint64_t requests = 0;
  std::uint64_t errors = 0;
  double p99_ms = 0;
  double max_ms = 0;
};

/// Connections that write and read, one thread each, with a pause after each request, until this
/// object goes.
class Load {
 public:
  Load(const Service& service, int connections, std::chrono::milliseconds pause);
  Load(const Load&) = delete;
  ~Load();
  /// What happened since the last call.
  [[nodiscard]] LoadReport take();

 private:
  void run(ServiceKind kind, int number);

  std::chrono::milliseconds pause_;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::vector<double> latencies_ms_;
  std::uint64_t errors_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace firedrill::bench
