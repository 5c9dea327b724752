// Hears of every route that is added, replaced or deleted from the moment it is opened, in the
// network namespace of the thread that opens it. Needs no privilege; changes nothing.
#pragma once

#include <functional>

#include "agent/kernel/route_message.hpp"

namespace firedrill::agent::kernel {

class RouteWatch {
 public:
  struct Change {
    Route route;
    bool added = false;  ///< or replaced; else deleted
  };

  [[nodiscard]] static Result<RouteWatch> open();
  RouteWatch(RouteWatch&& other) noexcept;
  RouteWatch& operator=(RouteWatch&&) = delete;
  ~RouteWatch();

  /// Hands over what was heard since the last call, without waiting.
  /// @errors unavailable  more happened than the socket holds (8 MiB), so that some of it is lost;
  ///                      what comes later is heard again
  [[nodiscard]] Result<void> drain(const std::function<void(const Change&)>& on_change);
  /// To poll(2) for.
  [[nodiscard]] int descriptor() const { return fd_; }

 private:
  explicit RouteWatch(int fd) : fd_(fd) {}
  int fd_;
};

/// The changes in one datagram of that socket; passes over what is no route.
void parse_route_changes(std::span<const std::byte> datagram,
                         const std::function<void(const RouteWatch::Change&)>& on_change);

}  // namespace firedrill::agent::kernel
