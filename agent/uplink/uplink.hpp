// The agent's one connection: it dials out to the controller over mutual-TLS WebSocket, says hello,
// answers calls and delivers events, and renews its own certificate. It takes certificates and
// callbacks; it listens on nothing, knows no fault, and never logs.
//
// Threads: one for I/O, one for calls in order, one for `probe.once`. Every public function may be
// called from any thread; stop() and the destructor not from a callback.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "firedrill/rpc.hpp"

namespace firedrill::agent {

struct Endpoint {
  std::string address;  ///< numeric, IPv4 or IPv6
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

/// The live socket's two ends: what the network faults must let through.
struct LinkEnds {
  Endpoint local, peer;
  std::string controller{};  ///< the name in the certificate that was verified
  bool operator==(const LinkEnds&) const = default;
};

struct UplinkConfig {
  std::string controller;  ///< host name or address to dial
  std::uint16_t port = 0;
  std::filesystem::path ca, certificate, key;        ///< PEM
  std::string server_name = "firedrill-controller";  ///< verified, whatever was dialled
  std::string instance;                              ///< new for each agent start; in every event
  Duration first_backoff{100'000};  ///< full jitter: uniform in 0 .. min(cap, first · 2^failures)
  Duration backoff_cap{2'000'000};
  Duration handshake_timeout{5'000'000};  ///< each of: connect, TLS, upgrade, hello's answer
  Duration idle_timeout{4'000'000};       ///< pinged after half of it; silent this long: dead
  std::size_t queue_limit = 10'000;       ///< events not answered yet
};

struct UplinkHandlers {
  /// The payload of hello. On the I/O thread: must not block.
  std::function<rpc::Hello()> hello;
  /// Every request but `clock`. One at a time and in order, except that `probe.once` runs on a
  /// thread of its own, beside the others. A call whose connection is gone before it began is
  /// dropped (the controller was told so), except `undo`.
  std::function<Result<Json>(const std::string& method, const Json& params)> on_call;
  /// Optional, on the I/O thread, must not block. Connected: hello was answered.
  std::function<void(const LinkEnds&)> on_connected;
  std::function<void(const std::string& reason)> on_disconnected;
  /// Optional: an attempt that never got as far as on_connected, and why.
  std::function<void(const std::string& reason)> on_attempt_failed;
  /// Optional, on the I/O thread, must not block: the controller did not take an event, which is
  /// lost now, and why.
  std::function<void(const Error&)> on_event_refused;
  /// Optional, on the I/O thread: the certificate was replaced, and is valid until then; or it
  /// could not be, and why. It is tried again by itself.
  std::function<void(const Result<UtcTime>&)> on_renewed;
  /// Optional: the agent's UTC clock; the system's by default. Any thread.
  std::function<UtcTime()> now;
};

class Uplink {
 public:
  /// Reads the certificates and begins to dial; returns at once.
  /// @errors invalid_input  a file is not PEM, or certificate and key do not match; a missing
  ///         handler or instance; not_found, permission_denied  a file cannot be read
  [[nodiscard]] static Result<std::unique_ptr<Uplink>> start(UplinkConfig config,
                                                             UplinkHandlers handlers);
  ~Uplink();
  Uplink(const Uplink&) = delete;
  Uplink& operator=(const Uplink&) = delete;

  /// Queues an event and keeps it until the controller answered it, over any number of
  /// connections; `instance` and `number` are filled in here. When the queue is full the oldest
  /// probe.sample is dropped, then the oldest other event; injection.* are never dropped.
  /// @errors invalid_input  the event would not fit into one message
  [[nodiscard]] Result<void> send_event(rpc::AgentEvent event);

  /// Waits until every event queued so far was answered. False when `timeout` passed first.
  [[nodiscard]] bool drain(Duration timeout);

  /// Events not answered yet, and events dropped since the start.
  [[nodiscard]] std::size_t queued() const;
  [[nodiscard]] std::size_t dropped() const;

  [[nodiscard]] bool connected() const;
  /// Set once the controller's certificate was verified; empty while there is no connection.
  [[nodiscard]] std::optional<LinkEnds> local_and_peer() const;

  /// Closes the link and ends the threads. Waits only for a call that is running in on_call, and,
  /// when `controller` is a name, for a look-up under way. No callback runs afterwards. Idempotent.
  void stop();

 private:
  class Impl;
  explicit Uplink(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firedrill::agent
