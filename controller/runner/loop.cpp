#include "controller/runner/loop.hpp"

#include <utility>

#include <time.h>

namespace firedrill {

void Loop::post(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    queue_.push_back(std::move(work));
  }
  ready_.notify_one();
}

bool Loop::wait(Duration timeout) {
  Work work;
  {
    std::unique_lock lock(mutex_);
    if (!ready_.wait_for(lock, timeout, [this] { return !queue_.empty(); })) return false;
    work = std::move(queue_.front());
    queue_.pop_front();
  }
  work();
  return true;
}

void Loop::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  queue_.clear();
}

ClockReading read_clocks() {
  timespec boot{};
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  return {utc_now(), std::chrono::duration_cast<Duration>(std::chrono::seconds{boot.tv_sec} +
                                                          std::chrono::nanoseconds{boot.tv_nsec})};
}

UtcTime utc_now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace firedrill
