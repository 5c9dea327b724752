// Blocking sockets with time-outs, and OpenSSL by hand.
#include "tests/unit/link/support_net.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/link/support.hpp"

namespace firedrill::link_test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  ::close(fd);
  return -1;
}

void limit_waiting(int socket) {
  const timeval limit{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

}  // namespace

bool closes_on_the_mute(std::uint16_t port) {
  const int socket = connect_to(port);
  limit_waiting(socket);
  char byte = 0;
  const ssize_t got = ::recv(socket, &byte, 1, 0);
  const bool ended = got == 0 || (got < 0 && errno == ECONNRESET);
  ::close(socket);
  return ended;
}

MuteCrowd::MuteCrowd(std::uint16_t port, int size) {
  for (int i = 0; i < size; ++i) sockets_.push_back(connect_to(port));
}

MuteCrowd::~MuteCrowd() {
  for (const int socket : sockets_) ::close(socket);
}

RawClient::RawClient(std::uint16_t port, const std::filesystem::path& ca,
                     const pki::Identity* identity, bool tls12) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  socket_ = connect_to(port);
  limit_waiting(socket_);
  context_ = SSL_CTX_new(TLS_client_method());
  if (tls12) SSL_CTX_set_max_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_load_verify_file(context_, ca.c_str());
  if (identity != nullptr) {
    SSL_CTX_use_certificate_file(context_, identity->certificate.c_str(), SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context_, identity->key.c_str(), SSL_FILETYPE_PEM);
  }
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, socket_);
  connected_ = SSL_connect(ssl_) == 1;
}

RawClient::~RawClient() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
  if (socket_ >= 0) ::close(socket_);
}

void RawClient::send(std::string_view bytes) {
  // A server that has closed already is what some tests are about: errors show when reading.
  if (!bytes.empty() && SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) <= 0)
    failed_ = true;
}

std::string RawClient::read_until(std::string_view end) {
  std::string all;
  std::array<char, 4096> part{};
  while (all.find(end) == std::string::npos) {
    const int got = SSL_read(ssl_, part.data(), part.size());
    if (got <= 0) break;
    all.append(part.data(), static_cast<std::size_t>(got));
  }
  return all;
}

std::optional<std::string> RawClient::read_to_close() {
  std::string all;
  std::array<char, 4096> part{};
  for (;;) {
    errno = 0;
    const int got = SSL_read(ssl_, part.data(), part.size());
    if (got > 0) {
      all.append(part.data(), static_cast<std::size_t>(got));
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::nullopt;  // still open
    return all;
  }
}

std::string RawClient::upgrade() {
  send(http_get("/agent",
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                "Sec-WebSocket-Protocol: firedrill.1\r\n"));
  return read_until("\r\n\r\n");
}

void RawClient::send_frame(unsigned char first_byte, std::string_view payload, bool masked) {
  std::string frame(1, static_cast<char>(first_byte));
  const unsigned mask_bit = masked ? 0x80U : 0;
  if (payload.size() < 126) {
    frame.push_back(static_cast<char>(mask_bit | payload.size()));
  } else {
    const bool medium = payload.size() < 65'536;  // the shortest form is the only right one
    frame.push_back(static_cast<char>(mask_bit | (medium ? 126U : 127U)));
    for (int shift = medium ? 8 : 56; shift >= 0; shift -= 8)
      frame.push_back(static_cast<char>(payload.size() >> shift));
  }
  if (masked) frame.append(4, '\0');  // a key of zeros leaves the payload as it is
  frame.append(payload);
  send(frame);
}

CuttingProxy::CuttingProxy(std::uint16_t target) : target_(target) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener_, generic, size), 0);
  EXPECT_EQ(::listen(listener_, 16), 0);
  EXPECT_EQ(::getsockname(listener_, generic, &size), 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread{[this] { run(); }};
}

void CuttingProxy::run() {
  for (;;) {
    const int client = ::accept(listener_, nullptr, nullptr);
    if (client < 0 || stopped_) {
      if (client >= 0) ::close(client);
      return;
    }
    const int server = connect_to(target_);
    const std::scoped_lock lock{mutex_};
    sockets_.push_back(client);
    if (server >= 0) sockets_.push_back(server);
    if (server < 0) {
      ::shutdown(client, SHUT_RDWR);
      continue;
    }
    threads_.emplace_back([this, client, server] { forward(client, server); });
    threads_.emplace_back([this, client, server] { forward(server, client); });
  }
}

void CuttingProxy::forward(int from, int to) {
  std::array<char, 4096> bytes{};
  for (;;) {
    const ssize_t got = ::recv(from, bytes.data(), bytes.size(), 0);
    if (got <= 0) break;
    if (swallowing_) continue;
    if (::send(to, bytes.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) break;
  }
  if (swallowing_) return;  // nor does the other end learn that this one has gone
  ::shutdown(from, SHUT_RDWR);
  ::shutdown(to, SHUT_RDWR);
}

void CuttingProxy::cut() {
  const std::scoped_lock lock{mutex_};
  for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
}

CuttingProxy::~CuttingProxy() {
  stopped_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  cut();
  for (std::thread& thread : threads_) thread.join();
  for (const int socket : sockets_) ::close(socket);  // kept until now, so that no number is reused
  ::close(listener_);
}

}  // namespace firedrill::link_test
