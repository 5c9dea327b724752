// The one thread that does all fault work on this host. Takes calls from any thread; gives events.
// Owns the journal and the lock on the state directory for as long as it lives.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "agent/executor/engine.hpp"

namespace firedrill::agent {

struct ExecutorConfig {
  std::filesystem::path state_directory;
  std::string host_name;  ///< as events name this host
  Policy policy;
};

/// Callbacks. `on_event` and `find_fault` are called on the executor's thread, `sample` on it and
/// on one other, `ensure_guardian` on it and on the thread that starts it.
struct ExecutorHooks {
  FindFault find_fault;
  OnEvent on_event;
  TakeSample sample;
  std::function<Result<void>()> ensure_guardian;
};

class Executor {
 public:
  /// Takes the state directory's lock, then undoes what its journal has open, all before anything
  /// else; returns after the first attempt. `host` and `pulse` outlive the executor.
  /// @errors conflict  another agent runs on this directory (waits 5 s for the lock); else as
  /// StateLock and Journal
  [[nodiscard]] static Result<std::unique_ptr<Executor>> start(ExecutorConfig config, Host& host,
                                                               Pulse& pulse, ExecutorHooks hooks);
  ~Executor();  ///< as stop()
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // As in Engine; each waits for its turn on the executor's thread. Not to be called from a hook.
  // @errors unavailable  the executor has been stopped
  [[nodiscard]] Result<Json> prepare(const FaultRequest& request, const Json& by = nullptr);
  [[nodiscard]] Result<void> commit(const std::vector<std::string>& ids, UtcTime at);
  [[nodiscard]] Result<std::vector<rpc::InjectionStatus>> undo(const std::vector<std::string>& ids,
                                                               UndoCause cause,
                                                               const Json& by = nullptr);
  [[nodiscard]] Result<void> forget(const std::string& id, const Json& by = nullptr);
  [[nodiscard]] Result<std::vector<rpc::InjectionStatus>> list();
  /// The list as it was after the last thing that happened; never waits for a fault.
  [[nodiscard]] std::vector<rpc::InjectionStatus> last_list() const;
  /// As in Engine, but does not wait for it.
  void abandon(std::string stage, Error error);
  /// Does not wait: a renewal counts from the moment of this call.
  void renew(const std::string& run);

  /// Undoes everything (agent_stopped), retries for a few seconds what fails, and ends the thread.
  /// What is still dirty then stays in the journal; the guardian and the next start go on with it.
  void stop();

 private:
  class Impl;
  explicit Executor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace firedrill::agent
