// The host as the routes faults see it; see agent/host.hpp for what holds for all of it.
#pragma once

#include "agent/host.hpp"
#include "agent/kernel/bird_reply.hpp"
#include "agent/kernel/route_message.hpp"

namespace firedrill::agent {

/// Kernel routes and rules, as raw netlink messages with every attribute kept. Errors everywhere:
/// permission_denied without CAP_NET_ADMIN; unsupported for IPv6 in a kernel that has it off.
class Routes {
 public:
  virtual ~Routes() = default;

  /// An error when this process may not change routes; changes nothing.
  [[nodiscard]] virtual Result<void> may_change() = 0;
  /// The routes to exactly `prefix` in `table`, in the kernel's order. A table of a million routes
  /// takes about a second.
  [[nodiscard]] virtual Result<std::vector<kernel::Route>> routes(const kernel::IpPrefix& prefix,
                                                                  std::uint32_t table) = 0;
  /// At most `most` routes of `table` that share addresses with `prefix`: for people to read.
  [[nodiscard]] virtual Result<std::vector<kernel::Route>> overlapping(
      const kernel::IpPrefix& prefix, std::uint32_t table, std::size_t most) = 0;
  /// The route that the kernel takes towards `address`, rules considered; none when there is none.
  [[nodiscard]] virtual Result<std::optional<kernel::Route>> serving(
      const kernel::IpAddress& address) = 0;
  /// Adds what is in Route::message beside what is there; replaces nothing.
  /// @errors already_exists  the very same route, or in IPv4 one the kernel takes for it
  [[nodiscard]] virtual Result<void> add_route(const kernel::Route& route) = 0;
  /// Deletes exactly that route, by all its attributes. @errors not_found
  [[nodiscard]] virtual Result<void> delete_route(const kernel::Route& route) = 0;

  /// In the order in which they are asked.
  [[nodiscard]] virtual Result<std::vector<kernel::Rule>> rules(bool v6) = 0;
  /// @errors already_exists  the very same rule
  [[nodiscard]] virtual Result<void> add_rule(const kernel::Rule& rule) = 0;
  /// @errors not_found
  [[nodiscard]] virtual Result<void> delete_rule(const kernel::Rule& rule) = 0;
};

/// BIRD's control socket.
class Bird {
 public:
  virtual ~Bird() = default;

  /// Paths of sockets of this network namespace that look like BIRD's (*.ctl, listening).
  [[nodiscard]] virtual Result<std::vector<std::string>> sockets() = 0;
  /// Connects, waits for the greeting, sends one command and reads its answer; a few milliseconds,
  /// at most five seconds. What BIRD answers is not judged: see check_bird_reply().
  /// @errors not_found    there is no such socket, or nobody listens on it any more
  ///         timed_out    somebody listens and does not answer
  ///         corrupt      what answers is not BIRD
  ///         unavailable  the connection ended within the answer
  [[nodiscard]] virtual Result<kernel::BirdReply> command(const std::string& socket,
                                                          const std::string& command) = 0;
};

}  // namespace firedrill::agent
