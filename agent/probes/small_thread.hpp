// A thread with a small stack: one hundred running probes must not cost the agent its size.
#pragma once

#include <functional>
#include <memory>

#include <pthread.h>

#include "firedrill/result.hpp"

namespace firedrill::agent {

/// Joins when it is destroyed; make its body end first.
class SmallThread {
 public:
  /// Runs `body` on 256 KiB of stack, with all signals blocked: they are main's.
  [[nodiscard]] static Result<SmallThread> start(std::function<void()> body);
  SmallThread(SmallThread&& other) noexcept = default;
  SmallThread& operator=(SmallThread&&) = delete;
  ~SmallThread();

 private:
  explicit SmallThread(pthread_t thread, std::unique_ptr<std::function<void()>> body)
      : thread_(thread), body_(std::move(body)) {}
  pthread_t thread_;
  std::unique_ptr<std::function<void()>> body_;  ///< null once moved from
};

}  // namespace firedrill::agent
