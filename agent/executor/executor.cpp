#include "agent/executor/executor.hpp"

#include <algorithm>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "agent/executor/mailbox.hpp"

namespace firedrill::agent {
namespace {

/// How long stop() retries what could not be undone before it leaves that to the guardian.
constexpr Duration kStopPatience = std::chrono::seconds{5};

}  // namespace

class Executor::Impl {
 public:
  Impl(ExecutorConfig config, ExecutorHooks hooks, StateLock lock, Journal journal)
      : config_(std::move(config)),
        hooks_(std::move(hooks)),
        lock_(std::move(lock)),
        journal_(std::move(journal)) {}

  Result<void> start(Host& host, Pulse& pulse, std::string boot_id) {
    if (auto opened = work_.open(); !opened) return opened;
    if (auto opened = polls_.open(); !opened) return opened;
    engine_.emplace(EngineParts{.host = host,
                                .journal = journal_,
                                .clock = clock_,
                                .pulse = pulse,
                                .policy = config_.policy,
                                .host_name = config_.host_name,
                                .boot_id = std::move(boot_id),
                                .find_fault = hooks_.find_fault,
                                .on_event = hooks_.on_event,
                                .ensure_guardian = hooks_.ensure_guardian,
                                .sample = hooks_.sample,
                                .request_sample = [this](std::string id, CureCondition cure) {
                                  request_sample(std::move(id), std::move(cure));
                                }});
    if (!journal_.view().open.empty()) {
      // Undoing goes on without a guardian; only preparing is refused for the lack of one.
      [[maybe_unused]] const Result<void> guarded_start = hooks_.ensure_guardian();
    }
    worker_ = std::thread([this] { run(); });
    poller_ = std::thread([this] { poll(); });
    return call<void>([this] {
      engine_->recover();
      return Result<void>{};
    });
  }

  /// Runs `body` on the executor's thread and gives its answer.
  template <class T, class Body>
  Result<T> call(Body body) {
    auto answer = std::make_shared<std::promise<Result<T>>>();
    std::future<Result<T>> result = answer->get_future();
    const bool posted = work_.post([answer, body = std::move(body)] { answer->set_value(body()); });
    if (!posted) return fail(ErrorCode::unavailable, "the agent is stopping");
    return result.get();
  }

  void renew(const std::string& run) {
    // Counted from now, however long the thread is busy with a fault.
    const Duration heard = clock_.boottime();
    work_.post([this, run, heard] { engine_->renew(run, heard); });
  }

  void abandon(std::string stage, Error error) {
    work_.post([this, stage = std::move(stage), error = std::move(error)] {
      engine_->abandon(stage, error);
    });
  }

  void stop() {
    if (!worker_.joinable()) return;
    work_.post([this] { stop_at_ = clock_.boottime() + kStopPatience; });
    worker_.join();
    for (const Mailbox::Task& late : work_.close()) late();  // nobody may wait for ever
    polls_.post([this] { polling_ = false; });
    poller_.join();
  }

  Engine& engine() { return *engine_; }
  std::vector<rpc::InjectionStatus> last_list() {
    const std::scoped_lock lock(list_mutex_);
    return last_list_;
  }
  [[nodiscard]] bool stopping() const { return stop_at_.has_value(); }

 private:
  void run() {
    Duration due = Duration::max();
    bool told_to_stop = false;
    while (!stop_at_ || (engine_->open_count() > 0 && clock_.boottime() < *stop_at_)) {
      // Calls first: a renewal that waited behind a slow fault must count before leases do.
      for (const Mailbox::Task& task : work_.wait(due)) task();
      if (stop_at_ && !std::exchange(told_to_stop, true)) {
        // Its answer is the events; what fails is retried below.
        [[maybe_unused]] const auto undone = engine_->undo({}, UndoCause::agent_stopped);
      }
      due = engine_->step();
      if (stop_at_) due = std::min(due, *stop_at_);
      const std::scoped_lock lock(list_mutex_);
      last_list_ = engine_->list();
    }
  }

  /// Samples for cures are taken beside the executor's thread, so that a slow probe delays no undo.
  void poll() {
    while (polling_)
      for (const Mailbox::Task& task : polls_.wait(Duration::max())) task();
  }

  void request_sample(std::string id, CureCondition cure) {
    polls_.post([this, id = std::move(id), cure = std::move(cure)] {
      auto sample = guarded("probe", [&] { return hooks_.sample(cure.probe, cure.params); });
      work_.post([this, id, sample = std::move(sample)] { engine_->cure_sampled(id, sample); });
    });
  }

  ExecutorConfig config_;
  ExecutorHooks hooks_;
  StateLock lock_;
  Journal journal_;
  SystemClock clock_;
  std::optional<Engine> engine_;
  Mailbox work_;
  Mailbox polls_;
  std::optional<Duration> stop_at_;  ///< the worker's own
  bool polling_ = true;              ///< the poller's own
  std::mutex list_mutex_;
  std::vector<rpc::InjectionStatus> last_list_;
  std::thread worker_;
  std::thread poller_;
};

Executor::Executor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Executor::~Executor() { stop(); }

Result<std::unique_ptr<Executor>> Executor::start(ExecutorConfig config, Host& host, Pulse& pulse,
                                                  ExecutorHooks hooks) {
  auto boot_id = read_boot_id();
  if (!boot_id) return std::unexpected(boot_id.error());
  auto lock = StateLock::wait(config.state_directory);
  if (!lock) return std::unexpected(lock.error());
  auto journal = Journal::open(config.state_directory, *boot_id, *lock);
  if (!journal) return std::unexpected(journal.error());
  auto impl = std::make_unique<Impl>(std::move(config), std::move(hooks), std::move(*lock),
                                     std::move(*journal));
  Impl& started = *impl;
  std::unique_ptr<Executor> executor(new Executor(std::move(impl)));
  if (auto running = started.start(host, pulse, std::move(*boot_id)); !running)
    return std::unexpected(running.error());
  return executor;
}

Result<Json> Executor::prepare(const FaultRequest& request, const Json& by) {
  return impl_->call<Json>([&]() -> Result<Json> {
    if (impl_->stopping()) return fail(ErrorCode::unavailable, "the agent is stopping");
    return impl_->engine().prepare(request, by);
  });
}

Result<void> Executor::commit(const std::vector<std::string>& ids, UtcTime at) {
  return impl_->call<void>([&] { return impl_->engine().commit(ids, at); });
}

Result<std::vector<rpc::InjectionStatus>> Executor::undo(const std::vector<std::string>& ids,
                                                         UndoCause cause, const Json& by) {
  return impl_->call<std::vector<rpc::InjectionStatus>>(
      [&] { return impl_->engine().undo(ids, cause, by); });
}

Result<void> Executor::forget(const std::string& id, const Json& by) {
  return impl_->call<void>([&] { return impl_->engine().forget(id, by); });
}

Result<std::vector<rpc::InjectionStatus>> Executor::list() {
  return impl_->call<std::vector<rpc::InjectionStatus>>(
      [&] { return Result<std::vector<rpc::InjectionStatus>>(impl_->engine().list()); });
}

std::vector<rpc::InjectionStatus> Executor::last_list() const { return impl_->last_list(); }

void Executor::renew(const std::string& run) { impl_->renew(run); }

void Executor::abandon(std::string stage, Error error) {
  impl_->abandon(std::move(stage), std::move(error));
}

void Executor::stop() { impl_->stop(); }

}  // namespace firedrill::agent
