// Peers that misbehave: a client that speaks TLS by hand, and a proxy that cuts connections.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <openssl/ssl.h>

#include "controller/pki/pki.hpp"

namespace firedrill::link_test {

/// A client that does TLS and nothing else, to say what a polite one never would.
class RawClient {
 public:
  /// `identity` null: no client certificate. `tls12`: offers no newer version.
  RawClient(std::uint16_t port, const std::filesystem::path& ca, const pki::Identity* identity,
            bool tls12 = false);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient();

  [[nodiscard]] bool connected() const { return connected_; }
  void send(std::string_view bytes);
  /// Something could not be sent: the server has ended the connection.
  [[nodiscard]] bool failed() const { return failed_; }
  /// What arrives until `end` was seen, the peer closes, or ten seconds passed.
  std::string read_until(std::string_view end);
  /// Everything until the peer closes the connection; empty optional: it did not.
  std::optional<std::string> read_to_close();
  /// The HTTP upgrade of an agent; the server's answer.
  std::string upgrade();
  void send_frame(unsigned char first_byte, std::string_view payload, bool masked = true);

 private:
  int socket_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  bool failed_ = false;
};

/// Connects, says nothing, not even TLS: does the server end it within twenty seconds?
bool closes_on_the_mute(std::uint16_t port);

/// Connections that say nothing, not even TLS.
class MuteCrowd {
 public:
  MuteCrowd(std::uint16_t port, int size);
  MuteCrowd(const MuteCrowd&) = delete;
  MuteCrowd& operator=(const MuteCrowd&) = delete;
  ~MuteCrowd();

 private:
  std::vector<int> sockets_;
};

/// Forwards TCP to a port of this host; cuts every connection, or swallows all bytes, when told to.
class CuttingProxy {
 public:
  explicit CuttingProxy(std::uint16_t target);
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;
  ~CuttingProxy();
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void cut();
  void swallow() { swallowing_ = true; }

 private:
  void run();
  void forward(int from, int to);

  std::uint16_t target_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::mutex mutex_;
  std::vector<int> sockets_;
  std::vector<std::thread> threads_;
  std::atomic<bool> stopped_ = false, swallowing_ = false;
  std::thread acceptor_;
};

}  // namespace firedrill::link_test
