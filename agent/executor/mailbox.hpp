// Tasks for one thread, and its alarm clock. The alarm goes by CLOCK_BOOTTIME, which a condition
// variable cannot: a deadline that passes while the machine is suspended is due on waking.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "firedrill/units.hpp"

namespace firedrill::agent {

class Mailbox {
 public:
  using Task = std::function<void()>;

  [[nodiscard]] Result<void> open();
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
  ~Mailbox();

  /// False once closed: the task will not run.
  bool post(Task task);
  /// Waits for a task or until CLOCK_BOOTTIME `due` (Duration::max(): for ever); gives all tasks.
  [[nodiscard]] std::vector<Task> wait(Duration due);
  /// Refuses further tasks and gives those that were waiting.
  [[nodiscard]] std::vector<Task> close();

 private:
  std::vector<Task> take();

  std::mutex mutex_;
  std::deque<Task> tasks_;
  bool closed_ = false;
  int wake_fd_ = -1;
  int timer_fd_ = -1;
};

}  // namespace firedrill::agent
