// The local socket: how a command on this host talks to the agent that runs here. One JSON-RPC
// request a line, one response a line; a Unix socket of mode 0600 in the state directory.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <sys/types.h>

#include "firedrill/rpc.hpp"

namespace firedrill::agent {

using LocalCall = std::function<Result<Json>(const std::string& method, const Json& params)>;

/// The process at the other end of a local socket, by the kernel's word; none: it is not known.
struct LocalPeer {
  pid_t process = 0;
  uid_t user = 0;
};
using ServeCall = std::function<Result<Json>(const std::string& method, const Json& params,
                                             const LocalPeer& peer)>;

class ControlServer {
 public:
  /// Replaces a socket that a dead agent left: the caller holds the state directory's lock.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> start(
      const std::filesystem::path& state_directory, ServeCall on_call);
  ~ControlServer();  ///< waits for a call under way, removes the socket
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

 private:
  ControlServer(std::filesystem::path path, int listen_fd, int stop_fd, ServeCall on_call);
  void run();

  std::filesystem::path path_;
  int listen_fd_;
  int stop_fd_;
  ServeCall on_call_;
  std::thread thread_;
};

/// Removes the socket that a dead agent left; the caller holds the state directory's lock.
void remove_dead_socket(const std::filesystem::path& state_directory);

/// Answers the requests that come from `client`, a stream socket, until it ends, says something
/// that is no request, or a line is longer than a message may be.
void serve_control(int client, const ServeCall& on_call);

/// One call to the agent that runs on this state directory.
/// @errors unavailable  no agent runs there;  timed_out  it does not answer within 60 s; else as
///         the agent answers
[[nodiscard]] Result<Json> control_call(const std::filesystem::path& state_directory,
                                        std::string_view method, const Json& params);

}  // namespace firedrill::agent
