#include "controller/detect/looker.hpp"

#include <chrono>
#include <utility>

namespace firedrill {

Looker::Looker(Duration interval, std::function<void()> look, std::function<void()> cancel)
    : look_(std::move(look)), cancel_(std::move(cancel)) {
  thread_ = std::thread([this, interval] {
    for (;;) {
      const auto next = std::chrono::steady_clock::now() + interval;
      look_();
      std::unique_lock lock(mutex_);
      if (wake_.wait_until(lock, next, [this] { return stopping_; })) return;
    }
  });
}

Looker::~Looker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  cancel_();
  wake_.notify_all();
  thread_.join();
}

}  // namespace firedrill
