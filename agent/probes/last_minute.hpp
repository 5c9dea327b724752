// How many changes the last minute had. Pure: time is an argument.
#pragma once

#include <chrono>
#include <deque>

namespace firedrill::agent {

/// Counts; extrapolates nothing. In its first minute it gives what there was so far.
class LastMinute {
 public:
  using Instant = std::chrono::steady_clock::time_point;

  void add(Instant when, std::size_t changes = 1) {
    if (changes > 0) changes_.push_back({when, changes});
  }
  [[nodiscard]] double count(Instant now) {
    while (!changes_.empty() && changes_.front().when + std::chrono::minutes(1) <= now)
      changes_.pop_front();
    double sum = 0;
    for (const Entry& entry : changes_) sum += static_cast<double>(entry.changes);
    return sum;
  }

 private:
  struct Entry {
    Instant when;
    std::size_t changes = 0;
  };
  std::deque<Entry> changes_;
};

}  // namespace firedrill::agent
