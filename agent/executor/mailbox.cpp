#include "agent/executor/mailbox.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace firedrill::agent {

Result<void> Mailbox::open() {
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  timer_fd_ = ::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (wake_fd_ < 0 || timer_fd_ < 0) return fail_errno(errno, "eventfd and timerfd");
  return {};
}

Mailbox::~Mailbox() {
  if (wake_fd_ >= 0) ::close(wake_fd_);
  if (timer_fd_ >= 0) ::close(timer_fd_);
}

bool Mailbox::post(Task task) {
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return false;
    tasks_.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd_, &one, sizeof one);
  return true;
}

std::vector<Mailbox::Task> Mailbox::take() {
  std::vector<Task> out(std::make_move_iterator(tasks_.begin()),
                        std::make_move_iterator(tasks_.end()));
  tasks_.clear();
  return out;
}

std::vector<Mailbox::Task> Mailbox::wait(Duration due) {
  itimerspec alarm{};
  if (due != Duration::max()) {
    // An all-zero time would disarm the timer instead of ringing at once.
    const Duration at = std::max(due, Duration{1});
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(at);
    alarm.it_value.tv_sec = seconds.count();
    alarm.it_value.tv_nsec = std::chrono::nanoseconds(at - seconds).count();
  }
  ::timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &alarm, nullptr);
  pollfd fds[2] = {{wake_fd_, POLLIN, 0}, {timer_fd_, POLLIN, 0}};
  while (::poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
  std::uint64_t count = 0;
  [[maybe_unused]] ssize_t got = ::read(wake_fd_, &count, sizeof count);
  got = ::read(timer_fd_, &count, sizeof count);
  const std::scoped_lock lock(mutex_);
  return take();
}

std::vector<Mailbox::Task> Mailbox::close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  return take();
}

}  // namespace firedrill::agent
