#include "agent/probes/probe_runner.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "agent/probes/small_thread.hpp"

namespace firedrill::agent {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

constexpr Duration kShortest = 10ms;
constexpr Duration kLongest = 1h;
constexpr Duration kLongestOnce = 1min;

std::int64_t realtime_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Duration>(now).count();
}

Result<void> check_interval(const rpc::ProbeRequest& request, Duration longest) {
  if (request.interval >= kShortest && request.interval <= longest) return {};
  return fail_at("/interval", fmt::format("probe '{}': the interval is {}; it may be {} to {}",
                                          request.id, to_string(request.interval),
                                          to_string(kShortest), to_string(longest)));
}

/// One running probe: its session and the thread that samples it.
class Running {
 public:
  Running(rpc::ProbeRequest request, std::unique_ptr<ProbeSession> session,
          const ProbeRunner::OnSample& on_sample)
      : request_(std::move(request)), session_(std::move(session)), on_sample_(on_sample) {}

  [[nodiscard]] Result<void> start() {
    auto thread = SmallThread::start([this] { run(); });
    if (!thread) return std::unexpected(thread.error());
    thread_.emplace(std::move(*thread));
    return {};
  }
  /// Asks it to end; the destructor waits for that.
  void cancel() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    session_->cancel();
  }
  ~Running() {
    cancel();
    thread_.reset();
  }

 private:
  void run() {
    while (true) {
      const SteadyClock::time_point began = SteadyClock::now();
      const std::int64_t began_us = realtime_us();
      auto sample = session_->sample(request_.interval);
      if (!sample) {
        // A failure that returns at once must not become a busy loop.
        if (wait_until(began + request_.interval)) return;
        sample = rpc::Sample{.from_us = began_us,
                             .to_us = realtime_us(),
                             .count = 1,
                             .errors = 1,
                             .values = {},
                             .error = sample.error().what};
      }
      if (wait_until(began)) return;
      on_sample_(request_, *sample);
    }
  }
  /// True when it is time to end.
  bool wait_until(SteadyClock::time_point instant) {
    std::unique_lock lock(mutex_);
    return wake_.wait_until(lock, instant, [this] { return stopping_; });
  }

  rpc::ProbeRequest request_;
  std::unique_ptr<ProbeSession> session_;
  const ProbeRunner::OnSample& on_sample_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::optional<SmallThread> thread_;
};

}  // namespace

struct ProbeRunner::State {
  using Key = std::pair<std::string, std::string>;  // run, id
  OnSample on_sample;
  mutable std::mutex mutex;
  std::map<Key, std::unique_ptr<Running>> running;

  template <class Matches>
  std::size_t stop_if(Matches matches) {
    std::vector<std::unique_ptr<Running>> ending;
    {
      const std::lock_guard lock(mutex);
      for (auto entry = running.begin(); entry != running.end();) {
        if (!matches(entry->first)) {
          ++entry;
          continue;
        }
        ending.push_back(std::move(entry->second));
        entry = running.erase(entry);
      }
    }
    // All are asked first, so that they end together; the destructors wait.
    for (const auto& probe : ending) probe->cancel();
    return ending.size();
  }
};

ProbeRunner::ProbeRunner(OnSample on_sample) : state_(std::make_unique<State>()) {
  state_->on_sample = std::move(on_sample);
}

ProbeRunner::~ProbeRunner() { stop_all(); }

Result<void> ProbeRunner::start(const rpc::ProbeRequest& request) {
  if (auto good = check_interval(request, kLongest); !good) return good;
  auto session = open_probe(request.probe, request.params);
  if (!session) return std::unexpected(session.error());
  auto running = std::make_unique<Running>(request, std::move(*session), state_->on_sample);
  const std::lock_guard lock(state_->mutex);
  const State::Key key{request.run, request.id};
  if (state_->running.contains(key))
    return fail(ErrorCode::already_exists,
                fmt::format("probe '{}' of run '{}' is running", request.id, request.run));
  if (auto started = running->start(); !started) return started;
  state_->running.emplace(key, std::move(running));
  return {};
}

std::size_t ProbeRunner::stop(std::string_view run, std::optional<std::string_view> id) {
  return state_->stop_if(
      [&](const State::Key& key) { return key.first == run && (!id || key.second == *id); });
}

std::size_t ProbeRunner::stop_all() {
  return state_->stop_if([](const State::Key&) { return true; });
}

Result<rpc::Sample> ProbeRunner::once(const rpc::ProbeRequest& request) const {
  if (auto good = check_interval(request, kLongestOnce); !good)
    return std::unexpected(good.error());
  auto session = open_probe(request.probe, request.params);
  if (!session) return std::unexpected(session.error());
  return (*session)->sample(request.interval);
}

std::size_t ProbeRunner::running() const {
  const std::lock_guard lock(state_->mutex);
  return state_->running.size();
}

}  // namespace firedrill::agent
