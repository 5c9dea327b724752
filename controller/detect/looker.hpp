// Looks again and again on a thread of its own, until it is destroyed.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "firedrill/units.hpp"

namespace firedrill {

class Looker {
 public:
  /// @param interval between the starts of two looks; a look that takes longer is followed by the
  ///        next at once, and none is made up for
  /// @param look     called from this thread; must not destroy the Looker
  /// @param cancel   makes a look that goes on end soon; called once, by the destructor
  Looker(Duration interval, std::function<void()> look, std::function<void()> cancel);
  ~Looker();
  Looker(const Looker&) = delete;
  Looker& operator=(const Looker&) = delete;

 private:
  std::function<void()> look_, cancel_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace firedrill
