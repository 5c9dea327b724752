#include "agent/probes/small_thread.hpp"

#include <signal.h>

namespace firedrill::agent {
namespace {

constexpr std::size_t kStackBytes = 256 * 1024;

void* run(void* body) {
  (*static_cast<std::function<void()>*>(body))();
  return nullptr;
}

}  // namespace

Result<SmallThread> SmallThread::start(std::function<void()> body) {
  auto owned = std::make_unique<std::function<void()>>(std::move(body));
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackBytes);
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const int error = ::pthread_create(&thread, &attributes, &run, owned.get());
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
  if (error != 0) return fail_errno(error, "a thread for the probe");
  return SmallThread(thread, std::move(owned));
}

SmallThread::~SmallThread() {
  if (body_) ::pthread_join(thread_, nullptr);
}

}  // namespace firedrill::agent
