#include "agent/kernel/linux_bird.hpp"

#include <cerrno>
#include <chrono>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

using Clock = std::chrono::steady_clock;

/// One connection to a control socket, for one greeting and one answer.
class Connection {
 public:
  Connection(const std::string& path, Duration patience)
      : path_(path), patience_(patience), deadline_(Clock::now() + patience) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }

  Result<void> open() {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path_.size() >= sizeof name.sun_path)
      return fail(ErrorCode::invalid_input,
                  fmt::format("'{}' is longer than a socket's path can be ({} bytes)", path_,
                              sizeof name.sun_path - 1));
    path_.copy(name.sun_path, path_.size());
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd_ < 0) return fail_errno(errno, "socket for BIRD");
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) return {};
    const int saved = errno;
    if (saved == ENOENT || saved == ECONNREFUSED || saved == ENOTDIR)
      return fail(
          ErrorCode::not_found, saved,
          fmt::format("no BIRD listens on '{}' ({}): start BIRD, or give the path that its "
                      "option -s or its package sets",
                      path_,
                      saved == ECONNREFUSED ? "a socket nobody listens on" : "no such socket"));
    if (saved == EACCES)
      return fail(ErrorCode::permission_denied, saved,
                  fmt::format("'{}' may not be opened: run the agent as root", path_));
    return fail_errno(saved, fmt::format("connect to BIRD on '{}'", path_));
  }

  Result<BirdReply> answer() {
    for (;;) {
      if (auto reply = reader_.take()) return std::move(*reply);
      if (auto ready = wait(POLLIN); !ready) return std::unexpected(ready.error());
      char buffer[16384];
      const ssize_t count = recv(fd_, buffer, sizeof buffer, 0);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (count < 0) return fail_errno(errno, fmt::format("BIRD on '{}'", path_));
      if (count == 0)
        return fail(ErrorCode::unavailable,
                    fmt::format("BIRD closed '{}' within its answer: it may be restarting", path_));
      auto fed = reader_.feed({buffer, static_cast<std::size_t>(count)});
      if (!fed) return with_context(fed.error(), fmt::format("'{}'", path_));
    }
  }

  Result<void> send_line(std::string line) {
    line += '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
      if (auto ready = wait(POLLOUT); !ready) return ready;
      const ssize_t count = send(fd_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (count < 0) return fail_errno(errno, fmt::format("BIRD on '{}'", path_));
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
    return {};
  }

 private:
  Result<void> wait(short events) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    pollfd ready{fd_, events, 0};
    if (left > 0 && poll(&ready, 1, static_cast<int>(left)) != 0) return {};  // EINTR: asked again
    return fail(ErrorCode::timed_out,
                fmt::format("what listens on '{}' did not answer within {}: BIRD may be busy or "
                            "stopped",
                            path_, firedrill::to_string(patience_)));
  }

  const std::string& path_;
  const Duration patience_;
  const Clock::time_point deadline_;
  int fd_ = -1;
  BirdReplyReader reader_;
};

}  // namespace

std::vector<std::string> parse_control_sockets(std::string_view proc_net_unix) {
  // Num: RefCount Protocol Flags Type St Inode Path; flags 00010000 is a socket that listens.
  std::vector<std::string> out;
  while (!proc_net_unix.empty()) {
    const std::size_t end = std::min(proc_net_unix.find('\n'), proc_net_unix.size());
    const std::string_view line = proc_net_unix.substr(0, end);
    proc_net_unix.remove_prefix(std::min(end + 1, proc_net_unix.size()));
    const std::size_t path = line.find('/');
    if (path == std::string_view::npos || !line.ends_with(".ctl")) continue;
    if (line.substr(0, path).contains(" 00010000 0001 ")) out.emplace_back(line.substr(path));
  }
  return out;
}

Result<std::vector<std::string>> LinuxBird::sockets() {
  announce("bird.sockets");
  const auto text = read_file("/proc/thread-self/net/unix");
  if (!text) return std::unexpected(text.error());
  return parse_control_sockets(*text);
}

Result<BirdReply> LinuxBird::command(const std::string& socket, const std::string& command) {
  announce("bird.command");
  Connection connection(socket, patience_);
  if (auto opened = connection.open(); !opened) return std::unexpected(opened.error());
  const auto greeting = connection.answer();
  if (!greeting) return std::unexpected(greeting.error());
  const BirdLine& hello = greeting->lines.back();
  if (hello.code != 1 || !hello.text.starts_with("BIRD "))
    return fail(ErrorCode::corrupt, fmt::format("'{}' greets with '{:04} {}', which is not BIRD",
                                                socket, hello.code, hello.text.substr(0, 60)));
  if (auto sent = connection.send_line(command); !sent) return std::unexpected(sent.error());
  return connection.answer();
}

}  // namespace firedrill::agent::kernel
