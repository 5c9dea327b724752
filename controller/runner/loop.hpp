// The runner's one thread: whatever happens elsewhere is posted here and handled in order.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "controller/runner/run_clock.hpp"
#include "firedrill/units.hpp"

namespace firedrill {

/// A queue of work. post() is safe from any thread; the work runs on the thread that calls wait().
class Loop {
 public:
  using Work = std::function<void()>;

  void post(Work work);
  /// Runs one piece of work and returns true, or returns false when `timeout` passes without any.
  bool wait(Duration timeout);
  /// Later posts are dropped, and what is queued is forgotten.
  void close();

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Work> queue_;
  bool closed_ = false;
};

/// Both clocks of this machine, now.
[[nodiscard]] ClockReading read_clocks();
/// When a person said something, as far as it can be known.
struct Moment {
  UtcTime at{};
  Duration uncertainty{};
};

/// The controller's clock: everything else is mapped onto it.
[[nodiscard]] UtcTime utc_now();

}  // namespace firedrill
