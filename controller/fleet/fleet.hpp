// The controller's one HTTPS port: agents by mutual-TLS WebSocket on /agent, everything else by
// plain HTTP. It takes certificates and handlers and owns one I/O thread. It decides nothing about
// runs, stores nothing and never logs.
//
// Every public function may be called from any thread; stop(), the destructor, call_and_wait(),
// set_revoked() and reload_certificates() not from a handler.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "firedrill/rpc.hpp"

namespace firedrill {

struct FleetConfig {
  std::string address = "0.0.0.0";  ///< numeric, IPv4 or IPv6
  std::uint16_t port = 0;           ///< 0: any free one, see Fleet::port()
  std::filesystem::path certificate, key, ca;
  std::string webhook_token;      ///< empty: no request carries a right token
  std::set<std::string> revoked;  ///< serial numbers (lower-case hex) of certificates refused
  std::size_t max_connections = 20'000;
  /// Connections that have shown no certificate. One more, and the oldest goes, if it has had
  /// `stranger_grace`; until then newcomers wait in the kernel's queue.
  std::size_t max_strangers = 512;
  Duration stranger_grace{1'000'000};
  Duration hello_timeout{5'000'000};
  Duration request_timeout{10'000'000};  ///< TLS handshake; one HTTP request, from its first byte
  Duration http_idle_timeout{15'000'000};
  Duration agent_idle_timeout{4'000'000};  ///< a silent agent is pinged after half of it
  Duration clock_interval{1'000'000};
};

/// Agent clock = controller clock + offset; the truth lies within offset ± error.
struct ClockEstimate {
  Duration offset{};
  Duration error{};
  Duration round_trip{};  ///< of the exchange that the estimate rests on
};

struct AgentInfo {
  rpc::Hello hello;
  bool connected = false;
  ClockEstimate clock;  ///< while not connected: the last one, its error as it was then
  std::string remote_address;
};

struct HttpRequest {
  std::string method, target, body;  ///< target with its query, as sent
  std::string role, subject;         ///< OU and CN of the client certificate; empty without one
  bool webhook_token_ok = false;     ///< "Authorization: Bearer TOKEN" held the right token
  std::string remote_address = {};
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
};

/// An agent that asks for a certificate in place of the one it shows.
struct RenewalRequest {
  std::string host, serial;  ///< of the certificate that the link was made with
  Json params = Json::object();
};

/// All on the I/O thread and none may block, but for `join` and `renew`, which run on a thread of
/// their own. Those that are not set are not called; without `http` every plain request is answered
/// with 404.
struct FleetHandlers {
  /// The first clock exchanges are done by now: `clock` is an estimate.
  std::function<void(const AgentInfo&)> connected;
  /// Once for each `connected`.
  std::function<void(const std::string& host, const std::string& reason)> lost;
  /// In order and once for each number of an instance, for as long as this Fleet lives. An event
  /// whose answer was lost with a controller's death is delivered again to the next one.
  std::function<void(const std::string& host, const rpc::AgentEvent&, const ClockEstimate&)> event;
  std::function<HttpResponse(const HttpRequest&)> http;
  /// POST join::kPath, from a host that has no certificate yet.
  std::function<HttpResponse(const HttpRequest&)> join;
  /// An agent's request join::kCertificateMethod.
  std::function<Result<Json>(const RenewalRequest&)> renew;
  /// A peer that was turned away (TLS, certificate, role, protocol): for the operator's log.
  std::function<void(const std::string& remote_address, const std::string& reason)> refused;
};

class Fleet {
 public:
  using Done = std::function<void(Result<Json>)>;

  /// Listens, and serves from a thread of its own.
  /// @errors conflict       the port is in use
  ///         invalid_input  an address or a certificate cannot be read, or a pair does not match
  [[nodiscard]] static Result<std::unique_ptr<Fleet>> start(FleetConfig config,
                                                            FleetHandlers handlers);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// Every agent that ever said hello to this Fleet, by host name.
  [[nodiscard]] std::vector<AgentInfo> agents() const;
  /// The error grows with the age of the last exchanges. Empty when the host is not connected.
  [[nodiscard]] std::optional<ClockEstimate> clock(const std::string& host) const;

  /// Sends a request. `done` is called exactly once, on the I/O thread, never from inside call()
  /// (after stop(): inside it). The agent may still carry out a call that timed out.
  /// @errors to done: the agent's own error; timed_out; unavailable (not connected, or lost
  ///         meanwhile); invalid_input (too long for one message, or params no object;
  ///         null means none)
  void call(std::string host, std::string_view method, Json params, Duration timeout, Done done);
  /// Blocks for the answer. @errors as call(); internal when used on the I/O thread
  [[nodiscard]] Result<Json> call_and_wait(std::string host, std::string_view method, Json params,
                                           Duration timeout);

  [[nodiscard]] std::uint16_t port() const;

  /// From now on certificates with these serial numbers are refused in the handshake; whoever is
  /// connected with one is thrown out.
  void set_revoked(std::set<std::string> serials);
  /// Reads certificate, key and authorities anew, for connections that begin from now on.
  /// @errors as start(); what was in use stays in use
  [[nodiscard]] Result<void> reload_certificates();

  /// Drops every connection and ends the thread; pending calls are answered `unavailable`. No
  /// handler runs afterwards; `lost` is not called for agents that were connected. Idempotent.
  void stop();

 private:
  class Impl;
  explicit Fleet(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firedrill
