// One thread that runs jobs in order. It knows nothing of what they do.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace firedrill {

class Worker {
 public:
  explicit Worker(std::size_t limit) : limit_(limit), thread_([this] { run(); }) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() { stop(); }

  /// False, and the job is not taken, when `limit` jobs wait or the worker was stopped.
  [[nodiscard]] bool post(std::function<void()> job);
  /// Drops what waits, and waits for what runs. Not from a job.
  void stop();

 private:
  void run();

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool stopped_ = false;
  std::thread thread_;  ///< last: it starts when all of the above is there
};

}  // namespace firedrill
