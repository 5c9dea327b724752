// Connections that have not shown who they are, oldest first. Whoever opens many and says nothing
// loses his own, and nobody else waits for him. Pure: time is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <list>
#include <optional>
#include <utility>

#include "firedrill/units.hpp"

namespace firedrill {

template <class Handle>
class Strangers {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// At most `most` at once. One that came less than `grace` ago is not sent away: it may be about
  /// to show its certificate.
  Strangers(std::size_t most, Duration grace) : most_(most), grace_(grace) {}

  [[nodiscard]] bool has_room(Time now) const {
    return known_.size() < most_ || known_.empty() || now - known_.front().since >= grace_;
  }
  /// Adds one. Gives the oldest when that must go for it.
  [[nodiscard]] std::optional<Handle> enter(Handle who, Time now) {
    std::optional<Handle> leaves;
    if (known_.size() >= most_ && !known_.empty()) {
      leaves = std::move(known_.front().who);
      known_.pop_front();
    }
    known_.push_back({std::move(who), now});
    return leaves;
  }
  /// It showed who it is, or it ended. Harmless for one that is not known.
  void leave(const Handle& who) {
    const auto it = std::ranges::find(known_, who, &Entry::who);
    if (it != known_.end()) known_.erase(it);
  }
  [[nodiscard]] std::size_t size() const { return known_.size(); }

 private:
  struct Entry {
    Handle who;
    Time since;
  };
  std::size_t most_;
  Duration grace_;
  std::list<Entry> known_;
};

}  // namespace firedrill
