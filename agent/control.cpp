#include "agent/control.hpp"

#include <cerrno>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace firedrill::agent {
namespace {

constexpr int kServerPatience = 5;   // seconds, for a client to say or take something
constexpr int kClientPatience = 60;  // an undo may drain queues and re-train links

std::filesystem::path socket_path(const std::filesystem::path& directory) {
  return directory / "agent.sock";
}

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path;
  if (text.size() >= sizeof address.sun_path)
    return fail(ErrorCode::invalid_input,
                fmt::format("'{}' is too long for a socket; use a shorter state directory", text));
  std::memcpy(address.sun_path, text.data(), text.size());
  return address;
}

void set_patience(int fd, int seconds) {
  const timeval limit{.tv_sec = seconds, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

bool send_line(int fd, std::string text) {
  text += '\n';
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// The next line out of `pending` and the socket; none at its end, on an error, or past the limit.
std::optional<std::string> receive_line(int fd, std::string& pending) {
  for (;;) {
    if (const std::size_t end = pending.find('\n'); end != std::string::npos) {
      std::string line = pending.substr(0, end);
      pending.erase(0, end + 1);
      return line;
    }
    if (pending.size() > rpc::kMaxMessageBytes) return std::nullopt;
    char buffer[4096];
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    pending.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace

ControlServer::ControlServer(std::filesystem::path path, int listen_fd, int stop_fd,
                             ServeCall on_call)
    : path_(std::move(path)),
      listen_fd_(listen_fd),
      stop_fd_(stop_fd),
      on_call_(std::move(on_call)),
      thread_([this] { run(); }) {}

Result<std::unique_ptr<ControlServer>> ControlServer::start(
    const std::filesystem::path& state_directory, ServeCall on_call) {
  const std::filesystem::path path = socket_path(state_directory);
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return fail_errno(errno, "socket");
  ::unlink(path.c_str());
  // Until the chmod it is guarded by its directory, which is root's alone.
  const bool listening =
      ::bind(listener, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0 &&
      ::chmod(path.c_str(), 0600) == 0 && ::listen(listener, 8) == 0;
  if (!listening) {
    const int err = errno;
    ::close(listener);
    return fail_errno(err, fmt::format("listen on '{}'", path.string()));
  }
  const int stop = ::eventfd(0, EFD_CLOEXEC);
  if (stop < 0) {
    const int err = errno;
    ::close(listener);
    return fail_errno(err, "eventfd");
  }
  return std::unique_ptr<ControlServer>(
      new ControlServer(path, listener, stop, std::move(on_call)));
}

void remove_dead_socket(const std::filesystem::path& state_directory) {
  ::unlink(socket_path(state_directory).c_str());
}

ControlServer::~ControlServer() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = ::write(stop_fd_, &one, sizeof one);
  thread_.join();
  ::close(listen_fd_);
  ::close(stop_fd_);
  ::unlink(path_.c_str());
}

void ControlServer::run() {
  for (;;) {
    pollfd fds[2] = {{listen_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
    if (::poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    if (fds[0].revents == 0) continue;
    const int client = ::accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    set_patience(client, kServerPatience);
    serve_control(client, on_call_);
    ::close(client);
  }
}

void serve_control(int client, const ServeCall& on_call) {
  ucred seen{};
  socklen_t size = sizeof seen;
  LocalPeer peer;
  if (::getsockopt(client, SOL_SOCKET, SO_PEERCRED, &seen, &size) == 0)
    peer = {.process = seen.pid, .user = seen.uid};
  std::string pending;
  while (const auto line = receive_line(client, pending)) {
    const auto message = rpc::decode(*line);
    const auto* request = message ? std::get_if<rpc::Request>(&*message) : nullptr;
    if (request == nullptr || !request->id) return;
    const rpc::Response response{*request->id, on_call(request->method, request->params, peer)};
    if (!send_line(client, rpc::encode(response))) return;
  }
}

Result<Json> control_call(const std::filesystem::path& state_directory, std::string_view method,
                          const Json& params) {
  const std::filesystem::path path = socket_path(state_directory);
  const auto address = address_of(path);
  if (!address) return std::unexpected(address.error());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_errno(errno, "socket");
  const auto close_fd = [fd]() noexcept { ::close(fd); };
  const Rollback closing(close_fd);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    const int err = errno;
    if (err == ENOENT || err == ECONNREFUSED)
      return fail(ErrorCode::unavailable, err, "no agent runs on this host");
    return fail_errno(err, fmt::format("connect to '{}'", path.string()));
  }
  set_patience(fd, kClientPatience);
  rpc::Request request;
  request.id = std::int64_t{1};
  request.method = method;
  request.params = params;
  std::string pending;
  if (!send_line(fd, rpc::encode(request)))
    return fail(ErrorCode::timed_out, "the agent on this host does not listen");
  const auto line = receive_line(fd, pending);
  if (!line) return fail(ErrorCode::timed_out, "the agent on this host does not answer");
  auto message = rpc::decode(*line);
  if (!message) return std::unexpected(message.error());
  auto* response = std::get_if<rpc::Response>(&*message);
  if (response == nullptr) return fail(ErrorCode::corrupt, "the agent's answer is none");
  return std::move(response->result);
}

}  // namespace firedrill::agent
